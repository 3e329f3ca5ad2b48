"""Does a stem play in its context's harmony?

Conventions: pitch class 0 is C. Audio scores compare what is heard in context and stem; note scores compare a stem's
notes with chords that are known because the piece was composed. Every score is better when higher.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from stemgen_core.analysis.fit import chroma_contrast
from stemgen_core.analysis.key import PITCHED_ABOVE, Chroma, chroma_at, estimate_key
from stemgen_core.evaluation.reference import load_mir_eval
from stemgen_core.score import Note


class Chord(Protocol):
    """A chord and when it holds; `stemgen_core.corpus.piece.ChordSpan` is one."""

    @property
    def start_s(self) -> float:
        """Seconds."""
        ...

    @property
    def end_s(self) -> float:
        """Seconds."""
        ...

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Root first."""
        ...


def validate(chords: Sequence[Chord]) -> None:
    """Check chords.

    Raises:
        ValueError: if a chord is empty, ends before it starts, holds what is no pitch class, or they overlap.
    """
    for chord in chords:
        if not chord.end_s > chord.start_s:
            raise ValueError(f"a chord must end after it starts, got {chord.start_s} to {chord.end_s} s")
        if not chord.pitch_classes or not set(chord.pitch_classes) <= set(range(12)):
            raise ValueError(f"a chord has pitch classes 0..11, got {chord.pitch_classes}")
    for first, second in pairwise(chords):
        if second.start_s < first.end_s - 1e-3:
            raise ValueError(f"chords overlap at {second.start_s} s")


def key_score(reference: Chroma, estimated: Chroma) -> float | None:
    """Return mir_eval's weighted key score (0, 0.2, 0.3, 0.5 or 1) of two sounds; None without pitch in either.

    Raises:
        MissingDependencyError: if mir_eval is not installed.
    """
    keys = [estimate_key(one) for one in (reference, estimated)]
    if keys[0] is None or keys[1] is None:
        return None
    return float(load_mir_eval().key.weighted_score(keys[0].label, keys[1].label))


def chord_tone_share(notes: Sequence[Note], chords: Sequence[Chord]) -> float | None:
    """Return the share (0..1) of the notes' time in which they are tones of the chord that holds then.

    None where no note sounds under a chord. Drums have no chord tones: don't ask.

    Raises:
        ValueError: if the chords are malformed.
    """
    return _share(notes, chords, only_root=False)


def root_share(notes: Sequence[Note], chords: Sequence[Chord]) -> float | None:
    """Return the share (0..1) of the notes' time in which they are the root of the chord that holds then.

    Raises:
        ValueError: if the chords are malformed.
    """
    return _share(notes, chords, only_root=True)


def _share(notes: Sequence[Note], chords: Sequence[Chord], *, only_root: bool) -> float | None:
    validate(chords)
    total_s = agreeing_s = 0.0
    for note in notes:
        for chord in chords:
            overlap_s = min(note.end_s, chord.end_s) - max(note.start_s, chord.start_s)
            if overlap_s > 0:
                wanted = chord.pitch_classes[:1] if only_root else chord.pitch_classes
                total_s += overlap_s
                agreeing_s += overlap_s * (note.pitch % 12 in wanted)
    return agreeing_s / total_s if total_s > 0 else None


def chord_energy_contrast(stem: Chroma, chords: Sequence[Chord]) -> float | None:
    """Return how much more of a stem's pitch energy lies on the known chords' tones than chance would put there.

    Returns:
        <= 1; 0 = chance, 1 = all of it; None without pitch or chords.

    Raises:
        ValueError: if the chords are malformed.
    """
    validate(chords)
    if stem.pitchedness < PITCHED_ABOVE:
        return None
    on_chord = by_chance = total = 0.0
    for chord in chords:
        energy = chroma_at(stem, chord.start_s, chord.end_s)
        total += float(energy.sum())
        on_chord += float(energy[list(set(chord.pitch_classes))].sum())
        by_chance += float(energy.sum()) * len(set(chord.pitch_classes)) / 12
    return (on_chord - by_chance) / (total - by_chance) if total > by_chance else None


def evaluate(
    context: Chroma,
    stem: Chroma,
    chords: Sequence[Chord] | None = None,
    notes: Sequence[Note] | None = None,
) -> dict[str, float | None]:
    """Return every score of this module.

    Args:
        context: what was listened to.
        stem: what was played to it.
        chords: the piece's own chords where they are known.
        notes: the stem's notes where they are known; none for drums.

    Returns:
        `chroma_contrast` (-12/11..12/11), `key_score` (0..1), `chord_energy` (<= 1), `chord_tone_share` (0..1),
        `root_share` (0..1); None where there was nothing to measure.
    """
    score = (notes, chords) if chords is not None and notes is not None else None
    return {
        "chroma_contrast": chroma_contrast(context, stem),
        "key_score": key_score(context, stem),
        "chord_energy": None if chords is None else chord_energy_contrast(stem, chords),
        "chord_tone_share": None if score is None else chord_tone_share(*score),
        "root_share": None if score is None else root_share(*score),
    }
