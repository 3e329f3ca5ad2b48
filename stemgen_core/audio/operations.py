"""Arithmetic on waveforms."""

from collections.abc import Sequence

import numpy as np
import soxr
import torch

from stemgen_core.types import Waveform


def to_mono(waveform: Waveform) -> Waveform:
    """Return the mean of the channels as one channel; a mono waveform is returned as it is."""
    if waveform.num_channels == 1:
        return waveform
    return Waveform(waveform.samples.mean(0, keepdim=True), waveform.sample_rate_hz)  # [C, L] -> [1, L]


def with_channels(waveform: Waveform, num_channels: int) -> Waveform:
    """Return a waveform of so many channels: mixed down to one, or one sounding on all."""
    if waveform.num_channels == num_channels:
        return waveform
    mono = to_mono(waveform)
    return Waveform(mono.samples.expand(num_channels, -1), waveform.sample_rate_hz)


def resample(waveform: Waveform, sample_rate_hz: int, *, num_audio_samples: int | None = None) -> Waveform:
    """Return the waveform at another sample rate.

    Args:
        waveform: any number of channels.
        sample_rate_hz: the rate wanted; the waveform's own returns it without filtering.
        num_audio_samples: exact length wanted, to undo an earlier rounding: a surplus is cut off at the end, a lack
            filled with zeros. None gives the same duration, rounded to a whole sample.

    Raises:
        ValueError: if the rate is not positive.
    """
    if sample_rate_hz <= 0:
        raise ValueError(f"sample_rate_hz must be > 0, got {sample_rate_hz}")
    if num_audio_samples is None:
        num_audio_samples = round(waveform.num_audio_samples * sample_rate_hz / waveform.sample_rate_hz)
    samples = waveform.samples
    if sample_rate_hz != waveform.sample_rate_hz and waveform.num_audio_samples:
        channels_last = samples.detach().cpu().T.contiguous().numpy()  # [C, L] -> [L, C]
        resampled = soxr.resample(channels_last, waveform.sample_rate_hz, sample_rate_hz, quality="VHQ")
        samples = torch.from_numpy(np.ascontiguousarray(resampled.T))  # [L, C] -> [C, L]
    lack = num_audio_samples - samples.shape[1]
    if lack:
        samples = torch.nn.functional.pad(samples, (0, lack))  # a negative lack cuts off
    return Waveform(samples, sample_rate_hz)


def mix_waveforms(waveforms: Sequence[Waveform]) -> Waveform:
    """Return the plain sum; a mono waveform sounds on both channels when another is stereo.

    The sum may exceed full scale: nothing is turned down or limited.

    Raises:
        ValueError: if there is nothing to sum, or rates, lengths or channels (other than mono with stereo) differ.
    """
    if not waveforms:
        raise ValueError("there is nothing to mix")
    rates = {waveform.sample_rate_hz for waveform in waveforms}
    lengths = {waveform.num_audio_samples for waveform in waveforms}
    channels = {waveform.num_channels for waveform in waveforms} - {1}
    for what, values in (("sample rates", rates), ("lengths", lengths), ("numbers of channels", channels)):
        if len(values) > 1:
            raise ValueError(f"waveforms of different {what} can't be mixed, got {sorted(values)}")
    num_channels = max(channels, default=1)
    total = torch.stack([waveform.samples.expand(num_channels, -1) for waveform in waveforms]).sum(0)  # N x [C, L]
    return Waveform(total, waveforms[0].sample_rate_hz)
