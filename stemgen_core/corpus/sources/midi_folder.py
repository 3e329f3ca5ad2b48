"""A folder of MIDI as a source: windows of songs, transposed, at other tempos, on other instruments."""

import hashlib
import random
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from stemgen_core.corpus.piece import Piece, StemScore
from stemgen_core.corpus.sources.chord_estimate import estimate_chords, estimate_key
from stemgen_core.corpus.sources.midi_reading import MidiPart, MidiSong, read_midi
from stemgen_core.corpus.sources.source import (
    CORPUS_SOUND,
    Song,
    SourcedPiece,
    Split,
    digest_of,
    need_songs,
    split_songs,
    without_copies,
)
from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import find_instrument, instrument_of_program
from stemgen_core.score import Note, crop_notes
from stemgen_core.types import SoundFormat

_SUFFIXES = (".mid", ".midi", ".smf", ".kar")
_LICENCE_NAMES = ("license", "licence", "copying", "copyright", "readme")
_LEAST_NOTES, _MOST_STEMS, _LEAST_STEMS = 4, 9, 2
_TRANSPOSITIONS = range(-5, 7)
_TEMPO_FACTORS = (0.85, 1.18)
_NEW_PROGRAM_CHANCE = 0.4
_LEFT_OUT = ("sound_effects",)
# Within these a part may move; a nylon guitar never becomes a distorted one.
_KINDS: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (4, 5), (8, 9, 10, 14), (11, 12, 13), (16, 17, 18), (19, 20), (21, 22, 23), (24, 25), (26, 27, 28)),
    *((29, 30), (32,), (33, 34, 35), (36, 37), (38, 39), (40, 41), (42, 43), (48, 49), (50, 51), (52, 53, 54)),
    *((56, 59), (57, 58, 60), (61, 62, 63), (64, 65, 66, 67), (68, 69, 70, 71), (72, 73, 74, 75), tuple(range(80, 88))),
    *(tuple(range(88, 96)), tuple(range(96, 104)), (104, 105, 106, 107)),
)
_LOWEST_PITCH, _HIGHEST_PITCH = 24, 103


@dataclass(frozen=True)
class MidiFile(Song):
    """A MIDI file that two stems or more can be had from.

    Attributes:
        path: of the file.
    """

    path: Path = Path()


@lru_cache(maxsize=16)
def _read(path: Path) -> MidiSong:
    return read_midi(path)


def fingerprint_of(song: MidiSong) -> str:
    """Return a digest of what is played in steps of an eighth, whatever the key, the tempo or the instruments."""
    step_s = 30 / song.tempo_bpm
    lines = set()
    for part in song.parts:
        first = part.notes[0]
        base = 0 if part.is_drums else first.pitch
        lines.add(tuple((round((n.start_s - first.start_s) / step_s), n.pitch - base) for n in part.notes))
    return hashlib.blake2b(repr(sorted(lines)).encode(), digest_size=12).hexdigest()


class MidiFolder:
    """See the module's docstring.

    Args:
        folder: searched with all folders below it.

    Raises:
        InvalidRequestError: if it isn't there or holds nothing of use.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidRequestError(f"There is no folder {folder} to read MIDI from.")
        self.folder = folder
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
        self.num_unusable = 0
        songs = []
        for path in paths:
            try:
                song = read_midi(path)
            except InvalidRequestError:
                # A broken file among thousands is no reason to stop; the manifest says how many there were.
                self.num_unusable += 1
                continue
            if len(_playable(song)) < _LEAST_STEMS:
                self.num_unusable += 1
                continue
            songs.append(MidiFile(str(path.relative_to(folder)), fingerprint_of(song), None, path))
        self.songs = without_copies(songs)
        self.num_copies = len(songs) - len(self.songs)
        need_songs(self.songs, f"{folder}: it holds {len(paths)} MIDI files, none with two parts or more")
        self._parts = split_songs(self.songs)

    def has(self, split: Split) -> bool:
        """Whether there is a song of a split."""
        return bool(self._parts[split])

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        return {
            "kind": "midi",
            "name": self.folder.name,
            "num_songs": len(self.songs),
            "num_copies": self.num_copies,
            "num_unusable": self.num_unusable,
            "digest": digest_of(self.songs),
            "licences": licences_in(self.folder),
        }

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a window of a song; see `PieceSource`."""
        rng = random.Random(f"{seed}:midi")
        entry = rng.choice(self._parts[split])
        song = _read(entry.path)
        return SourcedPiece(piece_of_song(song, entry.title, seed, duration_s, rng, genre=_genre_of(entry)))


def _genre_of(entry: MidiFile) -> str:
    return entry.path.parent.name.lower().replace(" ", "_") or "midi"


def licences_in(folder: Path) -> dict[str, str]:
    """Return what is said of a folder's rights, by path relative to it.

    These are the first lines of what looks like a licence, here and one folder below. Where there is none, they are the
    lines beside the folder that name it: a collection often lists its parts in one file.
    """
    found = {
        str(path.relative_to(folder)): " ".join(_lines(path)[:3])[:300]
        for path in sorted([*folder.glob("*"), *folder.glob("*/*")])
        if _tells_rights(path)
    }
    if found:
        return found
    name = re.compile(rf"(?<!\w){re.escape(folder.resolve().name)}(?!\w)")
    beside = {path: [line for line in _lines(path) if name.search(line)] for path in _licences_beside(folder)}
    return {f"../{path.name}": " ".join(lines)[:300] for path, lines in beside.items() if lines}


