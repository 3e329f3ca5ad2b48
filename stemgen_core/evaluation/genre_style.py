"""Does a stem play like a genre? Judged by its notes alone: how dense, how syncopated, how high, how short.

A classifier that has to name one genre of 24 from ten seconds of one stem is lost: neighbours share their bass lines.
Asked is therefore how far up the genre comes when all are ordered by how well they explain the stem (`rank_of`), and
whether of two stems for the same context the one that was asked for a genre leans towards it (`leaning`).

Conventions: notes are those of a window, seconds from its start; beats are those of the piece in the same seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stemgen_core.instruments import find_instrument
from stemgen_core.score import Note

MIN_NOTES, MIN_BEATS = 4, 4
MIN_STEMS = 4  # of a genre and kind of part, to know how it is played
SHRINKAGE = 0.2  # of the covariance towards its diagonal
ON_BEAT = 0.12  # of a beat
Features = npt.NDArray[np.float64]


def kind_of(instrument: str) -> str:
    """Return which parts are compared with each other: drums, basses, or all that play above."""
    if find_instrument(instrument).is_drums:
        return "drums"
    return "bass" if instrument == "bass" else "pitched"


def describe(notes: Sequence[Note], beat_times_s: Sequence[float]) -> Features | None:
    """Return how a stem is played, float64 [F]; None where there is too little of it to say.

    Args:
        notes: of the window.
        beat_times_s: ascending.
    """
    if len(notes) < MIN_NOTES or len(beat_times_s) < MIN_BEATS:
        return None
    ordered = sorted(notes)
    beats = np.asarray(beat_times_s, np.float64)
    beat_s = float(np.median(np.diff(beats)))
    starts = np.array([note.start_s for note in ordered])
    onsets = np.unique(np.round(starts, 2))
    phase = np.interp(onsets, beats, np.arange(len(beats)), left=np.nan, right=np.nan) % 1
    phase = phase[np.isfinite(phase)]
    pitches = np.array([note.pitch for note in ordered], np.float64)
    lengths = np.array([note.duration_s for note in ordered]) / beat_s
    gaps = np.diff(onsets) / beat_s
    halves = phase[(phase > 0.35) & (phase < 0.75)]
    shares = [
        _share(np.minimum(phase, 1 - phase) < ON_BEAT),
        _share(np.abs(phase - 0.5) < ON_BEAT),
        _share(np.minimum(np.abs(phase - 0.25), np.abs(phase - 0.75)) < ON_BEAT / 2),
        _share(np.abs(phase - 2 / 3) < ON_BEAT / 2),
    ]
    spread = [float(np.log(gaps.mean())), float(gaps.std() / gaps.mean())] if len(gaps) else [1.0, 0.0]
    kit = [_share(pitches < 37), _share((pitches >= 37) & (pitches <= 40)), _share((pitches == 42) | (pitches == 44))]
    return np.array(
        [
            np.log(len(onsets) * beat_s / (beats[-1] - beats[0] + beat_s)),  # how often
            len(ordered) / len(onsets),  # how many at once
            pitches.mean(),
            pitches.std(),
            len(np.unique(pitches % 12)),
            _share(np.diff(pitches) == 0),
            np.log(np.median(lengths) + 0.02),  # how short
            float(halves.mean()) if len(halves) else 0.5,  # how swung
            *shares,
            *spread,
            *kit,
        ]
    )


@dataclass(frozen=True)
class GenreStyles:
    """How the genres of a corpus are played, by kind of part.

    Attributes:
        means: per kind and genre float64 [F].
        precisions: per kind float64 [F, F], the inverse of what stems of one genre vary by.
    """

    means: Mapping[str, Mapping[str, Features]]
    precisions: Mapping[str, Features]

    @classmethod
    def learn(cls, stems: Sequence[tuple[str, str, Features]]) -> "GenreStyles":
        """Learn from true stems: instrument, genre, description of each.

        Raises:
            ValueError: if no kind of part has two genres with enough stems.
        """
        means, precisions = {}, {}
        for kind in sorted({kind_of(instrument) for instrument, _, _ in stems}):
            by_genre: dict[str, list[Features]] = {}
            for instrument, genre, features in stems:
                if kind_of(instrument) == kind:
                    by_genre.setdefault(genre, []).append(features)
            known = {genre: np.stack(rows) for genre, rows in by_genre.items() if len(rows) >= MIN_STEMS}
            if len(known) < 2:
                continue
            means[kind] = {genre: rows.mean(0) for genre, rows in known.items()}
            within = np.concatenate([rows - rows.mean(0) for rows in known.values()])
            covariance = np.cov(within.T) + 1e-6 * np.eye(within.shape[1])
            shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance))
            precisions[kind] = np.linalg.inv(shrunk)
        if not means:
            raise ValueError(f"need two genres with {MIN_STEMS} stems of a kind, got {len(stems)} stems in all")
        return cls(means, precisions)

    def knows(self, instrument: str, genre: str) -> bool:
        """Whether it is known how a genre is played on such an instrument."""
        return genre in self.means.get(kind_of(instrument), {})

    def likeness(self, instrument: str, features: Features, genre: str) -> float:
        """Return how well a genre explains a stem; only differences between genres mean something."""
        kind = kind_of(instrument)
        away = features - self.means[kind][genre]
        return float(-away @ self.precisions[kind] @ away / 2)

    def rank_of(self, instrument: str, features: Features, genre: str) -> float:
        """Return the share of the other genres that explain a stem less well than this one: 0..1, 0.5 by chance."""
        own = self.likeness(instrument, features, genre)
        others = [name for name in self.means[kind_of(instrument)] if name != genre]
        return float(np.mean([self.likeness(instrument, features, name) < own for name in others]))

    def leaning(self, instrument: str, features: Features, towards: str, away_from: str) -> float:
        """Return by how much better one genre explains a stem than another."""
        return self.likeness(instrument, features, towards) - self.likeness(instrument, features, away_from)


def _share(which: npt.NDArray[np.bool_]) -> float:
    return float(which.mean()) if which.size else 0.0
