"""Audio in and out: read untrusted files, write, resample, mix."""

from stemgen_core.audio.operations import mix_waveforms, resample, to_mono, with_channels
from stemgen_core.audio.reading import DecodingLimits, read_audio
from stemgen_core.audio.writing import write_flac, write_wav

__all__ = [
    "DecodingLimits",
    "mix_waveforms",
    "read_audio",
    "resample",
    "to_mono",
    "with_channels",
    "write_flac",
    "write_wav",
]
