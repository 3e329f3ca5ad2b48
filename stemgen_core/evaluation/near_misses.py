"""How well does a score tell the stem that belongs to a context from one that nearly does?

Conventions: a *near miss* is a true stem put in the wrong place: another window of its own piece, a stem of the same
instrument of another piece, the stem itself shifted off the beat, or transposed. A score is better when higher; None
where it has nothing to say. Half means it can't tell; ties count one half, and so does what it has nothing to say on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from stemgen_core.errors import MissingDependencyError
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import Waveform

KINDS = ("other_piece", "other_window", "shifted", "transposed")
SHIFTS_BEATS = (0.15, 0.2, 0.3, 0.37, 0.43)  # none of them on a grid of sixteenths or triplets
TRANSPOSITIONS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 6)  # semitones


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stem that may or may not belong to a context.

    Attributes:
        instrument: a name of `stemgen_core.instruments`.
        audio: what it sounds like.
        notes: what is played.
    """

    instrument: str
    audio: Waveform
    notes: tuple[Note, ...]


PairScorer = Callable[[Waveform, Candidate], float | None]


def validate(true: np.ndarray, miss: np.ndarray) -> None:
    """Check scores.

    Raises:
        ValueError: if they are not two rows of one length, or one is infinite.
    """
    if true.ndim != 1 or true.shape != miss.shape:
        raise ValueError(f"scores must be two rows of one length, got shapes {true.shape} and {miss.shape}")
    if np.isinf(true).any() or np.isinf(miss).any():
        raise ValueError("scores must be finite, or nan where there is none")


def told_apart(true: np.ndarray, miss: np.ndarray) -> np.ndarray:
    """Return 1 for each case whose true stem scores higher than its near miss, 0 if lower, else 0.5.

    Args:
        true: float64 [N], of the true stem in its context; nan where the score has nothing to say.
        miss: float64 [N], of the near miss in the same context.

    Raises:
        ValueError: if scores are malformed.
    """
    validate(true, miss)
    is_unknown = np.isnan(true) | np.isnan(miss)
    return np.where(is_unknown | (true == miss), 0.5, (np.nan_to_num(true) > np.nan_to_num(miss)).astype(np.float64))


def area_under_curve(true: np.ndarray, miss: np.ndarray) -> float | None:
    """Return the chance that any true stem scores above any near miss of whatever case, 0..1; None without scores.

    Unlike `told_apart` it also asks whether one threshold serves all contexts.

    Raises:
        ValueError: if scores are malformed.
    """
    validate(true, miss)
    true, miss = true[~np.isnan(true)], miss[~np.isnan(miss)]
    if min(len(true), len(miss)) == 0:
        return None
    return float(((true[:, None] > miss) + 0.5 * (true[:, None] == miss)).mean())


def evaluate(true: np.ndarray, miss: np.ndarray) -> dict[str, float | None]:
    """Return every score of this module: `told_apart` (mean, 0..1; None without cases) and `area_under_curve`.

    Raises:
        ValueError: if scores are malformed.
    """
    apart = told_apart(true, miss)
    return {
        "told_apart": float(apart.mean()) if len(apart) else None,
        "area_under_curve": area_under_curve(true, miss),
    }


def shifted(stem: Candidate, seconds: float) -> Candidate:
    """Return a stem that starts later, its end wrapped round to the start."""
    duration_s, rate_hz = stem.audio.duration_s, stem.audio.sample_rate_hz
    moved = [replace(note, start_s=(note.start_s + seconds) % duration_s) for note in stem.notes]
    samples = torch.roll(stem.audio.samples, round(seconds * rate_hz), dims=1)
    return replace(stem, audio=Waveform(samples, rate_hz), notes=tuple(crop_notes(moved, 0.0, duration_s)))


def transposed(stem: Candidate, semitones: int) -> Candidate:
    """Return a stem in another key, at its tempo; notes that leave the keyboard stay where they are.

    Raises:
        MissingDependencyError: if pedalboard is not installed.
    """
    try:
        from pedalboard import PitchShift
    except ImportError as error:
        raise MissingDependencyError(
            "Transposing audio needs pedalboard. Install it with `pip install -r requirements-dev.txt`."
        ) from error
    shift = PitchShift(semitones=semitones)
    length = stem.audio.num_audio_samples
    # The stretcher answers late by less than it is padded with; what is too much at the end is cut off.
    samples = shift(stem.audio.samples.numpy(), stem.audio.sample_rate_hz)[:, :length]
    samples = np.pad(samples, ((0, 0), (0, length - samples.shape[1])))
    moved = tuple(
        replace(note, pitch=note.pitch + semitones if 0 <= note.pitch + semitones <= 127 else note.pitch)
        for note in stem.notes
    )
    return replace(stem, audio=Waveform(torch.from_numpy(samples), stem.audio.sample_rate_hz), notes=moved)


def score_all(scorer: PairScorer, contexts: Sequence[Waveform], stems: Sequence[Candidate | None]) -> np.ndarray:
    """Return the score of each pair, float64 [N]; nan where it has nothing to say or there is no stem.

    Raises:
        ValueError: if lengths differ.
    """
    if len(contexts) != len(stems):
        raise ValueError(f"got {len(contexts)} contexts and {len(stems)} stems")
    scores = [None if stem is None else scorer(context, stem) for context, stem in zip(contexts, stems, strict=True)]
    return np.array([np.nan if score is None else score for score in scores], np.float64)
