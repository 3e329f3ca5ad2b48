"""What the server does by the clock: snapshots while anything changes, and sweeping."""

import logging
import threading
import time
from pathlib import Path

from sessions.home import DataHome
from sessions.snapshot import SnapshotFolder
from sessions.store import SessionStore

log = logging.getLogger(__name__)

_SWEEP_EVERY_S = 6 * 3600.0
LAST_COPY_S = 60.0  # an address that does not answer must not keep the server from ending


class Upkeep:
    """A thread that sees to the data until it is closed."""

    def __init__(
        self,
        store: SessionStore,
        *,
        snapshots: SnapshotFolder | None = None,
        interval_s: float = 60.0,
        small_files: tuple[Path, ...] = (),
    ) -> None:
        """Start the thread.

        Args:
            store: the sessions.
            snapshots: where copies go; None for nowhere.
            interval_s: seconds between copies.
            small_files: further files that belong to the data.
        """
        self._store = store
        self._snapshots = snapshots
        self._interval_s = interval_s
        self._small_files = small_files
        self._num_writes_copied = -1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def close(self, patience_s: float = LAST_COPY_S) -> None:
        """Make the last copy and end the thread; call it when nothing writes any more.

        Args:
            patience_s: how long the copy may take, in seconds; after that the end of the process ends it. The copy
                before stays the newest, and everything is in the data folder.
        """
        self._stop.set()
        self._thread.join(patience_s)
        if self._thread.is_alive():
            log.error("The last snapshot was not finished within %.0f s: the one before is the newest", patience_s)

    def _run(self) -> None:
        swept_s = float("-inf")
        while True:
            if time.monotonic() - swept_s > _SWEEP_EVERY_S:
                self._sweep()
                swept_s = time.monotonic()
            is_last = self._stop.wait(self._interval_s)
            self._copy()
            if is_last:
                return

    def _copy(self) -> None:
        num_writes = self._store.num_writes
        if self._snapshots is None or num_writes == self._num_writes_copied:
            return
        try:
            info = self._snapshots.save(self._store.database, self._store.blobs, self._small_files)
        except Exception:  # whatever it is, the thread goes on, and the next one may succeed
            log.exception("No snapshot was made")
            return
        self._num_writes_copied = num_writes
        log.info("Snapshot %s: %d sounds", info.database, info.num_sounds)

    def _sweep(self) -> None:
        try:
            num_files, num_bytes = self._store.sweep_orphans()
            num_copied = 0 if self._snapshots is None else self._snapshots.sweep()
        except Exception:  # as above: snapshots are made by this thread, too
            log.exception("Unused files could not be swept")
            return
        if num_files:
            log.info("Removed %d unused files, %.1f MB", num_files, num_bytes / 1e6)
        if num_copied:
            log.info("Removed %d old sounds from the snapshots", num_copied)


def restore_if_empty(home: DataHome, snapshots: SnapshotFolder) -> bool:
    """Fill a home without sessions from the latest snapshot; return whether it was.

    Raises:
        SnapshotError: if there is one and it can't be used: beginning anew beside it would overwrite it.
    """
    if home.holds_sessions() or snapshots.latest() is None:
        return False
    info = snapshots.restore(home)
    log.info("Restored %s with %d sounds from %s", info.database, info.num_sounds, snapshots.address)
    return True
