"""A stem from notes: sound, room and level, fitted to what it joins."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stemgen_core.score import Note
from stemgen_core.sound.electronic.drum_machine import play_drums
from stemgen_core.sound.electronic.presets import draw_kit, draw_preset
from stemgen_core.sound.electronic.voices import play_voices
from stemgen_core.sound.genre_sounds import suited_machines
from stemgen_core.sound.level import FloatArray, fit_stem_level
from stemgen_core.sound.programs import choose_sound
from stemgen_core.sound.room import add_room
from stemgen_core.sound.soundfont import SoundfontPlayer

# Dry where clarity in the low end matters, wide where the sound is a backdrop.
_ROOM_WET_DB: dict[str, float] = {
    "bass": -26.0,
    "drums": -20.0,
    "ensemble": -13.0,
    "strings": -13.0,
    "pipe": -13.0,
    "reed": -14.0,
    "brass": -14.0,
    "synth_pad": -13.0,
    "mallets": -14.0,
}
_OTHER_WET_DB = -16.0

# Breath and bow: one note ends before the next begins, or nobody hears it begin. Codes can't say how long before.
_DETACHED = frozenset({"brass", "reed", "pipe", "strings"})
_DETACHED_BY_S = 0.06
_SHORTEST_SHARE = 0.5  # of a note that stays


def play_stem(
    player: SoundfontPlayer,
    notes: Sequence[Note],
    *,
    instrument: str,
    seed: int,
    genre: str | None = None,
    context: FloatArray,
    sample_rate_hz: int,
) -> FloatArray:
    """Return notes as a stem that sits in the context.

    Args:
        player: a loaded font that has the sounds of `programs.SOUNDS`.
        notes: in any order.
        instrument: a name of `stemgen_core.instruments` that has sounds.
        seed: chooses among the instrument's sounds.
        genre: leaves those that suit it; None: any.
        context: float32 [C, L], sets length and level.
        sample_rate_hz: of the context and the stem.

    Returns:
        float32 [2, L], true peak at most -1 dBFS.

    Raises:
        InvalidRequestError: if the instrument has no sounds, the font lacks the sound, or the rate is out of range.
    """
    sound = choose_sound(instrument, seed, genre)
    length = context.shape[1]
    if instrument in _DETACHED:
        notes = detach(notes)
    if sound.synthesis_seed is None:
        dry = player.render(notes, sound, sample_rate_hz=sample_rate_hz, num_audio_samples=length)
    else:
        dry = _synthesise(notes, instrument, genre, sound.synthesis_seed, length, sample_rate_hz)
    wet = add_room(dry, sample_rate_hz, wet_db=_ROOM_WET_DB.get(instrument, _OTHER_WET_DB))
    return fit_stem_level(wet, context, sample_rate_hz, instrument)


def detach(notes: Sequence[Note]) -> list[Note]:
    """Return notes with a breath before each that begins just when the one before ends.

    Notes that end earlier, or sound on while others begin, stay as they are; at least half of a note stays.

    Args:
        notes: in any order.
    """
    ordered = sorted(notes)
    onsets = np.unique([note.start_s for note in ordered])
    detached = []
    for note in ordered:
        after = onsets[np.searchsorted(onsets, note.start_s, side="right") :]
        gap_s = after - note.end_s
        closest = gap_s[np.abs(gap_s) < _DETACHED_BY_S]
        if len(closest):
            end_s = note.end_s + float(closest.min()) - _DETACHED_BY_S
            note = replace(note, duration_s=max(end_s - note.start_s, _SHORTEST_SHARE * note.duration_s))
        detached.append(note)
    return detached


def _synthesise(
    notes: Sequence[Note], instrument: str, genre: str | None, seed: int, num_audio_samples: int, sample_rate_hz: int
) -> FloatArray:
    """Return notes as our own synthesiser plays them, float32 [2, L], raw in level."""
    rng = np.random.default_rng(seed)
    if instrument == "drums":
        kit = draw_kit(rng, is_heldout=False, names=suited_machines(genre))
        mono = play_drums(notes, kit, num_audio_samples=num_audio_samples, sample_rate_hz=sample_rate_hz, rng=rng)
    else:
        preset = draw_preset(instrument, rng, is_heldout=False)
        mono = play_voices(notes, preset, num_audio_samples=num_audio_samples, sample_rate_hz=sample_rate_hz, rng=rng)
    return np.stack([mono, mono])
