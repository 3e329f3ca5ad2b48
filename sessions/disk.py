"""Whether a folder lies where a database can live.

SQLite's write-ahead log needs shared memory and locks that work: network file systems promise both and keep neither.
A program that synchronises a folder copies the database and its log at different moments, and brings old ones back.
"""

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "vboxsf"})
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs"})  # what containers of ordinary users see as their own disk
_SYNCHRONISED = (
    *("dropbox", "onedrive", "google drive", "googledrive", "icloud drive", "mobile documents"),
    *("nextcloud", "owncloud", "pcloud", "megasync", "seafile"),
)
_MARKS = (".stfolder", ".dropbox", ".sync")  # what synchronisers leave in the folders that they look after


def unfit_for_database(folder: Path, *, mounts: Path = MOUNTS) -> str | None:
    """Return what is wrong with the place of a folder, as the end of a sentence; None if nothing is known to be.

    Args:
        folder: may not be there yet.
        mounts: Linux's list of mounted file systems; without one, only names are looked at.
    """
    place = folder.resolve()
    kind = _file_system(place, mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        return f"lies on a network file system ({kind})"
    for parent in (place, *place.parents):
        if parent.name.lower().startswith(_SYNCHRONISED) or any((parent / mark).exists() for mark in _MARKS):
            return f"lies in a folder that is synchronised ({parent})"
    return None


def _file_system(place: Path, mounts: Path) -> str:
    """Return the kind of the file system that holds a place; "" if that is not known."""
    if not mounts.is_file():
        return ""
    best, kind = -1, ""
    for line in mounts.read_text("utf-8", "replace").splitlines():
        left, _, right = line.partition(" - ")
        mounted = Path(left.split(" ")[4].encode().decode("unicode_escape")) if left.count(" ") >= 5 else None
        if mounted is not None and place.is_relative_to(mounted) and len(mounted.parts) >= best:
            best, kind = len(mounted.parts), right.split(" ")[0]  # of two in one place, the later hides the earlier
    return kind
