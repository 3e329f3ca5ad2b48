"""A piece of synthetic music: frozen values and their JSON form."""

from dataclasses import asdict, dataclass
from typing import Any

from stemgen_core.score import Note


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and when it holds.

    Attributes:
        start_s: seconds from the start of the piece, >= 0.
        end_s: > start_s.
        root: pitch class 0..11.
        quality: a key of `theory.QUALITIES`.
        pitch_classes: root first.
    """

    start_s: float
    end_s: float
    root: int
    quality: str
    pitch_classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyChange:
    """From when on a piece is in another key.

    Attributes:
        start_s: seconds from the start of the piece.
        key_pitch_class: 0..11; the mode stays.
    """

    start_s: float
    key_pitch_class: int


@dataclass(frozen=True, slots=True)
class StemScore:
    """The notes of one stem.

    Attributes:
        name: unique in the piece.
        instrument: a name of `stemgen_core.instruments`.
        program: General MIDI program 0..127; for drums the kit's program on bank 128.
        notes: sorted; notes of one pitch never overlap.
        style: how the part was written, for example "walking".
    """

    name: str
    instrument: str
    program: int
    notes: tuple[Note, ...]
    style: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Everything that is known about a piece before it sounds.

    A composed piece knows it all. A piece that came as MIDI has no harmony but an estimate; one that came as audio has
    stems without notes, and neither beats nor harmony: what is unknown is None or empty, and readers pass over it.

    Attributes:
        seed: what it was composed from, or drawn with.
        genre: a name of `genre.GENRES`, or what the source calls it.
        tempo_bpm: beats a minute, the mean where tempo drifts; in 6/8 the beat is the dotted quarter.
        beats_per_bar: 4, 3 or 2 (6/8).
        key_pitch_class: 0..11, of the first key.
        mode: a key of `theory.MODES`.
        chords: in order, without gaps.
        beat_times_s: every beat within the piece.
        downbeat_times_s: first beats of bars within the piece.
        stems: 2 and more.
        duration_s: length of the audio.
        key_changes: in order.
        start: what was written first: "chords", "melody" or "riff"; "" where unknown.
        source: which source it came from.
        title: what the source calls it.
    """

    seed: int
    genre: str
    tempo_bpm: float | None
    beats_per_bar: int | None
    key_pitch_class: int | None
    mode: str | None
    chords: tuple[ChordSpan, ...]
    beat_times_s: tuple[float, ...]
    downbeat_times_s: tuple[float, ...]
    stems: tuple[StemScore, ...]
    duration_s: float
    key_changes: tuple[KeyChange, ...] = ()
    start: str = ""
    source: str = "composer"
    title: str = ""

    @property
    def has_harmony(self) -> bool:
        """Whether the chords are known or estimated."""
        return bool(self.chords)

    @property
    def has_notes(self) -> bool:
        """Whether any stem's notes are known."""
        return any(stem.notes for stem in self.stems)


def piece_to_json(piece: Piece) -> dict[str, Any]:
    """Return a compact JSON value; times are rounded to 0.1 ms, notes are `[start, pitch, duration, velocity]`."""
    value = asdict(piece)
    for stem_value, stem in zip(value["stems"], piece.stems, strict=True):
        stem_value["notes"] = [
            [round(note.start_s, 4), note.pitch, round(note.duration_s, 4), note.velocity] for note in stem.notes
        ]
    for chord in value["chords"]:
        chord["start_s"], chord["end_s"] = round(chord["start_s"], 4), round(chord["end_s"], 4)
    for change in value["key_changes"]:
        change["start_s"] = round(change["start_s"], 4)
    for name in ("beat_times_s", "downbeat_times_s"):
        value[name] = [round(time_s, 4) for time_s in value[name]]
    return value


def piece_from_json(value: dict[str, Any]) -> Piece:
    """Return the piece that `piece_to_json` wrote, in this version or an older one.

    Raises:
        KeyError: if a field is missing.
        TypeError: if there is a field too many.
    """
    stems = tuple(
        StemScore(**{**stem, "notes": tuple(Note(*fields) for fields in stem["notes"])}) for stem in value["stems"]
    )
    chords = tuple(ChordSpan(**{**chord, "pitch_classes": tuple(chord["pitch_classes"])}) for chord in value["chords"])
    times = {name: tuple(value[name]) for name in ("beat_times_s", "downbeat_times_s")}
    changes = tuple(KeyChange(**change) for change in value.get("key_changes", ()))
    return Piece(**{**value, **times, "stems": stems, "chords": chords, "key_changes": changes})