def _licences_beside(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.resolve().parent.glob("*")) if _tells_rights(path)]


def _tells_rights(path: Path) -> bool:
    is_text = path.suffix.lower() in ("", ".md", ".txt")
    return is_text and path.stem.lower().startswith(_LICENCE_NAMES) and path.is_file()


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _playable(song: MidiSong) -> list[MidiPart]:
    """Return the parts with enough notes whose program is an instrument."""
    return [
        part
        for part in song.parts
        if len(part.notes) >= _LEAST_NOTES
        and (part.is_drums or instrument_of_program(part.program).name not in _LEFT_OUT)
    ]


def piece_of_song(
    song: MidiSong, title: str, seed: int, duration_s: float, rng: random.Random, *, genre: str, is_varied: bool = True
) -> Piece:
    """Cut a window where much plays, and vary it.

    Args:
        song: what was read.
        title: what the piece is called.
        seed: of the piece.
        duration_s: of the window; what is left of a shorter song.
        rng: all chance comes from it.
        genre: what the piece says of itself.
        is_varied: False leaves key, tempo and instruments as they are.
    """
    parts = _playable(song)
    factor = rng.uniform(*_TEMPO_FACTORS) if is_varied else 1.0  # > 1 is slower
    semitones = _transposition(parts, rng) if is_varied else 0
    length_s = min(duration_s / factor, song.end_s)
    start_s = _choose_start(song, parts, length_s, rng)
    stems = []
    for part in parts:
        cut = crop_notes(part.notes, start_s, start_s + length_s)
        if len(cut) >= _LEAST_NOTES:
            shift = 0 if part.is_drums else semitones
            notes = tuple(
                Note(n.start_s * factor, min(127, max(0, n.pitch + shift)), n.duration_s * factor, n.velocity)
                for n in cut
            )
            stems.append(_stem(part, notes, rng, is_varied=is_varied))
    stems = sorted(stems, key=lambda stem: -len(stem.notes))[:_MOST_STEMS]
    beats_s = tuple((beat - start_s) * factor for beat in song.beats_s if 0 <= beat - start_s < length_s)
    pitched = [note for stem in stems if stem.instrument != "drums" for note in stem.notes]
    key = estimate_key(pitched)
    return Piece(
        seed=seed,
        genre=genre,
        tempo_bpm=song.tempo_bpm / factor,
        beats_per_bar=song.beats_per_bar,
        key_pitch_class=key[0] if key else None,
        mode=key[1] if key else None,
        chords=estimate_chords(pitched, beats_s, length_s * factor),
        beat_times_s=beats_s,
        downbeat_times_s=tuple((b - start_s) * factor for b in song.downbeats_s if 0 <= b - start_s < length_s),
        stems=_with_names(stems),
        duration_s=length_s * factor,
        source="midi",
        title=title,
    )


def _transposition(parts: list[MidiPart], rng: random.Random) -> int:
    """Draw a transposition that keeps all notes on ordinary keys."""
    pitches = [note.pitch for part in parts if not part.is_drums for note in part.notes]
    if not pitches:
        return 0
    low, high = min(pitches), max(pitches)
    fitting = [step for step in _TRANSPOSITIONS if low + step >= _LOWEST_PITCH and high + step <= _HIGHEST_PITCH]
    return rng.choice(fitting or [0])


def _choose_start(song: MidiSong, parts: list[MidiPart], length_s: float, rng: random.Random) -> float:
    """Return where a window begins: near a downbeat, among the places where most parts play."""
    last_s = song.end_s - length_s
    places = [downbeat for downbeat in song.downbeats_s if downbeat <= last_s + 1e-6] or [max(0.0, last_s)]
    places = rng.sample(places, min(12, len(places)))

    def activity(start_s: float) -> int:
        return sum(sum(start_s <= n.start_s < start_s + length_s for n in part.notes) >= _LEAST_NOTES for part in parts)

    counts = {place: activity(place) for place in places}
    most = max(counts.values())
    chosen = rng.choice([place for place in places if counts[place] >= max(_LEAST_STEMS, most - 1)] or places)
    return max(0.0, min(last_s, chosen + rng.choice((0.0, rng.uniform(0, 2)))))


def _stem(part: MidiPart, notes: tuple[Note, ...], rng: random.Random, *, is_varied: bool) -> StemScore:
    if part.is_drums:
        return StemScore(
            "drums", "drums", part.program if not is_varied else rng.choice((0, 8, 16, 24, 25, 40)), notes, "midi"
        )
    program = part.program
    if is_varied and rng.random() < _NEW_PROGRAM_CHANCE:
        program = rng.choice(next((kind for kind in _KINDS if program in kind), (program,)))
    name = instrument_of_program(program).name
    return StemScore(find_instrument(name).name, name, program, notes, "midi")


def _with_names(stems: list[StemScore]) -> tuple[StemScore, ...]:
    """Return the stems with names that differ."""
    counts: dict[str, int] = {}
    named = []
    for stem in stems:
        counts[stem.instrument] = counts.get(stem.instrument, 0) + 1
        number = counts[stem.instrument]
        named.append(replace(stem, name=stem.instrument if number == 1 else f"{stem.instrument}-{number}"))
    return tuple(named)
