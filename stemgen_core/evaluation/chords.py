"""Which triads sound, and whether stem and context mean the same chord.

Conventions: a triad is 0..11 major on that pitch class, 12..23 minor, -1 none. Triads are heard second by second where
no chords are known. Scores are mir_eval's, weighted by time.
"""

from collections.abc import Sequence

import numpy as np

from stemgen_core.analysis.key import PITCHED_ABOVE, Chroma, chroma_at
from stemgen_core.evaluation.harmony import Chord
from stemgen_core.evaluation.harmony import validate as validate_chords
from stemgen_core.evaluation.reference import load_mir_eval

NUM_TRIADS = 24
SPAN_S = 1.0
_MIN_CORRELATION = 0.4
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")  # as mir_eval spells them
_DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "#5", "6", "b7", "7")
_TEMPLATES = np.zeros((NUM_TRIADS, 12))
for _root in range(12):
    _TEMPLATES[_root, [_root, (_root + 4) % 12, (_root + 7) % 12]] = 1
    _TEMPLATES[12 + _root, [_root, (_root + 3) % 12, (_root + 7) % 12]] = 1


def validate(classes: np.ndarray) -> None:
    """Check the strength of pitch classes.

    Raises:
        ValueError: if they are not 12 finite numbers >= 0.
    """
    if classes.shape != (12,) or not np.isfinite(classes).all() or (classes < 0).any():
        raise ValueError(f"pitch classes must be 12 finite numbers >= 0, got shape {classes.shape}")


def triad_of(classes: np.ndarray) -> int:
    """Return the triad whose tones correlate best with the strength of 12 pitch classes; -1 where none does.

    Raises:
        ValueError: if the strengths are malformed.
    """
    validate(classes)
    if classes.sum() <= 0 or np.ptp(classes) == 0:
        return -1
    correlation = np.atleast_2d(np.corrcoef(np.vstack([_TEMPLATES, classes])))[-1, :-1]
    best = int(correlation.argmax())
    return best if correlation[best] >= _MIN_CORRELATION else -1


def triads_over_time(pitches: Chroma) -> np.ndarray:
    """Return the triad of each second, int64 [seconds]; -1 where none is heard."""
    num_spans = max(1, round(len(pitches.energy) / pitches.frame_rate_hz / SPAN_S))
    return np.array([triad_of(chroma_at(pitches, SPAN_S * n, SPAN_S * (n + 1))) for n in range(num_spans)])


def chord_agreement(context: Chroma, stem: Chroma, chords: Sequence[Chord] | None = None) -> float | None:
    """Return for how much of the time the stem's triad has the root and third of the context's chord, 0..1.

    Where the stem sounds one note at a time its triad is a guess from few tones, so compare with true pairs only.

    Args:
        context: what was listened to.
        stem: what was played to it.
        chords: the piece's own, which replace those heard in the context.

    Returns:
        mir_eval's `thirds` score, weighted by time; None where either is unpitched or no chord is heard in both.

    Raises:
        ValueError: if chords are malformed.
        MissingDependencyError: if mir_eval is not installed.
    """
    if stem.pitchedness < PITCHED_ABOVE or (chords is None and context.pitchedness < PITCHED_ABOVE):
        return None
    if chords is None:
        wanted = [(SPAN_S * n, SPAN_S * (n + 1), _triad_label(one)) for n, one in enumerate(triads_over_time(context))]
    else:
        validate_chords(chords)
        wanted = [(chord.start_s, chord.end_s, label_of(chord.pitch_classes)) for chord in chords]
    played = [_triad_label(triad_of(chroma_at(stem, start_s, end_s))) for start_s, end_s, _ in wanted]
    pairs = [(end_s - start_s, label, found) for (start_s, end_s, label), found in zip(wanted, played, strict=True)]
    pairs = [pair for pair in pairs if "N" not in pair[1:]]
    if not pairs:
        return None
    module = load_mir_eval().chord
    comparisons = module.thirds([label for _, label, _ in pairs], [found for _, _, found in pairs])
    return float(module.weighted_accuracy(comparisons, np.array([seconds for seconds, _, _ in pairs])))


def label_of(pitch_classes: Sequence[int]) -> str:
    """Return mir_eval's label of a chord by its tones, root first, such as `A:(1,b3,5)`."""
    root = pitch_classes[0]
    degrees = sorted({(tone - root) % 12 for tone in pitch_classes})
    return f"{_NAMES[root]}:({','.join(_DEGREES[degree] for degree in degrees)})"


def _triad_label(triad: int) -> str:
    return "N" if triad < 0 else f"{_NAMES[triad % 12]}:{'min' if triad >= 12 else 'maj'}"


def evaluate(context: Chroma, stem: Chroma, chords: Sequence[Chord] | None = None) -> dict[str, float | None]:
    """Return every score of this module: `chord_agreement` (0..1).

    Raises:
        ValueError: if chords are malformed.
        MissingDependencyError: if mir_eval is not installed.
    """
    return {"chord_agreement": chord_agreement(context, stem, chords)}
