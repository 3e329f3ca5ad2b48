"""Every error the session tree raises on purpose.

SessionError
+- NotFoundError            no such thing, or somebody else's: the two can't be told apart (show to the user)
|  +- SessionNotFoundError
|  +- NodeNotFoundError
|  +- TurnNotFoundError
|  +- VariationNotFoundError
|  +- AudioNotFoundError    also when a file is gone from the disk
|  +- ShareNotFoundError    also when the link was taken back
+- InvalidActionError       the thing exists but this can't be done with it now (show to the user)
+- StorageFullError         the disk is full, or as much is stored as may be (show to the user)
+- DiskError                the disk is broken, read-only or forbidden (show to the user)
+- ArchiveError             a session file can't be taken in (show to the user)
+- PlaceError               an address where sounds or copies lie can't be used (show to the operator)
+- SnapshotError            a copy can't be written, read or restored (show to the operator)
+- DataFolderBusyError      another server holds the data folder (show to the operator)
+- DatabaseError            the database can't be opened or brought up to date (show to the operator)
"""


class SessionError(Exception):
    """Base class; `except SessionError` catches everything expected."""


class NotFoundError(SessionError):
    """Nothing with this id belongs to the caller."""


class SessionNotFoundError(NotFoundError):
    """No such session."""


class NodeNotFoundError(NotFoundError):
    """No such node."""


class TurnNotFoundError(NotFoundError):
    """No such turn."""


class VariationNotFoundError(NotFoundError):
    """No such variation."""


class AudioNotFoundError(NotFoundError):
    """No such audio file, or none that the caller may hear."""


class ShareNotFoundError(NotFoundError):
    """No session is shared by this link (any more)."""


class InvalidActionError(SessionError):
    """What was asked can't be done with this thing in its present state."""


class StorageFullError(SessionError):
    """There is no room for what was to be stored; nothing of it was."""


class DiskError(SessionError):
    """The disk refuses to be read or written, and not for want of room."""


class ArchiveError(SessionError):
    """A file is no session, a damaged one, or one that means harm."""


class PlaceError(SessionError):
    """An address where files lie can't be understood, read or written."""


class SnapshotError(SessionError):
    """A copy of everything can't be made or used."""


class DataFolderBusyError(SessionError):
    """Another process holds the data folder."""


class DatabaseError(SessionError):
    """The database can't be opened, checked or migrated."""
