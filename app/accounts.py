"""Who is who where one can log in: an account's token is the same in every browser, and nobody can work it out."""

import hashlib
import hmac
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accounts:
    """Turns logins into owners' tokens.

    Attributes:
        secret: of this server; never sent anywhere. Whoever has another server's finds none of this one's sessions.
    """

    secret: str

    def token_of(self, user_id: str) -> str:
        """Return the token of an account: 32 hex digits.

        Args:
            user_id: as the provider of the login says it; never changes, unlike a name.
        """
        return hmac.new(self.secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()[:32]
