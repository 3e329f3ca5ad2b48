"""What a corpus is like, measured on its notes: does it hold together, and how wide is it?

Conventions: ratios are 0..1 and counted over notes; a note is judged against the chord that holds 50 ms after its
onset, because players are early now and then; a bass meets a kick within 30 ms.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from stemgen_core.corpus.piece import ChordSpan, Piece, StemScore
from stemgen_core.score import Note

KICK_KEYS = (35, 36)
_TOGETHER_S = 0.03
_APART_S = 0.083  # no note value of any tempo
_SETTLED_S = 0.05
_MELODIC = ("melody", "line", "theme", "riff")


@dataclass
class CorpusReport:
    """Counts and ratios over pieces; see the module's docstring.

    Attributes:
        num_pieces, num_stems, num_notes: how many.
        num_unlike: pieces whose fingerprint no other piece has.
        genres, meters, modes, starts, instruments, styles, tempos: how often; tempos by twenties.
        num_key_changes: pieces that modulate.
        num_borrowed: pieces with a chord from outside their scale.
        chord_tones: share of notes on chord tones, by part.
        bass_on_root: share of chords that the bass begins on the root.
        bass_meets_kick: share of kicks that a bass note meets.
        bass_meets_shifted_kick: the same after shifting the bass by 83 ms: chance.
        notes_per_second: by part, over the piece.
        sounding_share: share of seconds in which a stem plays, mean over stems.
    """

    num_pieces: int = 0
    num_stems: int = 0
    num_notes: int = 0
    num_unlike: int = 0
    num_key_changes: int = 0
    num_borrowed: int = 0
    genres: dict[str, int] = field(default_factory=dict)
    meters: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    instruments: dict[str, int] = field(default_factory=dict)
    styles: dict[str, int] = field(default_factory=dict)
    tempos: dict[str, int] = field(default_factory=dict)
    chord_tones: dict[str, float] = field(default_factory=dict)
    bass_on_root: float = 0.0
    bass_meets_kick: float = 0.0
    bass_meets_shifted_kick: float = 0.0
    notes_per_second: dict[str, float] = field(default_factory=dict)
    sounding_share: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def fingerprint(piece: Piece) -> str:
    """Return a short hash of what is played, whatever its key and tempo: alike pieces have the same one.

    Onsets are counted in sixteenths of a beat from the first one, keys from the first of the stem; instruments,
    velocities and timing below that do not count.
    """
    step_s = 60 / piece.tempo_bpm / 4 if piece.tempo_bpm else 0.125
    lines = []
    for stem in piece.stems:
        if not stem.notes:
            continue
        first_s, first_pitch = stem.notes[0].start_s, 0 if stem.instrument == "drums" else stem.notes[0].pitch
        lines.append(tuple((round((n.start_s - first_s) / step_s), n.pitch - first_pitch) for n in stem.notes))
    return hashlib.blake2b(repr(sorted(lines)).encode(), digest_size=12).hexdigest()


def part_of(stem: StemScore) -> str:
    """Return which part a stem plays: "drums", "percussion", "bass", "lead", or "chords"."""
    if stem.instrument == "drums":
        return "percussion" if stem.style == "percussion" else "drums"
    if stem.instrument == "bass":
        return "bass"
    return "lead" if stem.style in _MELODIC else "chords"


def chord_at(chords: tuple[ChordSpan, ...], time_s: float) -> ChordSpan | None:
    """Return the chord that holds at a time; None before the first or where there are none."""
    index = bisect_right(chords, time_s, key=lambda chord: chord.start_s) - 1
    return chords[index] if index >= 0 else None


class _Tally:
    """Counts hits among trials by name."""

    def __init__(self) -> None:
        self.hits: dict[str, float] = defaultdict(float)
        self.trials: dict[str, float] = defaultdict(float)

    def add(self, name: str, hits: float, trials: float) -> None:
        self.hits[name] += hits
        self.trials[name] += trials

    def ratio(self, name: str) -> float:
        return self.hits[name] / self.trials[name] if self.trials[name] else 0.0


def measure_corpus(pieces: Iterable[Piece]) -> CorpusReport:
    """Measure pieces, composed or read; audio is not needed."""
    report, tally, prints = CorpusReport(), _Tally(), Counter[str]()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for piece in pieces:
        report.num_pieces += 1
        report.num_stems += len(piece.stems)
        report.num_notes += sum(len(stem.notes) for stem in piece.stems)
        report.num_key_changes += bool(piece.key_changes)
        report.num_borrowed += _is_coloured(piece)
        prints[fingerprint(piece)] += 1
        counts["genres"][piece.genre] += 1
        counts["meters"][{4: "4/4", 3: "3/4", 2: "6/8"}.get(piece.beats_per_bar or 0, "unknown")] += 1
        counts["modes"][piece.mode or "unknown"] += 1
        counts["starts"][piece.start or "unknown"] += 1
        tempo = f"{int(piece.tempo_bpm // 20) * 20}-{int(piece.tempo_bpm // 20) * 20 + 19}" if piece.tempo_bpm else "?"
        counts["tempos"][tempo] += 1
        for stem in piece.stems:
            counts["instruments"][stem.instrument] += 1
            counts["styles"][stem.style] += 1
        _measure_playing(piece, tally)
    for name, counter in counts.items():
        setattr(report, name, dict(sorted(counter.items(), key=_by_number if name == "tempos" else _by_count)))
    report.num_unlike = sum(number == 1 for number in prints.values())
    parts = ("bass", "chords", "lead")
    report.chord_tones = {part: tally.ratio(f"tones:{part}") for part in parts}
    report.notes_per_second = {part: tally.ratio(f"density:{part}") for part in ("drums", "percussion", *parts)}
    report.bass_on_root = tally.ratio("root")
    report.bass_meets_kick, report.bass_meets_shifted_kick = tally.ratio("kick"), tally.ratio("shifted")
    report.sounding_share = tally.ratio("sounding")
    return report


def _by_count(item: tuple[str, int]) -> tuple[float, str]:
    return -item[1], item[0]


def _by_number(item: tuple[str, int]) -> tuple[float, str]:
    number = item[0].partition("-")[0]
    return (float(number) if number.isdigit() else 1e9), item[0]


def _is_coloured(piece: Piece) -> bool:
    from stemgen_core.corpus.theory import scale_pitch_classes

    if piece.key_pitch_class is None or piece.mode is None:
        return False
    changes = [
        (0.0, piece.key_pitch_class),
        *((change.start_s, change.key_pitch_class) for change in piece.key_changes),
    ]
    for (start_s, key), (end_s, _) in pairwise([*changes, (piece.duration_s, 0)]):
        scale = set(scale_pitch_classes(key, piece.mode))
        inside = [chord for chord in piece.chords if start_s - 0.1 <= chord.start_s < end_s - 0.1]
        if any(not set(chord.pitch_classes) <= scale for chord in inside):
            return True
    return False


def _measure_playing(piece: Piece, tally: _Tally) -> None:
    drums = [stem for stem in piece.stems if part_of(stem) == "drums"]
    kicks = [note.start_s for stem in drums for note in stem.notes if note.pitch in KICK_KEYS]
    for stem in piece.stems:
        if not stem.notes:
            continue
        part = part_of(stem)
        tally.add(f"density:{part}", len(stem.notes), piece.duration_s)
        tally.add("sounding", *_sounding(stem.notes, piece.duration_s))
        if part in ("drums", "percussion"):
            continue
        if piece.has_harmony:
            judged = [(note, chord_at(piece.chords, note.start_s + _SETTLED_S)) for note in stem.notes]
            hits = sum(chord is not None and note.pitch % 12 in chord.pitch_classes for note, chord in judged)
            tally.add(f"tones:{part}", hits, len(judged))
        if part == "bass":
            onsets = [note.start_s for note in stem.notes]
            tally.add("kick", sum(_is_near(onsets, kick) for kick in kicks), len(kicks))
            tally.add("shifted", sum(_is_near(onsets, kick - _APART_S) for kick in kicks), len(kicks))
            for chord in piece.chords:
                begun = [note for note in stem.notes if abs(note.start_s - chord.start_s) < 0.04]
                if begun:
                    tally.add("root", begun[-1].pitch % 12 == chord.root, 1)


def _is_near(onsets: list[float], time_s: float) -> bool:
    index = bisect_left(onsets, time_s - _TOGETHER_S)
    return index < len(onsets) and onsets[index] <= time_s + _TOGETHER_S


def _sounding(notes: tuple[Note, ...], duration_s: float) -> tuple[int, int]:
    """Return in how many seconds of a piece a stem plays, and how many there are."""
    seconds = {second for note in notes for second in range(int(note.start_s), int(note.end_s) + 1)}
    total = max(1, int(duration_s))
    return len({second for second in seconds if second < total}), total


def report_lines(report: CorpusReport) -> list[str]:
    """Return the report for people to read."""

    def table(counts: dict[str, int]) -> str:
        return ", ".join(f"{name} {number}" for name, number in counts.items())

    def ratios(values: dict[str, float]) -> str:
        return ", ".join(f"{name} {value:.2f}" for name, value in values.items())

    return [
        f"pieces            {report.num_pieces}, of which {report.num_unlike} are like no other",
        f"stems             {report.num_stems} ({report.num_stems / max(1, report.num_pieces):.1f} a piece)",
        f"genres            {table(report.genres)}",
        f"tempo             {table(report.tempos)}",
        f"metre             {table(report.meters)}",
        f"mode              {table(report.modes)}",
        f"written from      {table(report.starts)}",
        f"harmony           {report.num_borrowed} pieces leave their scale, {report.num_key_changes} change key",
        f"instruments       {table(report.instruments)}",
        f"chord tones       {ratios(report.chord_tones)}",
        f"bass on roots     {report.bass_on_root:.2f} of the chords it begins",
        f"bass meets kick   {report.bass_meets_kick:.2f}, by chance {report.bass_meets_shifted_kick:.2f}",
        f"notes a second    {ratios(report.notes_per_second)}",
        f"a stem plays      {report.sounding_share:.2f} of the seconds",
    ]
