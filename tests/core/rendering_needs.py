"""What rendering the corpus needs on the machine."""

import os

import pytest

from stemgen_core.corpus.offline_synth import HELDOUT_FONTS, TRAINING_FONTS


def _what_is_missing() -> str | None:
    missing = [str(path) for path in (*TRAINING_FONTS.values(), *HELDOUT_FONTS.values()) if not path.exists()]
    if missing:
        return f"soundfonts {', '.join(missing)}"
    try:
        import fluidsynth  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


_MISSING = _what_is_missing()
# On CI everything has to be there, so that a lost font fails instead of passing unseen.
needs_rendering = pytest.mark.skipif(
    _MISSING is not None and not os.environ.get("CI"), reason=f"rendering needs {_MISSING}; `make corpus-tools`"
)
