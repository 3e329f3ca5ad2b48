"""What the score-token model hears: semitones, onsets and the pulse of the mix, 25 frames a second.

Layout `bands-pulse-25hz-v2`, per 40 ms frame (docs/decisions/0010-context-features.md):

- 84 semitone bands, C1 (32.7 Hz) to B7: log magnitude from three STFTs, longer windows for lower notes, so that
  neighbouring semitones stay apart where basses live and changes stay sharp above.
- 8 bands x 4 steps of 10 ms of positive spectral flux: where in the frame something starts, low to high.
- 8 band energies, so that what sustains without pitch (cymbals, noise) is heard too.
- 18 values of the pulse (`pulse_features`): where beats and their subdivisions fall.

The level of the context does not matter: everything is relative to its active RMS.
"""

from functools import cache

import torch

from stemgen_core.codec.pulse_features import NUM_PULSE_FEATURES, extract_pulse
from stemgen_core.types import Waveform

NAME = "bands-pulse-25hz-v2"
SAMPLE_RATE_HZ = 32_000
FRAME_LENGTH = 1_280  # audio samples per frame, 25 Hz
NUM_SUBFRAMES = 4
LOWEST_SEMITONE, NUM_SEMITONES = 24, 84
NUM_ONSET_BANDS = 8
TUNINGS_CENTS = (-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0)  # what training detunes contexts by
NUM_BAND_FEATURES = NUM_SEMITONES + NUM_ONSET_BANDS * NUM_SUBFRAMES + NUM_ONSET_BANDS
NUM_FEATURES = NUM_BAND_FEATURES + NUM_PULSE_FEATURES
# (first semitone, one past the last, decimation, STFT window after it): 512, 256 and 128 ms.
_REGIONS = ((24, 52, 4, 4_096), (52, 76, 4, 2_048), (76, 108, 2, 2_048))
_ONSET_WINDOW = 1_024
_LOUDNESS = 10.0  # log(1 + 10 x): one decade below the active level still counts


class BandFeatures:
    """Context codec of the score family, and of what hears its bands at another rate.

    Works on mono audio at 32 kHz; the caller resamples (`stemgen_core.audio`).
    """

    name = NAME
    num_features = NUM_FEATURES
    num_channels = 1

    def encode(self, context: Waveform, num_frames: int) -> torch.Tensor:
        """Extract features.

        Args:
            context: one channel at 32 kHz; silence is read beyond its end.
            num_frames: T.

        Returns:
            float32 [F, T].

        Raises:
            ValueError: if the context has another rate or more channels.
        """
        if context.sample_rate_hz != SAMPLE_RATE_HZ or context.num_channels != 1:
            raise ValueError(
                f"expected mono at {SAMPLE_RATE_HZ} Hz, got {context.num_channels} channels "
                f"at {context.sample_rate_hz} Hz"
            )
        return self._extract(context.samples, num_frames)[0]

    def _extract(self, samples: torch.Tensor, num_frames: int) -> torch.Tensor:
        """Extract features of float32 [B, L], float32 [B, F, T]."""
        return extract_features(samples, num_frames)


def extract_features(samples: torch.Tensor, num_frames: int, *, tuning_cents: float = 0.0) -> torch.Tensor:
    """Extract all features of a batch; arguments as for `extract_bands`.

    Returns:
        float32 [B, F, T].
    """
    bands = extract_bands(samples, num_frames, tuning_cents=tuning_cents)
    frame_rate_hz = SAMPLE_RATE_HZ / FRAME_LENGTH
    pulse = torch.stack([extract_pulse(item, SAMPLE_RATE_HZ, num_frames, frame_rate_hz) for item in samples])
    return torch.cat([bands, pulse], dim=1)


