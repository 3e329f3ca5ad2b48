"""Chords and key of notes that come without them: an estimate, good enough for scores that compare with chance."""

from collections.abc import Sequence

import numpy as np

from stemgen_core.corpus.piece import ChordSpan
from stemgen_core.corpus.theory import MODES, QUALITIES
from stemgen_core.score import Note

_QUALITIES = ("", "m", "7", "maj7", "m7", "dim", "sus4")
# Plain triads are believed first; a seventh must sound to be one.
_PRIORS = {"": 0.05, "m": 0.05, "7": 0.0, "maj7": 0.0, "m7": 0.0, "dim": -0.05, "sus4": -0.05}
_CHANGE_COST = 0.22
_BASS_WEIGHT = 0.6
_BASS_BELOW = 52


def estimate_chords(notes: Sequence[Note], beats_s: Sequence[float], duration_s: float) -> tuple[ChordSpan, ...]:
    """Return the chords that fit pitched notes best, changing on beats.

    Each beat's pitch classes, weighted by how long they sound and again for the lowest, are compared with templates;
    the best path through the beats pays for each change.

    Args:
        notes: of all pitched stems, in any order.
        beats_s: where chords may change, ascending.
        duration_s: where the last chord ends.

    Returns:
        In order, without gaps, from the first beat; () where nothing sounds.
    """
    edges = [*[beat for beat in beats_s if beat < duration_s - 0.05], duration_s]
    if len(edges) < 2 or not notes:
        return ()
    profiles, roots = _profiles(notes, np.asarray(edges))
    if not profiles.any():
        return ()
    names = [(root, quality) for quality in _QUALITIES for root in range(12)]
    templates = np.zeros((len(names), 12))
    for number, (root, quality) in enumerate(names):
        tones = [(root + interval) % 12 for interval in QUALITIES[quality]]
        templates[number, tones] = 1
        templates[number] /= np.sqrt(len(tones))
    norms = np.linalg.norm(profiles, axis=1, keepdims=True)
    fit = profiles @ templates.T / np.maximum(norms, 1e-9)  # [beats, chords]
    fit += np.array([_PRIORS[quality] for _, quality in names])
    fit += 0.15 * roots[:, [root for root, _ in names]]
    path = _best_path(fit * (norms > 1e-6))
    spans: list[ChordSpan] = []
    for number, choice in enumerate(path):
        root, quality = names[choice]
        if spans and (spans[-1].root, spans[-1].quality) == (root, quality):
            start_s = spans.pop().start_s
        else:
            start_s = edges[number]
        tones = tuple((root + interval) % 12 for interval in QUALITIES[quality])
        spans.append(ChordSpan(start_s, edges[number + 1], root, quality, tones))
    return tuple(spans)


def _profiles(notes: Sequence[Note], edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how long each pitch class sounds in each beat, and which is lowest, [beats, 12] each."""
    num_beats = len(edges) - 1
    profiles, roots = np.zeros((num_beats, 12)), np.zeros((num_beats, 12))
    lowest = np.full(num_beats, 200)
    for note in notes:
        first = max(0, int(np.searchsorted(edges, note.start_s + 0.03, "right")) - 1)
        last = min(num_beats - 1, int(np.searchsorted(edges, note.end_s - 0.03)) - 1)
        for beat in range(first, last + 1):
            overlap_s = min(note.end_s, edges[beat + 1]) - max(note.start_s, edges[beat])
            if overlap_s <= 0:
                continue
            weight = overlap_s * (1 + _BASS_WEIGHT * (note.pitch < _BASS_BELOW))
            profiles[beat, note.pitch % 12] += weight
            if note.pitch < lowest[beat]:
                lowest[beat] = note.pitch
    playing = np.flatnonzero(lowest < 200)
    roots[playing, lowest[playing] % 12] = 1
    return profiles, roots


def _best_path(fit: np.ndarray) -> list[int]:
    """Return the choice per row with the greatest sum, each change costing a little."""
    total, back = fit[0].copy(), []
    for row in fit[1:]:
        best = int(total.argmax())
        stay = total >= total[best] - _CHANGE_COST
        back.append(np.where(stay, np.arange(len(total)), best))
        total = np.where(stay, total, total[best] - _CHANGE_COST) + row
    path = [int(total.argmax())]
    for choices in reversed(back):
        path.append(int(choices[path[-1]]))
    return path[::-1]


def estimate_key(notes: Sequence[Note]) -> tuple[int, str] | None:
    """Return the pitch class and mode of the scale that holds most of the notes; None without notes.

    Of scales that hold the same notes, the one whose tonic and fifth sound most is taken.
    """
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += min(note.duration_s, 1.0)
    if not weights.any():
        return None
    weights /= weights.sum()

    def fit(key: int, mode: str) -> float:
        scale = [(key + interval) % 12 for interval in MODES[mode]]
        return float(weights[scale].sum() + 0.6 * weights[key] + 0.3 * weights[(key + 7) % 12])

    return max(((key, mode) for key in range(12) for mode in MODES), key=lambda pair: fit(*pair))
