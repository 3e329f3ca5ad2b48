"""Score tokens: notes as a grid of codes, 25 frames a second, 6 levels.

Layout `score-25hz-6x256-v1` (docs/decisions/0009-score-tokens.md):

- Levels 0..4, pitched instruments: voices, lowest first. A frame of a voice is a rest, the onset of a pitch, or the
  hold of a pitch. Holds carry the pitch so that every frame says which note sounds: a masked model learns and repairs
  from its neighbours, where a bare "sustain" would say nothing.
- Levels 0..4, drums: kick; snare, rim and clap; hi-hats and rides; toms and crashes; hand percussion. A frame is a
  rest or a stroke of one sound in one of four strengths.
- Level 5, expression: for a frame with an onset, the velocity (8 bins) and where in the frame it falls (8 x 5 ms).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from stemgen_core.instruments import Instrument
from stemgen_core.score import Note
from stemgen_core.types import CodecSpec

NUM_VOICES = 5
EXPRESSION_LEVEL = NUM_VOICES
FRAME_RATE_HZ = 25
SCORE_SPEC = CodecSpec(
    name="score-25hz-6x256-v1",
    sample_rate_hz=32_000,
    hop_length=32_000 // FRAME_RATE_HZ,
    num_codebooks=NUM_VOICES + 1,
    codebook_size=256,
)

REST = 0
LOWEST_PITCH, NUM_PITCHES = 21, 88  # the piano's keys
FIRST_ONSET = 1
FIRST_HOLD = FIRST_ONSET + NUM_PITCHES
FIRST_STROKE = FIRST_HOLD + NUM_PITCHES
NUM_STRENGTHS = 4
NUM_VELOCITIES, NUM_TIMINGS = 8, 8

STRENGTH_VELOCITIES = (44, 72, 96, 118)
# Per level: the General MIDI keys of one sound; the first is what is played.
DRUM_SOUNDS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((36, 35),),
    ((38, 40), (37, 31, 32, 33), (39,)),
    ((42,), (44,), (46,), (51, 59), (53,)),
    ((41, 43), (45,), (47,), (48,), (50,), (49, 57), (52,), (55,)),
    ((54,), (70, 82), (56,), (62, 63), (64,), (60,), (61,), (75, 76, 77), (69,), (81, 80)),
)
_DRUM_PLACES = {
    key: (level, sound) for level, sounds in enumerate(DRUM_SOUNDS) for sound, keys in enumerate(sounds) for key in keys
}
# Notes this close sound as one chord, and share a frame even when a frame line falls between them.
CHORD_SPREAD_S = 0.025
# A held note with this little left makes room for a new chord, so that voices keep their order.
MIN_OVERLAP_FRAMES = 3
# Shorter runs of holds without an onset are noise of decoding, not notes.
MIN_ORPHAN_FRAMES = 3
STROKE_DURATION_S = 0.1

_MONOPHONIC = frozenset({"bass", "reed", "synth_lead"})


def levels_used(instrument: Instrument) -> tuple[int, ...]:
    """Return the levels that stems of `instrument` use, coarse to fine; all others are rest."""
    if instrument.name in _MONOPHONIC:
        return (0, EXPRESSION_LEVEL)
    return tuple(range(SCORE_SPEC.num_codebooks))


def encode_notes(notes: Sequence[Note], instrument: Instrument, num_frames: int) -> torch.Tensor:
    """Write notes as codes.

    What the grid can't hold is dropped: the sixth voice of a chord (the quietest go), a second onset of one voice
    within a frame, drum keys without a place, pitches outside the piano's.

    Args:
        notes: in any order; those that start at or after `num_frames` are left out.
        instrument: decides between voices and drum sounds, and how many voices there are.
        num_frames: T.

    Returns:
        int64 [K, T].
    """
    codes = torch.full((SCORE_SPEC.num_codebooks, num_frames), REST, dtype=torch.int64)
    write = _write_strokes if instrument.is_drums else _write_chord
    num_voices = len(levels_used(instrument)) - 1
    for frame, chord in _chords(notes, num_frames):
        written = write(codes, frame, chord, num_voices)
        if written:
            codes[EXPRESSION_LEVEL, frame] = _expression_token(written, frame)
    return codes


def decode_notes(codes: torch.Tensor, instrument: Instrument) -> list[Note]:
    """Read codes as notes, mending what a sampled grid may break.

    A hold that continues nothing starts a note if it lasts; an onset repeated in the next frame is one note; a pitch
    that two voices hold at once is one note.

    Args:
        codes: int64 [K, T], values in [0, V).
        instrument: decides between voices and drum sounds.

    Returns:
        Notes sorted by onset.

    Raises:
        ValueError: if K is not the layout's.
    """
    if codes.shape[0] != SCORE_SPEC.num_codebooks:
        raise ValueError(f"expected {SCORE_SPEC.num_codebooks} levels, got {codes.shape[0]}")
    expression = codes[EXPRESSION_LEVEL].tolist()
    notes: list[Note] = []
    for level in range(NUM_VOICES):
        row = codes[level].tolist()
        notes += _read_strokes(row, level, expression) if instrument.is_drums else _read_voice(row, expression)
    return sorted(notes if instrument.is_drums else _without_doublings(notes))


def _chords(notes: Sequence[Note], num_frames: int) -> Iterator[tuple[int, list[Note]]]:
    """Group notes that sound together; yield each group with the frame of its first note."""
    chord: list[Note] = []
    for note in sorted(notes):
        if chord and note.start_s - chord[0].start_s > CHORD_SPREAD_S:
            yield _frame_of(chord[0].start_s), chord
            chord = []
        if _frame_of(note.start_s) < num_frames:
            chord.append(note)
    if chord:
        yield _frame_of(chord[0].start_s), chord


def _frame_of(time_s: float) -> int:
    # The small number keeps a note that sits on a frame line, up to rounding, in the frame it opens.
    return int(time_s * FRAME_RATE_HZ + 1e-6)


def _write_strokes(codes: torch.Tensor, frame: int, strokes: list[Note], num_voices: int) -> list[Note]:
    written = []
    for stroke in sorted(strokes, key=lambda note: note.velocity):  # the loudest is written last and stays
        place = _DRUM_PLACES.get(stroke.pitch)
        if place is None:
            continue
        level, sound = place
        strength = min(range(NUM_STRENGTHS), key=lambda s: abs(STRENGTH_VELOCITIES[s] - stroke.velocity))
        codes[level, frame] = FIRST_STROKE + NUM_STRENGTHS * sound + strength
        written.append(stroke)
    return written


def _write_chord(codes: torch.Tensor, frame: int, chord: list[Note], num_voices: int) -> list[Note]:
    playable = [note for note in chord if 0 <= note.pitch - LOWEST_PITCH < NUM_PITCHES]
    loudest = sorted(playable, key=lambda note: -note.velocity)[:num_voices]
    if not loudest:
        return []
    busy = [voice for voice in range(num_voices) if _frames_left(codes[voice], frame) >= MIN_OVERLAP_FRAMES]
    free = [voice for voice in range(num_voices) if voice not in busy]
    if len(free) < len(loudest):  # a thick chord over a held one: the new notes win
        free = list(range(num_voices))
    written = []
    for voice, note in zip(free, sorted(loudest, key=lambda note: note.pitch), strict=False):
        if FIRST_ONSET <= int(codes[voice, frame]) < FIRST_HOLD:
            continue
        key = note.pitch - LOWEST_PITCH
        end_frame = min(max(round(note.end_s * FRAME_RATE_HZ), frame + 1), codes.shape[1])
        codes[voice, frame:] = REST
        codes[voice, frame] = FIRST_ONSET + key
        codes[voice, frame + 1 : end_frame] = FIRST_HOLD + key
        written.append(note)
    return written


def _frames_left(row: torch.Tensor, frame: int) -> int:
    """Count the frames from `frame` on that a voice still holds its note."""
    resting = (row[frame:] == REST).nonzero()
    return int(resting[0]) if len(resting) else len(row) - frame


def _expression_token(chord: list[Note], frame: int) -> int:
    velocity = max(note.velocity for note in chord)
    velocity_bin = min(velocity * NUM_VELOCITIES // 128, NUM_VELOCITIES - 1)
    offset = min(note.start_s for note in chord) * FRAME_RATE_HZ - frame
    timing_bin = min(max(int(offset * NUM_TIMINGS + 1e-4), 0), NUM_TIMINGS - 1)
    return 1 + NUM_TIMINGS * velocity_bin + timing_bin


@dataclass(frozen=True, slots=True)
class _Onset:
    start_s: float
    velocity: int


def _read_onset(expression: list[int], frame: int) -> _Onset:
    token = expression[frame]
    if not 1 <= token <= NUM_VELOCITIES * NUM_TIMINGS:  # the levels disagree: an onset of middling strength, in time
        return _Onset(frame / FRAME_RATE_HZ, 80)
    velocity_bin, timing_bin = divmod(token - 1, NUM_TIMINGS)
    start_s = (frame + (timing_bin + 0.5) / NUM_TIMINGS) / FRAME_RATE_HZ
    return _Onset(start_s, 128 * velocity_bin // NUM_VELOCITIES + 64 // NUM_VELOCITIES)


def _read_strokes(row: list[int], level: int, expression: list[int]) -> list[Note]:
    sounds = DRUM_SOUNDS[level]
    strokes = []
    for frame, token in enumerate(row):
        sound, strength = divmod(token - FIRST_STROKE, NUM_STRENGTHS)
        if 0 <= sound < len(sounds):
            start_s = _read_onset(expression, frame).start_s
            strokes.append(Note(start_s, sounds[sound][0], STROKE_DURATION_S, STRENGTH_VELOCITIES[strength]))
    return strokes


def _read_voice(row: list[int], expression: list[int]) -> list[Note]:
    notes: list[Note] = []
    frame = 0
    while frame < len(row):
        key, is_onset = _key_of(row[frame])
        if key is None:
            frame += 1
            continue
        end = frame + 1
        if is_onset and end < len(row) and row[end] == row[frame]:
            end += 1
        while end < len(row) and row[end] == FIRST_HOLD + key:
            end += 1
        if is_onset or frame == 0 or end - frame >= MIN_ORPHAN_FRAMES:
            onset = _read_onset(expression, frame) if is_onset else _Onset(frame / FRAME_RATE_HZ, 80)
            duration_s = max(end / FRAME_RATE_HZ - onset.start_s, 0.5 / FRAME_RATE_HZ)
            notes.append(Note(onset.start_s, LOWEST_PITCH + key, duration_s, onset.velocity))
        frame = end
    return notes


def _key_of(token: int) -> tuple[int | None, bool]:
    """Return the key index of a voice token, None for rests and strangers, and whether it is an onset."""
    if FIRST_ONSET <= token < FIRST_HOLD:
        return token - FIRST_ONSET, True
    if FIRST_HOLD <= token < FIRST_STROKE:
        return token - FIRST_HOLD, False
    return None, False


def _without_doublings(notes: list[Note]) -> list[Note]:
    """Cut or drop notes so that no pitch sounds twice at once, as a sampler would choke or double it."""
    by_pitch: dict[int, list[Note]] = defaultdict(list)
    for note in sorted(notes):
        sounding = by_pitch[note.pitch]
        if sounding and sounding[-1].end_s > note.start_s + 1e-9:
            last = sounding.pop()
            if note.start_s - last.start_s < 1 / FRAME_RATE_HZ:  # two voices struck it together
                sounding.append(last if last.duration_s >= note.duration_s else note)
                continue
            sounding.append(Note(last.start_s, last.pitch, note.start_s - last.start_s, last.velocity))
        sounding.append(note)
    return [note for sounding in by_pitch.values() for note in sounding]
