"""Which codecs belong to which family of models."""

from collections.abc import Callable
from pathlib import Path

from stemgen_core.codec import bands_for_sound
from stemgen_core.codec.audio_tokens import AudioTokens
from stemgen_core.codec.bands_for_sound import SoundBandFeatures
from stemgen_core.codec.codec_files import CONFIG_FILE, WEIGHTS_FILE
from stemgen_core.codec.context_features import BandFeatures
from stemgen_core.codec.protocol import ContextCodec, TargetCodec
from stemgen_core.codec.score_codec import ScoreCodec
from stemgen_core.codec.waveform_codec import load_waveform_codec
from stemgen_core.errors import CheckpointError
from stemgen_core.sound.soundfont import SoundfontPlayer

SOUNDS_FILE = "sounds.sf3"

# Per family the files that its codecs need, and how to open them once those were checked.
FAMILY_FILES: dict[str, tuple[str, ...]] = {"score": (SOUNDS_FILE,), "audio": (CONFIG_FILE, WEIGHTS_FILE)}


def open_codecs(
    family: str, find_file: Callable[[str], Path], *, context_codec: str
) -> tuple[TargetCodec, ContextCodec]:
    """Open the codecs of a family.

    Args:
        family: "score" or "audio".
        find_file: returns the checked path of a file of the bundle.
        context_codec: name of what the model hears; an audio model hears codes of its own codec, or bands.

    Raises:
        CheckpointError: if there is no such family, or `find_file` can't give a file.
    """
    if family not in FAMILY_FILES:
        raise CheckpointError(f"This version has no family {family!r}; it has: {', '.join(FAMILY_FILES)}.")
    paths = [find_file(name) for name in FAMILY_FILES[family]]
    if family == "score":
        return ScoreCodec(SoundfontPlayer(paths[0])), BandFeatures()
    tokens = AudioTokens(load_waveform_codec(paths[0].parent))
    return tokens, SoundBandFeatures() if context_codec == bands_for_sound.NAME else tokens
