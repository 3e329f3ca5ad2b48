"""Audio as a picture: frequency in equal steps of pitch, loudness as colour."""

import io

import numpy as np
import numpy.typing as npt
import scipy.signal

# Dark to light with rising lightness, so that it reads without colour too.
_COLOURS = np.array(
    [(8, 8, 20), (40, 18, 80), (110, 30, 105), (180, 50, 85), (235, 105, 55), (252, 180, 70), (252, 248, 200)]
)
_RANGE_DB = 75.0
_WINDOW_S = 0.08
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 14_000.0


def spectrogram_png(
    samples: npt.NDArray[np.float32], sample_rate_hz: int, *, width: int = 868, height: int = 160
) -> bytes:
    """Return a PNG with time from left to right and 40 Hz to 14 kHz from bottom to top.

    Args:
        samples: float32 [L] or [C, L]; channels are averaged.
        sample_rate_hz: audio samples per second.
        width: pixels.
        height: pixels.

    Raises:
        ValueError: if there is no sample.
    """
    from PIL import Image

    mono = np.atleast_2d(samples).mean(axis=0)
    if mono.size == 0:
        raise ValueError("samples must not be empty")
    size = 1 << round(np.log2(_WINDOW_S * sample_rate_hz))
    padded = np.pad(mono, size // 2)
    starts = np.minimum(np.arange(width) * mono.size // width, padded.size - size)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * scipy.signal.get_window("hann", size)
    power = np.square(np.abs(np.fft.rfft(frames))).T  # [bins, width]
    edges_hz = np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, sample_rate_hz / 2), height + 1)
    bins = np.arange(power.shape[0]) * sample_rate_hz / size
    # Below, rows are narrower than a bin and are interpolated; above they hold several and take the loudest.
    centres = np.sqrt(edges_hz[1:] * edges_hz[:-1])
    rows = np.empty((height, width))
    for row in range(height):
        low, high = np.searchsorted(bins, edges_hz[row : row + 2])
        if high - low >= 2:
            rows[row] = power[low:high].max(axis=0)
        else:
            position = centres[row] * size / sample_rate_hz
            below = min(int(position), power.shape[0] - 2)
            rows[row] = power[below] + (position - below) * (power[below + 1] - power[below])
    level_db = 10 * np.log10(np.maximum(rows, 1e-12))
    loudness = np.clip(1 + (level_db - max(level_db.max(), -40.0)) / _RANGE_DB, 0, 1)
    indices = np.round(loudness[::-1] * 255).astype(np.uint8)
    positions = np.linspace(0, len(_COLOURS) - 1, 256)
    palette = np.stack([np.interp(positions, np.arange(len(_COLOURS)), _COLOURS[:, c]) for c in range(3)], axis=1)
    image = Image.fromarray(indices)
    image.putpalette(palette.astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
