import random

import pytest

from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.groove import DRUM_KEYS, GROOVES
from stemgen_core.corpus.harmony import colour_loop, preparing_chord
from stemgen_core.corpus.theory import (
    MODES,
    QUALITIES,
    Chord,
    chord_of_numeral,
    enrich,
    nearest_pitch,
    scale_over_chord,
    scale_pitch_classes,
    voice_chord,
)


@pytest.mark.parametrize(
    ("numeral", "key", "pitch_classes"),
    [
        ("I", 0, (0, 4, 7)),
        ("i", 9, (9, 0, 4)),
        ("ii7", 0, (2, 5, 9, 0)),
        ("V7", 7, (2, 6, 9, 0)),
        ("bVII", 0, (10, 2, 5)),
        ("iim7b5", 0, (2, 5, 8, 0)),
        ("viidim", 0, (11, 2, 5)),
    ],
)
def test_numerals_name_the_chords_of_the_textbook(numeral: str, key: int, pitch_classes: tuple[int, ...]) -> None:
    assert chord_of_numeral(numeral, key).pitch_classes == pitch_classes


@pytest.mark.parametrize("numeral", ["", "H", "Imaj13", "1"])
def test_unknown_numerals_are_refused(numeral: str) -> None:
    with pytest.raises(ValueError, match=r"numeral|quality"):
        chord_of_numeral(numeral, 0)


def test_every_progression_of_every_genre_can_be_read() -> None:
    for genre in GENRES.values():
        for text in (*genre.major, *genre.minor):
            for numeral in text.replace(",", " ").split():
                chord_of_numeral(numeral, 0)


def test_every_groove_fits_its_metre_and_knows_its_drums() -> None:
    for name, lanes in GROOVES.items():
        assert {len(lane) for lane in lanes.values()} in ({16}, {12}), name
        assert set(lanes) <= set(DRUM_KEYS), name
    for genre in GENRES.values():
        steps = {len(lane) for groove in genre.grooves for lane in GROOVES[groove].values()}
        assert steps == {16 if genre.meter == "4/4" else 12}


@pytest.mark.parametrize("mode", MODES)
def test_enriched_triads_stay_in_the_scale(mode: str) -> None:
    scale, rng = scale_pitch_classes(2, mode), random.Random(0)
    for root in scale:
        for quality in ("", "m"):
            chord = Chord(root, quality)
            rich = enrich(chord, scale, rng)
            assert rich == chord or set(rich.pitch_classes) <= set(scale)


@pytest.mark.parametrize("quality", QUALITIES)
def test_a_scale_over_a_chord_holds_the_chord_and_no_semitone_against_its_foreign_tones(quality: str) -> None:
    scale = scale_pitch_classes(0, "major")
    for root in range(12):
        chord = Chord(root, quality)
        over = set(scale_over_chord(scale, chord))
        foreign = set(chord.pitch_classes) - set(scale)

        assert set(chord.pitch_classes) <= over
        assert not any((tone - other) % 12 in (1, 11) for other in foreign for tone in over - set(chord.pitch_classes))


@pytest.mark.parametrize("num_voices", [2, 3, 4, 5])
@pytest.mark.parametrize("quality", QUALITIES)
def test_voicings_are_in_range_of_the_chord_and_distinct(quality: str, num_voices: int) -> None:
    for root in range(12):
        voicing = voice_chord(Chord(root, quality), (), num_voices, 50, 79)

        assert len(voicing) == len(set(voicing)) <= num_voices
        assert all(50 <= pitch <= 79 and pitch % 12 in Chord(root, quality).pitch_classes for pitch in voicing)


def test_voices_move_little_from_chord_to_chord() -> None:
    voicing, largest = voice_chord(chord_of_numeral("I", 0), (), 3, 50, 79), 0.0
    for numeral in ("vi", "IV", "V", "I", "iii", "ii", "V", "I") * 3:
        following = voice_chord(chord_of_numeral(numeral, 0), voicing, 3, 50, 79)
        largest = max(largest, max(abs(a - b) for a, b in zip(voicing, following, strict=True)))
        voicing = following

    assert largest <= 4


def test_nearest_pitch_is_the_nearest_and_says_when_there_is_none() -> None:
    assert nearest_pitch(61, (0, 4), 48, 72) == 60
    assert nearest_pitch(90, (0,), 48, 72) == 72
    with pytest.raises(ValueError, match=r"no key of pitch classes \(0,\) lies in 61..70"):
        nearest_pitch(65, (0,), 61, 70)


def test_a_new_key_is_announced_by_its_dominant() -> None:
    for root in range(12):
        for quality in ("", "m", "m7"):
            announcing = preparing_chord(Chord(root, quality))
            assert (announcing.root + 5) % 12 == root
            assert announcing.quality.startswith("7")


def test_coloured_loops_keep_their_length_and_their_first_chord() -> None:
    plain = [[chord_of_numeral(name, 0)] for name in ("I", "vi", "IV", "V")]
    coloured = [colour_loop(plain, 0, "major", 0.8, random.Random(seed)) for seed in range(200)]

    assert all(len(loop) == 4 and loop[0][0] == plain[0][0] for loop in coloured)
    assert 0.2 < sum(loop != plain for loop in coloured) / 200 < 0.9
    assert any(Chord(5, "m") in bar for loop in coloured for bar in loop)  # the minor subdominant
