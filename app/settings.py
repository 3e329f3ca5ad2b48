"""What can be set from outside. The only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import SettingsError
from sessions.home import DataHome

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one studio server.

    Attributes:
        host: address to listen on (`HOST`); 0.0.0.0 lets other machines in.
        port: TCP port 1..65535 (`PORT`).
        data_path: folder of sessions, sounds and the server's secret (`STEMGEN_DATA`).
        bundle_paths: folders of the models (`STEMGEN_BUNDLE`, parted by colons, or semicolons on Windows); the first
            is the one that nobody has to choose.
        max_upload_mb: largest upload, megabytes (`STEMGEN_MAX_UPLOAD_MB`).
        max_context_s: longest context, seconds (`STEMGEN_MAX_CONTEXT_S`).
        allowed_hosts: names by which the server is reached beside this machine's own (`STEMGEN_ALLOWED_HOSTS`, parted
            by commas; on Spaces `SPACE_HOST`, too). With none it answers to any, unless it listens to loopback only.
        max_session_mb: largest session, megabytes of audio (`STEMGEN_MAX_SESSION_MB`).
        max_total_mb: all sessions together, megabytes of audio; None for what the disk holds (`STEMGEN_MAX_TOTAL_MB`).
        snapshot_url: folder or fsspec address that snapshots of everything go to, and that an empty data folder is
            restored from; empty for none (`STEMGEN_SNAPSHOT_URL`).
        snapshot_interval_s: seconds between snapshots (`STEMGEN_SNAPSHOT_INTERVAL_S`).
        database_url: `postgresql://...` for the sessions; empty for a file in the data folder (`STEMGEN_DATABASE_URL`).
        blob_url: folder or fsspec address for the sounds; empty for one in the data folder (`STEMGEN_BLOB_URL`).
        is_zero_gpu: whether GPUs are lent call by call here (`SPACES_ZERO_GPU`, set by Spaces with that hardware).
        has_login: whether visitors may log in: on a Space whose front matter says `hf_oauth: true` (`SYSTEM`,
            `SPACE_ID` and `OAUTH_CLIENT_ID`).
    """

    host: str = "127.0.0.1"
    port: int = 7860
    data_path: Path = REPOSITORY / "data"
    bundle_paths: tuple[Path, ...] = (REPOSITORY / "bundle",)
    max_upload_mb: int = 50
    max_context_s: int = 120
    allowed_hosts: tuple[str, ...] = ()
    max_session_mb: int = 2_000
    max_total_mb: int | None = None
    snapshot_url: str = ""
    snapshot_interval_s: int = 60
    database_url: str = field(default="", repr=False)  # holds a password
    blob_url: str = ""
    is_zero_gpu: bool = False
    has_login: bool = False

    @property
    def bundle_path(self) -> Path:
        """Folder of the first model."""
        return self.bundle_paths[0]

    @property
    def home(self) -> DataHome:
        """Where the data are."""
        return DataHome(self.data_path, self.database_url, self.blob_url)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; a variable that is absent or empty leaves the default.

        Args:
            environment: variables by name; None reads the process's own.

        Raises:
            SettingsError: if a number is none or outside its range; the message names the variable.
        """
        given = os.environ if environment is None else environment
        default = cls()
        return cls(
            host=given.get("HOST") or default.host,
            port=_whole_number(given, "PORT", default.port, 1, 65535),
            data_path=Path(given.get("STEMGEN_DATA") or default.data_path).expanduser(),
            bundle_paths=_folders(given.get("STEMGEN_BUNDLE")) or default.bundle_paths,
            max_upload_mb=_whole_number(given, "STEMGEN_MAX_UPLOAD_MB", default.max_upload_mb, 1, 1000),
            max_context_s=_whole_number(given, "STEMGEN_MAX_CONTEXT_S", default.max_context_s, 1, 600),
            allowed_hosts=_names(given.get("STEMGEN_ALLOWED_HOSTS")) + _names(given.get("SPACE_HOST")),
            max_session_mb=_whole_number(given, "STEMGEN_MAX_SESSION_MB", default.max_session_mb, 1, 1_000_000),
            max_total_mb=_whole_number(given, "STEMGEN_MAX_TOTAL_MB", 0, 1, 100_000_000) or None,
            snapshot_url=given.get("STEMGEN_SNAPSHOT_URL") or default.snapshot_url,
            snapshot_interval_s=_whole_number(
                given, "STEMGEN_SNAPSHOT_INTERVAL_S", default.snapshot_interval_s, 5, 86_400
            ),
            database_url=given.get("STEMGEN_DATABASE_URL") or default.database_url,
            blob_url=given.get("STEMGEN_BLOB_URL") or default.blob_url,
            is_zero_gpu=(given.get("SPACES_ZERO_GPU") or "").lower() in ("1", "t", "true"),
            has_login=given.get("SYSTEM") == "spaces" and bool(given.get("SPACE_ID") and given.get("OAUTH_CLIENT_ID")),
        )


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for part in (text or "").split(",") if (name := part.strip().lower()))


def _folders(text: str | None) -> tuple[Path, ...]:
    return tuple(Path(part.strip()).expanduser() for part in (text or "").split(os.pathsep) if part.strip())


def _whole_number(given: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = given.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise SettingsError(f"{name} must be a whole number from {lowest} to {highest}, got {text!r}.")
    return int(text)
