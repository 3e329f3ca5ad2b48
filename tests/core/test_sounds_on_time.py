"""Sounds are heard when they are struck, end without a click, and breathe between notes."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.sound_attacks import lateness_ms, usual_pitches
from stemgen_core.score import Note
from stemgen_core.sound.hydra import Font, FontInstrument, Zone
from stemgen_core.sound.playing import detach
from stemgen_core.sound.programs import SOUNDS, Sound
from stemgen_core.sound.releases import soften_releases
from stemgen_core.sound.soundfont import SoundfontPlayer
from tests.core.tiny_models import SOUNDS as FONT

RATE_HZ = 32_000
ALL = [(name, sound) for name, sounds in SOUNDS.items() for sound in sounds]
SWELLING = {"Choir", "Warm pad", "Flute"}  # nothing in them marks a beginning
SLOW = [(name, sound) for name, sound in ALL if sound.late_s > 0]


@pytest.fixture(scope="module")
def player() -> SoundfontPlayer:
    return SoundfontPlayer(FONT)


def _label(case: tuple[str, Sound] | str) -> str:
    return case[1].label if isinstance(case, tuple) else str(case)


@pytest.mark.parametrize("case", [case for case in ALL if case[1].label not in SWELLING], ids=_label)
def test_every_sound_with_a_beginning_is_heard_within_8_ms_of_its_note(
    player: SoundfontPlayer, case: tuple[str, Sound]
) -> None:
    instrument, sound = case

    assert abs(np.nanmedian(lateness_ms(player, sound, usual_pitches(instrument)))) <= 8


@pytest.mark.parametrize("case", SLOW, ids=_label)
def test_a_late_sound_is_the_same_sound_begun_earlier_and_as_long_as_asked(
    player: SoundfontPlayer, case: tuple[str, Sound]
) -> None:
    _, sound = case
    lead = round(sound.late_s * RATE_HZ)
    notes = [Note(0.3, 60, 0.4, 90), Note(0.5, 64, 0.4, 90)]

    struck = player.render(notes, replace(sound, late_s=0.0), sample_rate_hz=RATE_HZ, num_audio_samples=RATE_HZ)
    played = player.render(notes, sound, sample_rate_hz=RATE_HZ, num_audio_samples=RATE_HZ)

    whole = slice(RATE_HZ // 10, RATE_HZ - RATE_HZ // 10)  # between the fades
    assert played.shape == struck.shape == (2, RATE_HZ)
    assert np.array_equal(played[:, whole], np.roll(struck, -lead, axis=1)[:, whole])


def test_a_late_sound_at_the_very_beginning_is_cut_into_without_a_click(player: SoundfontPlayer) -> None:
    sound = next(sound for _, sound in ALL if sound.label == "Picked bass")

    played = player.render([Note(0.0, 40, 0.5, 120)], sound, sample_rate_hz=RATE_HZ, num_audio_samples=RATE_HZ)

    assert played[0, 0] == 0
    assert np.abs(played[:, : RATE_HZ // 50]).max() > 0.1 * np.abs(played).max()  # it speaks within 20 ms
    assert np.abs(np.diff(played[:, :64])).max() < 0.05 * np.abs(played).max()


@pytest.mark.parametrize("case", [case for case in ALL if case[0] != "drums"], ids=_label)
def test_no_sound_stops_dead_where_its_note_ends(player: SoundfontPlayer, case: tuple[str, Sound]) -> None:
    sound = replace(case[1], late_s=0.0)

    for pitch in (40, 52, 62, 71, 84):
        audio = player.render([Note(0.1, pitch, 0.4, 90)], sound, sample_rate_hz=RATE_HZ, num_audio_samples=RATE_HZ)
        ends = round(0.5 * RATE_HZ)
        before, after = (np.abs(audio[:, ends + at : ends + at + 640]).max() for at in (-640, 320))
        assert after > before / 30 or before < 1e-4, f"{pitch} falls by {before / max(after, 1e-9):.0f} within 10 ms"


def test_only_releases_that_are_shorter_become_longer() -> None:
    short, long = (38, -7_973 & 0xFFFF), (38, 0)  # 10 ms and 1 s
    silent_of_it = Zone(((54, 1),), (), 0)
    cases = [
        ((silent_of_it,), [((54, 1), (38, -2_786 & 0xFFFF))]),
        ((Zone((short,), (), 0),), [((38, -2_786 & 0xFFFF),)]),
        ((Zone((long,), (), 0),), [(long,)]),
        ((Zone((long,), (), None), silent_of_it), [(long,), ((54, 1),)]),
        ((Zone((short,), (), None), silent_of_it), [(short,), ((54, 1), (38, -2_786 & 0xFFFF))]),
        ((Zone((long,), (), None), Zone((short,), (), 0)), [(long,), ((38, -2_786 & 0xFFFF),)]),
    ]
    for zones, expected in cases:
        font = soften_releases(Font({}, (), (FontInstrument(b"", zones),), ()), 0.2)
        assert [zone.generators for zone in font.instruments[0].zones] == expected
        assert [zone.target for zone in font.instruments[0].zones] == [zone.target for zone in zones]


@pytest.mark.parametrize("seed", range(20))
def test_notes_breathe_before_what_follows_at_once_and_else_stay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.uniform(0.1, 0.8, 30))
    lasting = rng.choice([0.06, 0.3, 0.7, 0.98, 1.0, 1.02, 2.2], 30) * np.diff(np.append(starts, starts[-1] + 0.5))
    notes = [Note(float(at), 60 + int(rng.integers(12)), float(d), 80) for at, d in zip(starts, lasting, strict=True)]

    detached = detach([notes[at] for at in rng.permutation(30)])

    assert [replace(note, duration_s=0) for note in detached] == [replace(note, duration_s=0) for note in notes]
    for before, after in zip(notes, detached, strict=True):
        closest = min((abs(start - before.end_s) for start in starts if start > before.start_s), default=1.0)
        if closest >= 0.06:
            assert after == before
            continue
        half = before.start_s + before.duration_s / 2
        following = min(start for start in starts if start > before.start_s and abs(start - before.end_s) < 0.06)
        assert after.end_s == pytest.approx(max(half, following - 0.06))
        assert after.duration_s >= before.duration_s / 2 - 1e-9


def test_notes_of_a_chord_end_together_before_the_next_chord() -> None:
    chords = [Note(at, pitch, 0.5, 80) for at in (0.0, 0.5) for pitch in (60, 64, 67)]

    detached = detach(chords)

    assert [round(note.end_s, 6) for note in detached] == [0.44] * 3 + [1.0] * 3
