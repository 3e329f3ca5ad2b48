"""Sound as levels of bands, frame by frame: what the band codec quantises."""

import math

import torch
from torch import nn

FLOOR_DB = -70.0
LOWEST_HZ = 41.2  # E1, the lowest string of a bass
_ABOVE_LEVEL = 1e-9

# Window in audio samples at 32 kHz, up to which frequency, bands per octave. Semitones where pitch lives, which takes
# a long window; shorter windows above, where strokes live.
_RANGES: tuple[tuple[int, float, int], ...] = ((4096, 1000.0, 12), (2048, 4000.0, 8), (1024, 15_000.0, 6))


class BandAnalysis(nn.Module):
    """Levels of bands in decibels, from -70 dB for silence to about 0 dB for a full-scale sine.

    Args:
        sample_rate_hz: audio samples per second; windows are for 32,000.
        hop_length: audio samples per frame; frame t is centred on the middle of its hop.
    """

    def __init__(self, sample_rate_hz: int, hop_length: int) -> None:
        super().__init__()
        self.hop_length = hop_length
        self._windows: list[int] = []
        self._bins: dict[int, slice] = {}  # by window: those that any band reads, a few of the longest window's
        low_hz = LOWEST_HZ
        for window_length, high_hz, bands_per_octave in _RANGES:
            filters = band_filters(sample_rate_hz, window_length, low_hz, high_hz, bands_per_octave)
            window = torch.hann_window(window_length)
            self.register_buffer(f"window_{window_length}", window * (2 / window.sum()), persistent=False)
            self.register_buffer(f"filters_{window_length}", filters, persistent=False)
            self._windows.append(window_length)
            read = (filters > 0).any(0).nonzero()
            self._bins[window_length] = slice(int(read[0]), int(read[-1]) + 1)
            low_hz = high_hz

    @property
    def num_bands(self) -> int:
        """F."""
        return sum(len(self.get_buffer(f"filters_{length}")) for length in self._windows)

    @property
    def first_pitches(self) -> torch.Tensor:
        """MIDI pitch of each of the bands that are semitones, the first of all bands; float32 [bands]."""
        window_length, high_hz, _ = _RANGES[0]
        num_semitones = len(self.get_buffer(f"filters_{window_length}"))
        octaves = torch.arange(num_semitones) * (math.log2(high_hz / LOWEST_HZ) / num_semitones)
        return 69 + 12 * (math.log2(LOWEST_HZ / 440) + octaves)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Analyse audio.

        Args:
            waveform: float32 [B, 1, L], full scale is +-1.

        Returns:
            float32 [B, F, T] decibels, T = ceil(L / hop_length), low bands first.
        """
        num_frames = math.ceil(waveform.shape[2] / self.hop_length)
        levels = [self._levels(waveform[:, 0], length, num_frames) for length in self._windows]
        return torch.cat(levels, 1)

    def _levels(self, samples: torch.Tensor, window_length: int, num_frames: int) -> torch.Tensor:
        """Return one range's levels, float32 [B, bands, T]."""
        surplus = window_length - self.hop_length
        length = num_frames * self.hop_length
        before = surplus // 2
        padded = nn.functional.pad(samples, (before, length - samples.shape[1] + surplus - before))
        window, bins = self.get_buffer(f"window_{window_length}"), self._bins[window_length]
        filters = self.get_buffer(f"filters_{window_length}")[:, bins].T  # [bins, bands]
        bands = []
        for frames in padded.unfold(1, window_length, self.hop_length):  # sound by sound, so that it stays in the cache
            spectrum = torch.fft.rfft(frames * window)[:, bins]
            power = torch.view_as_real(spectrum).square().sum(-1)  # [T, bins]; abs() costs twice the transform
            bands.append(power @ filters)
        level = 10 * (torch.stack(bands) + _ABOVE_LEVEL).log10()
        return level.clamp(min=FLOOR_DB).transpose(1, 2)


def band_filters(
    sample_rate_hz: int, window_length: int, low_hz: float, high_hz: float, bands_per_octave: int
) -> torch.Tensor:
    """Return triangular filters, evenly spaced in pitch, that together pass every bin once.

    Args:
        sample_rate_hz: audio samples per second.
        window_length: of the transform.
        low_hz: centre of the lowest band.
        high_hz: the next range's lowest centre.
        bands_per_octave: centres in an octave.

    Returns:
        float32 [bands, window_length // 2 + 1].
    """
    num_bands = max(1, round(bands_per_octave * math.log2(high_hz / low_hz)))
    step = math.log2(high_hz / low_hz) / num_bands
    bins_hz = torch.linspace(0, sample_rate_hz / 2, window_length // 2 + 1)
    position = (bins_hz.clamp(min=1.0) / low_hz).log2() / step  # in bands from the lowest
    centres = torch.arange(num_bands)
    filters = (1 - (position[None] - centres[:, None]).abs()).clamp(min=0)  # [bands, bins]
    # Where a band is narrower than a bin it reads between the two bins beside its centre.
    centre_bins = low_hz * 2 ** (centres * step) / (sample_rate_hz / window_length)
    beside = (1 - (torch.arange(len(bins_hz))[None] - centre_bins[:, None]).abs()).clamp(min=0)
    return torch.where(filters.sum(1, keepdim=True) >= 1, filters, beside)
