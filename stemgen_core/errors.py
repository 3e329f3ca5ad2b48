"""Every error the core raises on purpose.

StemGenError
+- InvalidRequestError        the caller asked for something impossible (show to the user)
+- AudioFormatError           unreadable, empty, silent or non-finite audio (show to the user)
+- DecoderBusyError           too many files are being decoded at once (show to the user)
+- GenerationCancelledError   the caller asked a running generation to stop
+- CheckpointError            weights missing or not matching the code (show to the operator)
+- MissingDependencyError     a program or file that this step needs is not installed (says which and how to get it)
"""


class StemGenError(Exception):
    """Base class; `except StemGenError` catches everything expected."""


class InvalidRequestError(StemGenError):
    """A request field is outside its documented range."""


class AudioFormatError(StemGenError):
    """Audio that cannot be decoded or used."""


class DecoderBusyError(StemGenError):
    """No decoder became free in time; nothing is wrong with the file."""


class GenerationCancelledError(StemGenError):
    """A generation was asked to stop between two decoding steps; nothing was produced."""


class CheckpointError(StemGenError):
    """Weights are missing or do not fit the code."""


class MissingDependencyError(StemGenError):
    """Something outside Python that a step needs is not there; the message names the command that installs it."""
