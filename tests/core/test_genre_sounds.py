"""Sounds that suit the genre that was asked for."""

import numpy as np
import pytest

from stemgen_core.checkpoint import SHIPPED_BUNDLE_PATH
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.score import Note
from stemgen_core.sound import genre_sounds
from stemgen_core.sound.electronic.presets import TRAINING_KITS
from stemgen_core.sound.genre_sounds import suited_machines, suited_programs, synthesised_share
from stemgen_core.sound.level import active_rms_db
from stemgen_core.sound.playing import play_stem
from stemgen_core.sound.programs import SOUNDS, choose_sound
from stemgen_core.sound.soundfont import SoundfontPlayer

RATE_HZ = 32_000


@pytest.fixture(scope="module")
def player() -> SoundfontPlayer:
    return SoundfontPlayer(SHIPPED_BUNDLE_PATH / "sounds.sf3")


@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_of_the_corpus_has_its_drums_and_basses(genre: str) -> None:
    assert suited_programs(genre, "drums")
    assert suited_programs(genre, "bass") or genre in ("six_eight", "techno")


@pytest.mark.parametrize("genre", genre_sounds._SUITED)
def test_only_sounds_that_exist_are_named(genre: str) -> None:
    assert genre in GENRES
    for instrument, programs in genre_sounds._SUITED[genre].items():
        assert set(programs) <= {sound.program for sound in SOUNDS[instrument]}, instrument
    assert set(suited_machines(genre) or ()) <= set(TRAINING_KITS)
    assert 0 <= synthesised_share(genre) <= 1
    assert {*genre_sounds._SYNTHESISED, *genre_sounds._MACHINES} <= set(GENRES)


@pytest.mark.parametrize(
    ("genre", "instrument", "labels"),
    [
        ("jazz", "bass", {"Upright bass"}),
        ("jazz", "drums", {"Jazz kit"}),
        ("trap", "piano", {"Grand piano", "Tine electric piano", "FM electric piano"}),
    ],
)
def test_a_genre_leaves_the_sounds_that_suit_it(genre: str, instrument: str, labels: set[str]) -> None:
    assert {choose_sound(instrument, seed, genre).label for seed in range(60)} == labels


@pytest.mark.parametrize("genre", ["techno", "house", "lofi", "disco"])
@pytest.mark.parametrize("instrument", ["bass", "drums", "synth_lead", "synth_pad"])
def test_the_synthesiser_plays_as_often_as_the_genre_says(genre: str, instrument: str) -> None:
    chosen = [choose_sound(instrument, seed, genre) for seed in range(400)]

    share = np.mean([sound.synthesis_seed is not None for sound in chosen])
    assert abs(share - synthesised_share(genre)) < 0.09
    assert chosen == [choose_sound(instrument, seed, genre) for seed in range(400)]


@pytest.mark.parametrize("genre", [None, "polka"])
@pytest.mark.parametrize("instrument", SOUNDS)
def test_without_a_known_genre_every_sampled_sound_may_play(genre: str | None, instrument: str) -> None:
    assert {choose_sound(instrument, seed, genre) for seed in range(80)} == set(SOUNDS[instrument])


@pytest.mark.parametrize("genre", ["piano", "guitar", "strings"])
def test_what_the_synthesiser_does_not_play_is_sampled_in_techno_too(genre: str) -> None:
    assert all(choose_sound(genre, seed, "techno").synthesis_seed is None for seed in range(60))


@pytest.mark.parametrize("instrument", ["bass", "drums", "synth_lead", "synth_pad"])
@pytest.mark.parametrize("seed", range(4))
def test_a_synthesised_stem_is_on_time_in_level_and_the_same_again(
    player: SoundfontPlayer, instrument: str, seed: int
) -> None:
    context = (0.1 * np.random.default_rng(seed).standard_normal((1, 2 * RATE_HZ + 11))).astype(np.float32)
    pitch = {"drums": 36, "bass": 38}.get(instrument, 64)
    notes = [Note(0.5, pitch, 0.4, 100), Note(1.25, pitch, 0.4, 100)]

    def play(of: int) -> np.ndarray:
        return play_stem(
            player, notes, instrument=instrument, seed=of, genre="techno", context=context, sample_rate_hz=RATE_HZ
        )

    stem = play(seed)
    assert stem.shape == (2, context.shape[1])
    assert np.isfinite(stem).all()
    assert np.array_equal(stem, play(seed))
    assert not np.array_equal(stem, play(seed + 1))
    assert -16 < active_rms_db(stem, RATE_HZ) - active_rms_db(context, RATE_HZ) < 3
    silence = np.abs(stem[:, : round(0.499 * RATE_HZ)]).max()
    assert silence < 1e-4 < np.abs(stem[:, round(0.5 * RATE_HZ) : round(0.56 * RATE_HZ)]).max()
