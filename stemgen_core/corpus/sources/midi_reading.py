"""A MIDI file as notes in seconds, with its beats: tempo maps, channels, programs."""

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import mido
from mido.midifiles.meta import KeySignatureError

from stemgen_core.corpus.performance import separate_repeats
from stemgen_core.errors import InvalidRequestError
from stemgen_core.score import Note

DRUM_CHANNEL = 9
_DEFAULT_TEMPO = 500_000
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class MidiPart:
    """What one program plays on one channel of one track.

    Attributes:
        name: of the track, may be empty.
        program: 0..127; for drums the kit.
        is_drums: whether it is on the drum channel.
        notes: sorted; notes of one pitch never overlap.
    """

    name: str
    program: int
    is_drums: bool
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class MidiSong:
    """A file read.

    Attributes:
        parts: in the order of their first notes.
        beats_s: every beat until the last note ends.
        downbeats_s: first beats of bars.
        beats_per_bar: of the first time signature.
        tempo_bpm: beats over time.
    """

    parts: tuple[MidiPart, ...]
    beats_s: tuple[float, ...]
    downbeats_s: tuple[float, ...]
    beats_per_bar: int
    tempo_bpm: float

    @property
    def end_s(self) -> float:
        """When the last note ends."""
        return max((note.end_s for part in self.parts for note in part.notes), default=0.0)


class _TempoMap:
    """Ticks to seconds."""

    def __init__(self, file: mido.MidiFile) -> None:
        changes: dict[int, int] = {0: _DEFAULT_TEMPO}
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    changes[tick] = message.tempo
        self.ticks = sorted(changes)
        self.tempos = [changes[tick] for tick in self.ticks]
        self.per_beat = file.ticks_per_beat
        self.starts_s = [0.0]
        for number in range(1, len(self.ticks)):
            length = self.ticks[number] - self.ticks[number - 1]
            self.starts_s.append(self.starts_s[-1] + length * self.tempos[number - 1] / self.per_beat / 1e6)

    def seconds(self, tick: float) -> float:
        number = bisect_right(self.ticks, tick) - 1
        return self.starts_s[number] + (tick - self.ticks[number]) * self.tempos[number] / self.per_beat / 1e6


def read_midi(path: Path) -> MidiSong:
    """Read a file.

    Raises:
        InvalidRequestError: if it is no MIDI file, is broken, has no notes, or claims to last more than an hour.
    """
    try:
        file = mido.MidiFile(path, clip=True)
    except (OSError, EOFError, ValueError, LookupError, KeySignatureError) as error:
        raise InvalidRequestError(f"{path.name} cannot be read as MIDI: {error}") from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise InvalidRequestError(f"{path.name} is a MIDI file of a kind that has no common time.")
    clock = _TempoMap(file)
    collected: dict[tuple[int, int, int], list[Note]] = {}
    names: dict[int, str] = {}
    for number, track in enumerate(file.tracks):
        names[number] = track.name.strip()
        _collect(track, number, clock, collected)
    parts = [
        MidiPart(names[track], program, channel == DRUM_CHANNEL, tuple(separate_repeats(notes)))
        for (track, channel, program), notes in collected.items()
        if notes
    ]
    if not parts:
        raise InvalidRequestError(f"{path.name} has no notes.")
    end_s = max(note.end_s for part in parts for note in part.notes)
    if end_s > _LONGEST_S:
        raise InvalidRequestError(f"{path.name} lasts {end_s:.0f} s; the most is {_LONGEST_S:.0f} s.")
    beats_s, downbeats_s, beats_per_bar = _beats(file, clock, end_s)
    tempo_bpm = 60 * (len(beats_s) - 1) / (beats_s[-1] - beats_s[0]) if len(beats_s) > 1 else 120.0
    ordered = tuple(sorted(parts, key=lambda part: part.notes[0]))
    return MidiSong(ordered, beats_s, downbeats_s, beats_per_bar, tempo_bpm)


def _collect(
    track: mido.MidiTrack, number: int, clock: _TempoMap, collected: dict[tuple[int, int, int], list[Note]]
) -> None:
    """Add a track's notes under (track, channel, program)."""
    programs: dict[int, int] = {}
    held: dict[tuple[int, int], tuple[int, int, int]] = {}
    tick = 0

    def release(channel: int, pitch: int) -> None:
        if (channel, pitch) in held:
            onset, velocity, program = held.pop((channel, pitch))
            start_s, end_s = clock.seconds(onset), clock.seconds(tick)
            if end_s > start_s:
                collected.setdefault((number, channel, program), []).append(
                    Note(start_s, pitch, end_s - start_s, velocity)
                )

    for message in track:
        tick += message.time
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity > 0:
            release(message.channel, message.note)
            held[message.channel, message.note] = (tick, message.velocity, programs.get(message.channel, 0))
        elif message.type in ("note_off", "note_on"):
            release(message.channel, message.note)
    tick += 1
    for channel, pitch in list(held):  # never released
        release(channel, pitch)


def _beats(file: mido.MidiFile, clock: _TempoMap, end_s: float) -> tuple[tuple[float, ...], tuple[float, ...], int]:
    """Return beats and downbeats until the end, and the beats of the first bar; x/8 counts dotted quarters."""
    signatures: dict[int, tuple[int, int]] = {}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "time_signature":
                signatures[tick] = (message.numerator, message.denominator)
    signatures.setdefault(0, (4, 4))
    starts = sorted(signatures)
    beats: list[float] = []
    downbeats: list[float] = []
    first_bar = 0
    for number, start in enumerate(starts):
        numerator, denominator = signatures[start]
        is_compound = denominator >= 8 and numerator % 3 == 0 and numerator > 3
        beats_per_bar = max(1, numerator // 3 if is_compound else numerator)
        beat_ticks = file.ticks_per_beat * 4 / denominator * (3 if is_compound else 1)
        first_bar = first_bar or beats_per_bar
        end = starts[number + 1] if number + 1 < len(starts) else float("inf")
        count, tick = 0, float(start)
        while tick < end - 1e-6 and clock.seconds(tick) < end_s:
            beats.append(clock.seconds(tick))
            if count % beats_per_bar == 0:
                downbeats.append(beats[-1])
            count += 1
            tick = start + count * beat_ticks
    return tuple(beats), tuple(downbeats), first_bar
