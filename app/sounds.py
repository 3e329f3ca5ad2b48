"""Sounds as the studio keeps them: a waveform becomes a FLAC blob and back; a node becomes the mix that it stands for.

The functions that touch audio files come from outside, so that this module knows no codec and tests need none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch

from sessions.blobs import BlobStore
from sessions.tree import AudioRef, Node, mix_nodes
from stemgen_core.errors import AudioFormatError, InvalidRequestError
from stemgen_core.types import Waveform

SILENCE_PEAK = 1e-4  # -80 dB: below it there is nothing to listen to
MIN_CONTEXT_S = 1.0
# All sounds of a mix are in memory at once, as they are summed and as they are exported. A session file of a few
# kilobytes can name one sound in thousands of nodes.
MAX_MIX_BYTES = 1_000_000_000
_BYTES_PER_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class SoundFiles:
    """What the studio needs of audio files.

    Attributes:
        read_untrusted: decodes what a user brought, under limits; raises AudioFormatError.
        read: decodes a file that this program wrote.
        write: writes a FLAC file.
        mix: sums waveforms of one rate and length.
    """

    read_untrusted: Callable[[Path], Waveform]
    read: Callable[[Path], Waveform]
    write: Callable[[Path, Waveform], object]
    mix: Callable[[Sequence[Waveform]], Waveform]


def read_kept(path: Path) -> Waveform:
    """Read a file that this program wrote.

    Unlike what users bring it needs no guard, and it may well be silent: a model may have chosen to rest.
    """
    samples, sample_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return Waveform(torch.from_numpy(samples.T.copy()), int(sample_rate_hz))  # [L, C] -> [C, L]


def audible_sounds(lineage: Sequence[Node]) -> list[AudioRef]:
    """Return what sounds at the end of a lineage.

    Args:
        lineage: nodes from the root down, as `SessionStore.lineage` returns them.

    Raises:
        InvalidRequestError: if that is more than can be in memory at once.
    """
    audible = [node.audio for node in mix_nodes(lineage) if node.audio is not None]
    if sum(audio.num_audio_samples * audio.num_channels for audio in audible) * _BYTES_PER_SAMPLE > MAX_MIX_BYTES:
        raise InvalidRequestError(
            f"{len(audible)} sounds of this length are more than can be mixed here. Take some out, or go on from an "
            "earlier node."
        )
    return audible


@dataclass(frozen=True, slots=True)
class SoundShelf:
    """Puts sounds into the blob store and takes them out."""

    blobs: BlobStore
    files: SoundFiles

    def keep(self, waveform: Waveform) -> AudioRef:
        """Write a waveform to the blob store and return what a row must say of it."""
        sha256 = self.blobs.add(lambda path: self.files.write(path, waveform))
        return AudioRef(sha256, waveform.sample_rate_hz, waveform.num_audio_samples, waveform.num_channels)

    def read_context(self, source: Path, *, max_duration_s: float) -> Waveform:
        """Decode what a user brought and check that a stem can be made for it.

        Raises:
            AudioFormatError: if it can't be decoded, is silent, or is shorter or longer than a context may be.
        """
        waveform = self.files.read_untrusted(source)
        if not MIN_CONTEXT_S <= waveform.duration_s <= max_duration_s:
            raise AudioFormatError(
                f"This clip lasts {waveform.duration_s:.1f} s. "
                f"Bring one of {MIN_CONTEXT_S:.0f} to {max_duration_s:.0f} s."
            )
        if float(waveform.samples.abs().max()) < SILENCE_PEAK:
            raise AudioFormatError("This clip is silent, so there is nothing to play along with.")
        return waveform

    def read(self, audio: AudioRef) -> Waveform:
        """Return a sound of the blob store.

        Raises:
            AudioNotFoundError: if its file is gone from the disk.
        """
        return self.files.read(self.blobs.path(audio.sha256))

    def mix_at(self, lineage: Sequence[Node]) -> Waveform:
        """Return what sounds at the end of a lineage: the context and every stem not removed again.

        Args:
            lineage: nodes from the root down, as `SessionStore.lineage` returns them.

        Raises:
            AudioNotFoundError: if a file is gone from the disk.
            InvalidRequestError: if it holds more than can be in memory at once.
        """
        audible = audible_sounds(lineage)
        return self.files.mix([self.read(audio) for audio in audible])
