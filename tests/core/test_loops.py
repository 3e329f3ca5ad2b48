"""Stems that go round: what is heard, what rings over, and that nothing clicks at the seam."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from stemgen_core.codec.protocol import DecodedStem, LoopSpan
from stemgen_core.codec.score_codec import ScoreCodec
from stemgen_core.codec.score_tokens import encode_notes
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest, StemGenerator
from stemgen_core.instruments import find_instrument
from stemgen_core.revision import Revision
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note, notes_of_loop, rounds
from stemgen_core.sound.soundfont import SoundfontPlayer
from stemgen_core.stretch import Stretch
from stemgen_core.types import Waveform
from tests.core.tiny_models import SOUNDS, tone, write_score_bundle

QUICK = SamplingSettings(num_steps=(4, 1))


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> StemGenerator:
    """Return an untrained model of the score family with the real sounds; its window is 4 s."""
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder)
    return StemGenerator.load(folder)


def ramp(num_samples: int, rate_hz: int = 1000) -> Waveform:
    return Waveform(torch.arange(num_samples, dtype=torch.float32)[None], rate_hz)


def click_db(samples: torch.Tensor, rate_hz: int) -> float:
    """Return the peak of what is above 8 kHz around the seam of a loop, dB of full scale."""
    around = torch.cat([samples[:, -2000:], samples[:, :2000]], 1).numpy()
    highpass = scipy.signal.butter(8, 8000, "highpass", fs=rate_hz, output="sos")
    above = np.abs(scipy.signal.sosfiltfilt(highpass, around))[:, 1500:2500]
    return float(20 * np.log10(max(above.max(), 1e-9)))


# ---- what is heard ---------------------------------------------------------------------------------------------


def test_a_long_loop_is_heard_with_its_end_before_it_and_its_beginning_after_it() -> None:
    stretch = Stretch.plan(ramp(800), window_frames=10, frame_rate_hz=10, is_loop=True)

    assert stretch.start == 100
    assert stretch.audio.samples[0].tolist() == [*range(700, 800), *range(800), *range(100)]
    assert stretch.starts_s == (-0.7, 0.1, 0.9)


def test_a_loop_longer_than_the_window_is_heard_once() -> None:
    stretch = Stretch.plan(ramp(1500), window_frames=10, frame_rate_hz=10, is_loop=True)

    assert (stretch.start, stretch.audio.num_audio_samples) == (0, 1500)


@pytest.mark.parametrize("is_loop", [True, False])
def test_a_short_clip_is_heard_as_often_as_it_fits(is_loop: bool) -> None:
    stretch = Stretch.plan(ramp(300), window_frames=10, frame_rate_hz=10, is_loop=is_loop)

    assert (stretch.start, stretch.audio.num_audio_samples, stretch.starts_s) == (300, 900, (0.0, 0.3, 0.6))


def test_a_stem_is_repeated_as_the_loop_is_heard() -> None:
    stretch = Stretch.plan(ramp(800), window_frames=10, frame_rate_hz=10, is_loop=True)
    stem = DecodedStem(ramp(800), (Note(0.05, 60, 0.1, 90), Note(0.75, 62, 0.05, 90)))

    repeated = stretch.repeat(stem)

    assert torch.equal(repeated.waveform.samples, stretch.audio.samples)
    assert repeated.notes is not None
    assert [(round(note.start_s, 6), note.pitch) for note in repeated.notes] == [
        (0.05, 62),
        (0.15, 60),
        (0.85, 62),
        (0.95, 60),
    ]


# ---- what rings over -------------------------------------------------------------------------------------------


def test_notes_of_a_loop_are_those_that_begin_in_it_and_may_end_after_it() -> None:
    notes = [Note(0.9, 60, 0.3, 90), Note(1.0, 61, 0.1, 90), Note(2.9, 62, 0.5, 90), Note(3.0, 63, 0.1, 90)]

    assert notes_of_loop(notes, 1.0, 2.0) == (Note(0.0, 61, 0.1, 90), Note(1.9, 62, 0.5, 90))


def test_what_rings_over_stops_where_its_pitch_comes_again() -> None:
    once = [Note(0.5, 60, 0.2, 90), Note(1.5, 60, 1.5, 90), Note(1.5, 64, 1.0, 90)]

    twice = rounds(once, 2.0, 2)

    assert Note(1.5, 60, 1.0, 90) in twice
    assert Note(1.5, 64, 1.0, 90) in twice
    assert Note(3.5, 60, 1.0, 90) in twice
    assert len(twice) == 6


@pytest.fixture(scope="module")
def codec() -> ScoreCodec:
    return ScoreCodec(SoundfontPlayer(SOUNDS))


def held_chord(codec: ScoreCodec, instrument: str, *, is_loop: bool) -> torch.Tensor:
    """Play a chord that begins in the middle of a loop of 2 s and is held over its end."""
    rate_hz, player = 44_100, find_instrument(instrument)
    context = Waveform(tone(4.0, rate_hz).samples, rate_hz)
    notes = [Note(2.0, pitch, 1.7, 100) for pitch in (48, 55, 60)]
    codes = encode_notes(notes, player, 100)
    if is_loop:
        span = LoopSpan(rate_hz, 2 * rate_hz)
        return codec.decode_loop(codes, instrument=player, seed=1, context=context, span=span).waveform.samples
    decoded = codec.decode(codes, instrument=player, seed=1, context=context).waveform.samples
    return decoded[:, rate_hz : 3 * rate_hz]


@pytest.mark.parametrize("instrument", ["synth_pad", "organ", "piano", "strings"])
def test_the_seam_of_a_held_chord_has_no_click(codec: ScoreCodec, instrument: str) -> None:
    assert click_db(held_chord(codec, instrument, is_loop=True), 44_100) < -60


def test_the_measurement_sees_the_click_of_a_chord_that_is_cut(codec: ScoreCodec) -> None:
    assert click_db(held_chord(codec, "organ", is_loop=False), 44_100) > -50


def test_the_beginning_holds_what_the_end_let_ring(codec: ScoreCodec) -> None:
    beginning = held_chord(codec, "organ", is_loop=True)[:, : 44_100 // 2]

    assert beginning.square().mean().sqrt() > 0.01


# ---- through the door ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duration_s", [1.5, 3.1, 5.3])
def test_a_loop_has_the_contexts_length_and_its_notes_begin_in_it(generator: StemGenerator, duration_s: float) -> None:
    context = tone(duration_s, 44_100)

    result = generator.generate(context, GenerationRequest("piano", 3, QUICK, is_loop=True))

    assert result.stem.num_audio_samples == context.num_audio_samples
    assert result.notes is not None
    assert all(0 <= note.start_s < duration_s for note in result.notes)


def test_part_of_a_loop_can_be_made_again_and_the_rest_plays_on(generator: StemGenerator) -> None:
    context = tone(3.0, 44_100)
    before = generator.generate(context, GenerationRequest("piano", 3, QUICK, is_loop=True))
    revision = Revision(before.stem, before.notes, 1.0, 2.0, sound_seed=3)

    after = generator.generate(context, GenerationRequest("piano", 4, QUICK, revision=revision, is_loop=True))

    assert before.notes is not None
    assert after.notes is not None
    outside = [note for note in after.notes if not 1.0 <= note.start_s < 2.0]
    assert [(note.start_s, note.pitch) for note in outside] == [
        (note.start_s, note.pitch) for note in before.notes if not 1.0 <= note.start_s < 2.0
    ]


def test_a_decoding_that_hurried_is_repeated_by_its_settings(generator: StemGenerator) -> None:
    context = tone(2.0, 44_100)
    request = GenerationRequest("piano", 3, SamplingSettings(num_steps=(12, 6)), is_loop=True)
    asked = iter([False, False, True])

    hurried = generator.generate(context, request, must_hurry=lambda: next(asked, True))
    settings = replace(request.settings, max_steps=hurried.hurried_after)
    again = generator.generate(context, replace(request, settings=settings))

    assert hurried.hurried_after == 6  # four that it must make, and two more
    assert torch.equal(hurried.stem.samples, again.stem.samples)


def test_the_listening_score_can_be_left_out(generator: StemGenerator) -> None:
    result = generator.generate(tone(1.0, 44_100), GenerationRequest("piano", 3, QUICK), is_scored=False)

    assert result.listening_score is None


def test_between_genres_both_must_be_named(generator: StemGenerator) -> None:
    with pytest.raises(InvalidRequestError, match="not trained on the genre"):
        generator.generate(tone(1.0), GenerationRequest("piano", 3, QUICK, genre="lofi", genre_to="techno"))


BUNDLE = Path(__file__).parents[2] / "bundle"


@pytest.mark.slow
def test_the_bundled_model_plays_more_where_it_is_to_be_denser_and_morphs_between_genres() -> None:
    generator = StemGenerator.load(BUNDLE)
    context = tone(4.0, 44_100, pitch_hz=110.0)

    def num_notes(density: float) -> int:
        settings = SamplingSettings(num_steps=(8, 4), density=density)
        made = [generator.generate(context, GenerationRequest("piano", seed, settings)).notes for seed in range(3)]
        return sum(len(notes or ()) for notes in made)

    def notes(genre: str, other: str | None = None, morph: float = 0.0) -> object:
        request = GenerationRequest("bass", 5, QUICK, genre=genre, genre_to=other, genre_morph=morph)
        return generator.generate(context, request).notes

    assert num_notes(-3.0) < num_notes(0.0) < num_notes(3.0)
    assert notes("lofi", "techno", 0.0) == notes("lofi")
    assert notes("lofi", "techno", 1.0) == notes("techno")
    with pytest.raises(InvalidRequestError, match="name both"):
        notes("lofi", "techno", 1.5)