def extract_bands(samples: torch.Tensor, num_frames: int, *, tuning_cents: float = 0.0) -> torch.Tensor:
    """Extract the bands of a batch.

    Args:
        samples: float32 [B, L] at 32 kHz.
        num_frames: T; `samples` is cut or filled with silence to T frames.
        tuning_cents: shifts what counts as in tune, up is positive.

    Returns:
        float32 [B, 124, T].
    """
    length = num_frames * FRAME_LENGTH
    samples = torch.nn.functional.pad(samples, (0, max(0, length - samples.shape[1])))[:, :length]
    samples = samples / _active_rms(samples)
    spectrum = torch.fft.rfft(samples)
    decimated = {factor: _decimate(spectrum, length, factor) for factor in (2, 4)}
    semitones = torch.cat(
        [
            _semitone_magnitudes(decimated[factor], first, last, factor, window, tuning_cents)
            for first, last, factor, window in _REGIONS
        ],
        dim=1,
    )  # [B, 84, T]
    magnitudes = _magnitudes(samples, _ONSET_WINDOW, FRAME_LENGTH // NUM_SUBFRAMES, _ONSET_WINDOW // 2 + 1)
    bands = torch.einsum("sf,bft->bst", _onset_filters(), magnitudes)  # [B, 8, 4T]
    bands = torch.log1p(_LOUDNESS * bands)
    flux = (bands - torch.nn.functional.pad(bands, (1, 0))[..., :-1]).clamp_min(0)  # [B, 8, 4T]
    per_frame = flux.unflatten(-1, (num_frames, NUM_SUBFRAMES)).permute(0, 1, 3, 2).flatten(1, 2)  # [B, 32, T]
    energy = bands.unflatten(-1, (num_frames, NUM_SUBFRAMES)).mean(-1)  # [B, 8, T]
    return torch.cat([torch.log1p(_LOUDNESS * semitones), 2.0 * per_frame, 0.5 * energy], dim=1)


def _active_rms(samples: torch.Tensor) -> torch.Tensor:
    """RMS of the blocks that sound, [B, 1]; blocks 30 dB below the loudest don't count."""
    blocks = samples.unflatten(-1, (-1, FRAME_LENGTH)).square().mean(-1)  # [B, T]
    is_active = blocks > 1e-3 * blocks.amax(-1, keepdim=True)
    mean = (blocks * is_active).sum(-1, keepdim=True) / is_active.sum(-1, keepdim=True).clamp_min(1)
    return mean.sqrt().clamp_min(1e-5)


def _magnitudes(samples: torch.Tensor, window: int, hop: int, num_bins: int) -> torch.Tensor:
    """Magnitudes scaled so that a full-scale sine is near 1, one column per hop, centred on the middle of the hop.

    Args:
        samples: float32 [B, L], L a multiple of `hop`.
        window: audio samples.
        hop: audio samples.
        num_bins: how many of the lowest bins to return.

    Returns:
        float32 [B, num_bins, L // hop].
    """
    padding = (window - hop) // 2
    padded = torch.nn.functional.pad(samples, (padding, window - hop - padding))
    hann = _hann(window)
    spectrum = torch.stft(padded, window, hop, window=hann, center=False, return_complex=True)
    parts = torch.view_as_real(spectrum[:, :num_bins])
    return (parts.square().sum(-1) + 1e-12).sqrt() * (2.0 / hann.sum())


@cache
def _hann(window: int) -> torch.Tensor:
    return torch.hann_window(window)


def _semitone_magnitudes(
    samples: torch.Tensor, first: int, last: int, factor: int, window: int, tuning_cents: float
) -> torch.Tensor:
    """Magnitude per semitone from `first` to before `last`, [B, last - first, T]."""
    filters, num_bins = _semitone_filters(window, first, last, factor, tuning_cents)
    magnitudes = _magnitudes(samples, window, FRAME_LENGTH // factor, num_bins)  # [B, bins, T]
    return torch.einsum("sf,bft->bst", filters, magnitudes)


@cache
def _semitone_filters(window: int, first: int, last: int, factor: int, tuning_cents: float) -> tuple[torch.Tensor, int]:
    """Triangles one semitone to each side, [last - first, bins]; a peak on the semitone keeps its height."""
    frequencies = torch.arange(window // 2 + 1) * (SAMPLE_RATE_HZ / factor / window)
    pitches = 69 - tuning_cents / 100 + 12 * torch.log2(frequencies.clamp_min(1e-3) / 440)
    distance = (pitches[None, :] - torch.arange(first, last)[:, None]).abs()
    filters = (1 - distance).clamp_min(0)
    num_bins = int(filters.sum(0).nonzero().max()) + 1
    return filters[:, :num_bins].contiguous(), num_bins


def _decimate(spectrum: torch.Tensor, length: int, factor: int) -> torch.Tensor:
    """Resample by cutting the spectrum of the whole signal: [B, length // 2 + 1] -> [B, length // factor]."""
    kept = spectrum[:, : length // factor // 2 + 1]
    return torch.fft.irfft(kept, length // factor) / factor


@cache
def _onset_filters() -> torch.Tensor:
    """Eight bands from 30 Hz to 15 kHz, evenly spaced in octaves, summing magnitudes, [8, 513]."""
    frequencies = torch.arange(_ONSET_WINDOW // 2 + 1) * (SAMPLE_RATE_HZ / _ONSET_WINDOW)
    edges = 30.0 * (500.0 ** (torch.arange(NUM_ONSET_BANDS + 1) / NUM_ONSET_BANDS))
    # A band narrower than a bin would hear nothing: each takes the bin nearest to its centre at least.
    filters = ((frequencies >= edges[:-1, None]) & (frequencies < edges[1:, None])).float()
    centres = (edges[:-1] * edges[1:]).sqrt()
    nearest = (centres / (SAMPLE_RATE_HZ / _ONSET_WINDOW)).round().long().clamp_min(1)
    filters[torch.arange(NUM_ONSET_BANDS), nearest] = 1.0
    return filters
