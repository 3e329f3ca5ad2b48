"""Drummers as a source: performances of the Groove MIDI Dataset, each with a band composed to it.

A performance alone has no second part to listen to. So its tempo, its swing and its kick are taken, and the composer
writes the rest of the band to them.

Source: Learning to Groove with Inverse Sequence Transformations (arXiv:1905.06118), for the data set and its columns.
"""

import csv
import hashlib
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mido

from stemgen_core.corpus.arrangement import compose_piece
from stemgen_core.corpus.performed_drums import STEPS_PER_BAR, DrumPerformance, Stroke, centred
from stemgen_core.corpus.sources.midi_folder import licences_in
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
from stemgen_core.types import SoundFormat

TABLE_NAME = "info.csv"
_COLUMNS = ("style", "bpm", "beat_type", "time_signature", "midi_filename", "split")
_LEAST_BARS = 8
_STEPS_PER_BEAT = 4
# Keys of the electronic kit that General MIDI doesn't have: edges of hats, rims of toms, the tip of a snare's rim shot.
_KIT_KEYS = {22: 42, 26: 46, 58: 43, 40: 38, 59: 51, 55: 49, 52: 49, 57: 49}
_GENRES: dict[str, tuple[str, ...]] = {
    "rock": ("rock", "pop"),
    "funk": ("funk", "soul"),
    "jazz": ("jazz",),
    "soul": ("soul", "pop"),
    "hiphop": ("hip_hop", "lofi"),
    "pop": ("pop", "ballad"),
    "latin": ("latin", "bossa"),
    "afrocuban": ("latin",),
    "afrobeat": ("funk", "latin"),
    "neworleans": ("funk", "blues"),
    "dance": ("disco", "house"),
    "reggae": ("reggae",),
    "punk": ("rock",),
    "country": ("country",),
    "highlife": ("latin", "pop"),
    "gospel": ("soul",),
    "blues": ("blues",),
}


@dataclass(frozen=True)
class GrooveFile(Song):
    """A performance that is long enough.

    Attributes:
        path: of the file.
        tempo_bpm: of its click.
        genres: that it suits.
    """

    path: Path = Path()
    tempo_bpm: float = 120.0
    genres: tuple[str, ...] = ()


class GrooveFolder:
    """See the module's docstring.

    Args:
        folder: holds info.csv and the MIDI files that it names.

    Raises:
        InvalidRequestError: if the table isn't there, lacks columns, or names nothing of use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rows = _read_table(folder / TABLE_NAME)
        songs = []
        self.num_unusable = 0
        for row in rows:
            song = _song(folder, row)
            if song is None:
                self.num_unusable += 1
            else:
                songs.append(song)
        self.songs = without_copies(songs)
        self.num_copies = len(songs) - len(self.songs)
        need_songs(self.songs, f"{folder}: none of {len(rows)} performances is a beat in 4/4 of {_LEAST_BARS} bars")
        self._parts = split_songs(self.songs)

    def has(self, split: Split) -> bool:
        """Whether there is a performance of a split."""
        return bool(self._parts[split])

    def describe(self) -> dict[str, Any]:
        """Return what the manifest records."""
        return {
            "kind": "groove",
            "name": self.folder.name,
            "num_songs": len(self.songs),
            "num_copies": self.num_copies,
            "num_unusable": self.num_unusable,
            "digest": digest_of(self.songs),
            "licences": licences_in(self.folder) | {"the other stems": "composed by this project, MIT"},
        }

    def draw(self, seed: int, split: Split, duration_s: float, sound: SoundFormat = CORPUS_SOUND) -> SourcedPiece:
        """Return a performance with a band; see `PieceSource`."""
        entry = random.Random(f"{seed}:groove").choice(self._parts[split])
        strokes = _read_strokes(entry.path)
        performance = DrumPerformance(strokes, _num_bars(strokes), entry.tempo_bpm, entry.genres)
        return SourcedPiece(compose_piece(seed, duration_s, performance=performance, title=entry.title))


def _read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of the data set's table.

    Raises:
        InvalidRequestError: if it isn't there, isn't text, or lacks columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequestError(f"{path} cannot be read; it should be the Groove MIDI Dataset's: {error}") from error
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InvalidRequestError(f"{path} lacks the columns {', '.join(missing)} of the Groove MIDI Dataset.")
    return rows


def _song(folder: Path, row: dict[str, str]) -> GrooveFile | None:
    """Return a performance of the table, or None where it is of no use: a fill, another metre, short, broken."""
    genres = _GENRES.get(row["style"].partition("/")[0])
    if genres is None or row["beat_type"] != "beat" or row["time_signature"] != "4-4":
        return None
    path = folder / row["midi_filename"]
    if not path.resolve().is_relative_to(folder.resolve()):
        return None  # a table must not lead out of its folder
    try:
        tempo_bpm = float(row["bpm"])
        strokes = _read_strokes(path)
    except (ValueError, InvalidRequestError):
        return None
    if _num_bars(strokes) < _LEAST_BARS or not 30 <= tempo_bpm <= 300:
        return None
    played = repr([(round(stroke.step, 2), stroke.key) for stroke in strokes])
    fingerprint = hashlib.blake2b(played.encode(), digest_size=12).hexdigest()
    return GrooveFile(row["midi_filename"], fingerprint, _split_of(row["split"]), path, tempo_bpm, genres)


def _split_of(name: str) -> Split:
    """Return where the data set's own split puts a performance: what it tests or validates with is held out."""
    return "train" if name == "train" else "heldout"


def _num_bars(strokes: tuple[Stroke, ...]) -> int:
    """Count the bars that were played through."""
    return int((strokes[-1].step + 1.5) // STEPS_PER_BAR) if strokes else 0


@lru_cache(maxsize=512)
def _read_strokes(path: Path) -> tuple[Stroke, ...]:
    """Return all strokes in steps of the click, so that tempo maps don't matter.

    Raises:
        InvalidRequestError: if it is no MIDI file, or a broken one.
    """
    try:
        file = mido.MidiFile(path, clip=True)
    except (OSError, EOFError, ValueError, LookupError) as error:
        raise InvalidRequestError(f"{path.name} cannot be read as MIDI: {error}") from error
    if file.ticks_per_beat <= 0:
        raise InvalidRequestError(f"{path.name} is a MIDI file of a kind that has no beats.")
    strokes = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity > 0:
                step = tick / file.ticks_per_beat * _STEPS_PER_BEAT
                key = int(message.note)
                strokes.append(Stroke(step, _KIT_KEYS.get(key, key), message.velocity))
    return tuple(sorted(centred(strokes), key=lambda stroke: (stroke.step, stroke.key)))
