"""Every error the app raises on purpose.

StudioError
+- SettingsError         an environment variable can't be used (show to the operator)
+- ModelNotReadyError    no model is loaded (yet); the message says what to do (show to the user)
+- UnsoundDataError      a check found that data is lost or damaged (show to the operator)
+- BusyError             too much is waiting already (show to the user)
+- ExportError           a file could not be made of a mix (show to the user)
+- NoGpuError            no GPU was lent for a stem (show to the user)
+- NothingToDoError      what is asked for can't be done to this stem or mix (show to the user)
"""


class StudioError(Exception):
    """Base class; `except StudioError` catches everything expected."""


class SettingsError(StudioError):
    """A setting has a value that can't be used."""


class ModelNotReadyError(StudioError):
    """Nothing can be generated, because no model is loaded."""


class UnsoundDataError(StudioError):
    """A check of the data found what should not be."""


class BusyError(StudioError):
    """There is no place in line; the message says when to try again.

    Attributes:
        retry_after_s: whole seconds until then, at least 1.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        """Keep when to try again beside the words."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ExportError(StudioError):
    """What is to be taken out of the studio can't be had in this form."""


class NoGpuError(StudioError):
    """Where GPUs are lent call by call, none was for this one."""


class NothingToDoError(StudioError):
    """What is asked for can't be done to this stem or mix."""
