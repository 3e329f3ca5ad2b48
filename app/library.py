"""An owner's sessions as a whole: list, copy, trash, links."""

from dataclasses import dataclass

from sessions.store import SessionStore
from sessions.tree import SessionInfo, Share


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One line of the list.

    Attributes:
        info: the session.
        num_stems: how many stems its tree holds.
        is_shared: whether it has a link.
    """

    info: SessionInfo
    num_stems: int
    is_shared: bool


@dataclass(frozen=True, slots=True)
class Library:
    """What users do with whole sessions. Ids of others are not found, as everywhere.

    Attributes:
        store: the sessions.
    """

    store: SessionStore

    def listed(self, owner_token: str) -> tuple[ListedSession, ...]:
        """Return the sessions that hold something, last changed first, those in the trash last."""
        infos = [info for info in self.store.sessions(owner_token, include_deleted=True) if info.current_node_id]
        infos.sort(key=lambda info: info.deleted_ms is not None)  # stable: the order within stays
        num_stems, shared = self.store.stem_counts(owner_token), self.store.shared_session_ids(owner_token)
        return tuple(ListedSession(info, num_stems.get(info.id, 0), info.id in shared) for info in infos)

    def rename(self, owner_token: str, session_id: str, name: str) -> SessionInfo:
        """Call a session something else.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        return self.store.rename_session(owner_token, session_id, name)

    def duplicate(self, owner_token: str, session_id: str) -> SessionInfo:
        """Make a copy of a session, to try something without touching it.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        name = self.store.session(owner_token, session_id).name or "Untitled"
        return self.store.copy_session(owner_token, session_id, owner_token=owner_token, name=f"{name} (copy)")

    def fork(self, share_token: str, owner_token: str) -> SessionInfo:
        """Make what a link shows a session of one's own.

        Raises:
            ShareNotFoundError: if the link leads nowhere (any more).
        """
        shared = self.store.shared_session(share_token)
        return self.store.copy_session(share_token, shared.id, owner_token=owner_token, name=shared.name)

    def trash(self, owner_token: str, session_id: str) -> SessionInfo:
        """Put a session into the trash; its link sleeps meanwhile.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        return self.store.delete_session(owner_token, session_id)

    def restore(self, owner_token: str, session_id: str) -> SessionInfo:
        """Take a session out of the trash.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        return self.store.restore_session(owner_token, session_id)

    def share(self, owner_token: str, session_id: str) -> Share:
        """Return the link of a session, made if it has none.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            InvalidActionError: if it is in the trash.
        """
        return self.store.share_session(owner_token, session_id)

    def unshare(self, owner_token: str, session_id: str) -> None:
        """Take the link of a session back.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        self.store.unshare_session(owner_token, session_id)
