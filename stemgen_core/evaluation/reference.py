"""The field's reference implementation of scores, loaded where a score needs it."""

from types import ModuleType

from stemgen_core.errors import MissingDependencyError


def load_mir_eval() -> ModuleType:
    """Return the package `mir_eval` with its scores of beats, chords and keys.

    Raises:
        MissingDependencyError: if it is not installed.
    """
    try:
        import mir_eval.beat
        import mir_eval.chord
        import mir_eval.key
    except ImportError as error:
        raise MissingDependencyError(
            "Scores of beats, chords and keys need mir_eval. Install it with `pip install -r requirements-dev.txt`."
        ) from error
    return mir_eval
