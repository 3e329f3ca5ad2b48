"""Every error the app raises on purpose.

StudioError
+- SettingsError         an environment variable can't be used (show to the operator)
+- ModelNotReadyError    no model is loaded (yet); the message says what to do (show to the user)
+- BusyError             too much is waiting already (show to the user)
"""


class StudioError(Exception):
    """Base class; `except StudioError` catches everything expected."""


class SettingsError(StudioError):
    """A setting has a value that can't be used."""


class ModelNotReadyError(StudioError):
    """Nothing can be generated, because no model is loaded."""


class BusyError(StudioError):
    """The queue is full."""
