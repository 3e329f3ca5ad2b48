"""Hearing harmony relative to each pitch class."""

from dataclasses import replace

import pytest
import torch

from stemgen_core.model.harmony import HarmonyConfig, PitchHarmony, SoundHarmony, read_chroma
from stemgen_core.training.families import SCORE_HARMONY, SOUND_HARMONY

CODEBOOK_SIZE = 256
ALL = torch.tensor([True, True])


def seeded_harmony(seed: int) -> PitchHarmony:
    torch.manual_seed(seed)
    return PitchHarmony(SCORE_HARMONY, 32, CODEBOOK_SIZE).eval()


def bands(seed: int, num_frames: int = 40) -> torch.Tensor:
    return torch.rand(2, 90, num_frames, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(10))
@torch.no_grad()
def test_a_transposed_context_transposes_the_scores(seed: int) -> None:
    harmony, chroma = seeded_harmony(seed), read_chroma(bands(seed), SCORE_HARMONY)
    hidden = torch.randn(2, 40, 32)
    semitones = 1 + seed % 11
    kept = SCORE_HARMONY.num_pitches - semitones

    here = harmony.scores(hidden, harmony(chroma, ALL), 0)
    there = harmony.scores(hidden, harmony(chroma.roll(semitones, -1), ALL), 0)

    for first in SCORE_HARMONY.first_codes:
        moved = there[..., first + semitones : first + semitones + kept]
        torch.testing.assert_close(moved, here[..., first : first + kept])
    assert not torch.allclose(there, here)


@torch.no_grad()
def test_only_pitch_codes_are_scored_and_octaves_alike() -> None:
    harmony = seeded_harmony(0)
    heard = harmony(read_chroma(bands(0), SCORE_HARMONY), ALL)

    scores = harmony.scores(torch.randn(2, 40, 32), heard, 3)

    first, second = SCORE_HARMONY.first_codes
    assert not scores[..., 0].any()
    assert not scores[..., second + SCORE_HARMONY.num_pitches :].any()
    torch.testing.assert_close(scores[..., first : first + 76], scores[..., first + 12 : first + 88])


@torch.no_grad()
def test_scores_equal_a_plain_loop() -> None:
    harmony, config = seeded_harmony(1), SCORE_HARMONY
    heard = harmony(read_chroma(bands(1, 3), config), ALL)[0]  # [T, 12 R]
    hidden = torch.randn(3, 32)

    scores = harmony.scores(hidden, heard, 2)

    query = harmony.queries[2](hidden)
    for frame in range(3):
        for kind, first in enumerate(config.first_codes):
            for pitch in range(config.num_pitches):
                pitch_class = (config.lowest_pitch + pitch) % 12
                of_class = heard[frame, config.dim * pitch_class : config.dim * (pitch_class + 1)]
                expected = query[frame, config.dim * kind : config.dim * (kind + 1)] @ of_class
                torch.testing.assert_close(scores[frame, first + pitch], expected)


@torch.no_grad()
def test_an_item_without_context_hears_nothing() -> None:
    heard = seeded_harmony(0)(read_chroma(bands(0), SCORE_HARMONY), torch.tensor([True, False]))

    assert heard[0].any()
    assert not heard[1].any()


@pytest.mark.parametrize("semitone", [0, 13, 26, 40, 47, 60, 83])
def test_a_tone_is_its_pitch_class_in_its_register(semitone: int) -> None:
    features = torch.zeros(1, 90, 5)
    features[0, semitone] = 2.0

    chroma = read_chroma(features, SCORE_HARMONY)[0, 2]  # [C, 12]

    register = sum(semitone >= first for first in SCORE_HARMONY.registers[1:])
    assert chroma[register].argmax() == semitone % 12
    assert [bool(chroma[other].any()) for other in range(3)] == [other == register for other in range(3)]


def test_silence_has_no_harmony() -> None:
    assert not read_chroma(torch.zeros(1, 90, 5), SCORE_HARMONY).any()


def test_wider_windows_hear_neighbouring_frames() -> None:
    features = torch.zeros(1, 90, 61)
    features[0, 50, 30] = 1.0
    config = replace(SCORE_HARMONY, smoothing_frames=(1, 5, 61))

    chroma = read_chroma(features, config)[0, :, 2::3]  # the high register, [T, windows, 12]

    reach = chroma.abs().amax(-1) > 0
    assert reach.sum(0).tolist() == [1, 5, 61]


def test_the_shipped_layout_has_whole_octaves_from_c() -> None:
    config: HarmonyConfig = SCORE_HARMONY

    assert config.lowest_semitone % 12 == 0
    assert all((end - start) % 12 == 0 for start, end in zip(config.registers, config.registers[1:], strict=False))
    assert (config.num_semitones - config.registers[-1]) % 12 == 0
    assert all(width % 2 == 1 for width in config.smoothing_frames)


def seeded_sounds(seed: int) -> SoundHarmony:
    torch.manual_seed(seed)
    return SoundHarmony(SOUND_HARMONY, 32, 50).eval()


@torch.no_grad()
@pytest.mark.parametrize("seed", range(5))
def test_sounds_score_by_the_pitch_classes_that_they_hold(seed: int) -> None:
    harmony = seeded_sounds(seed)
    heard = harmony(read_chroma(bands(seed, 3), SOUND_HARMONY), ALL)[0]  # [T, 12 R]
    hidden = torch.randn(3, 32)

    scores = harmony.scores(hidden, heard, 0)

    for frame in range(3):
        queries = harmony.queries[0](hidden[frame]).reshape(3, -1)  # register, R
        for code in range(50):
            expected = sum(
                harmony.profiles[0, code, 12 * register + pitch_class]
                * (queries[register] @ heard[frame].reshape(12, -1)[pitch_class])
                for register in range(3)
                for pitch_class in range(12)
            )
            torch.testing.assert_close(scores[frame, code], torch.as_tensor(expected), atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("semitones", range(1, 12))
def test_a_transposed_sound_scores_in_a_transposed_context_as_the_sound_did(semitones: int) -> None:
    harmony = seeded_sounds(semitones)
    profiles = harmony.profiles[0].unflatten(-1, (3, 12))
    profiles[1] = profiles[0].roll(semitones, -1)  # code 1 is code 0, transposed
    chroma, hidden = read_chroma(bands(semitones), SOUND_HARMONY), torch.randn(2, 40, 32)

    here = harmony.scores(hidden, harmony(chroma, ALL), 0)
    there = harmony.scores(hidden, harmony(chroma.roll(semitones, -1), ALL), 0)

    torch.testing.assert_close(there[..., 1], here[..., 0])
    assert not torch.allclose(there[..., 0], here[..., 0])


@torch.no_grad()
def test_a_sound_scores_nothing_where_nothing_is_heard() -> None:
    harmony = seeded_sounds(0)
    heard = harmony(read_chroma(bands(0), SOUND_HARMONY), torch.tensor([True, False]))

    scores = harmony.scores(torch.randn(2, 40, 32), heard, 0)

    assert scores[0].any()
    assert not scores[1].any()
