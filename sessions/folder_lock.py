"""Only one server may use a data folder at a time."""

import fcntl
import os
from pathlib import Path

from sessions.errors import DataFolderBusyError, DiskError


class FolderLock:
    """A lock that the operating system drops when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock; the folder is made if it is not there.

        Raises:
            DataFolderBusyError: if another process, or another store of this one, holds it.
            DiskError: if the folder can't be made or written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DiskError(
                f"The data folder {folder} can't be written: {error.strerror}. Make it a folder that this user may "
                "write to, or choose another (STEMGEN_DATA)."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise DataFolderBusyError(
                f"The data folder {folder} is in use by another StemGen server (process {holder}). "
                "Stop that one, or give this one another data folder."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. Doing it twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
