"""Audio in, audio out: exact lengths and rates, loops, seeds and refusals."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stemgen_core.checkpoint import Bundle, BundleManifest
from stemgen_core.codec.protocol import DecodedStem, LevelRule
from stemgen_core.codec.score_codec import score_rules
from stemgen_core.codec.score_tokens import encode_notes
from stemgen_core.conditioning import ConditionField
from stemgen_core.errors import AudioFormatError, GenerationCancelledError, InvalidRequestError
from stemgen_core.generator import GenerationRequest, GenerationResult, StemGenerator, check_context
from stemgen_core.instruments import Instrument, find_instrument
from stemgen_core.sampling import whole_stem
from stemgen_core.sampling.listening_score import listening_score
from stemgen_core.sampling.settings import SamplingSettings
from stemgen_core.score import Note
from stemgen_core.types import Waveform
from tests.core.tiny_models import (
    MASK,
    NUM_FEATURES,
    OFFERED,
    TOY_SPEC,
    tone,
    toy_config,
    toy_model,
    write_score_bundle,
)

QUICK = SamplingSettings(num_steps=(2, 1))
WINDOW_FRAMES = 100  # of a hundred frames a second: 1 s


@dataclass
class RampCodec:
    """Writes the share of its length that has passed as the stem, and a note every tenth of a second."""

    spec = TOY_SPEC
    codes: list[torch.Tensor] = field(default_factory=list)
    contexts: list[Waveform] = field(default_factory=list)

    def rules(self, instrument: Instrument) -> tuple[LevelRule, ...]:
        return tuple(map(LevelRule, range(TOY_SPEC.num_codebooks)))

    def encode_stem(self, stem: DecodedStem, instrument: Instrument, num_frames: int) -> torch.Tensor:
        raise NotImplementedError  # nothing is revised here

    def decode(
        self, codes: torch.Tensor, *, instrument: Instrument, seed: int, context: Waveform, genre: str | None = None
    ) -> DecodedStem:
        self.codes.append(codes)
        self.contexts.append(context)
        ramp = torch.linspace(0, 1, context.num_audio_samples)[None]
        notes = tuple(Note(index / 10, 60 + index % 12, 0.05, 90) for index in range(int(10 * context.duration_s)))
        return DecodedStem(Waveform(ramp, context.sample_rate_hz), notes)

    def decode_loop(self, codes: torch.Tensor, **options: Any) -> DecodedStem:
        raise NotImplementedError  # nothing is looped here


@dataclass
class MeanFeatures:
    """Hears the mean of each frame."""

    name = "toy-features"
    num_channels = 1
    num_features = NUM_FEATURES
    heard: list[Waveform] = field(default_factory=list)

    def encode(self, context: Waveform, num_frames: int) -> torch.Tensor:
        self.heard.append(context)
        padding = num_frames * TOY_SPEC.hop_length - context.num_audio_samples
        samples = torch.nn.functional.pad(context.samples, (0, padding))
        return samples.unflatten(1, (num_frames, -1)).mean(2).expand(NUM_FEATURES, -1)


@dataclass
class Toy:
    target: RampCodec
    context: MeanFeatures
    generator: StemGenerator


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    bundle = Bundle(tmp_path, BundleManifest("score", toy_config(), WINDOW_FRAMES, OFFERED[:1]), toy_model())
    target, context = RampCodec(), MeanFeatures()
    return Toy(target, context, StemGenerator(bundle, target, context))


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> StemGenerator:
    """Return an untrained model of the score family with the real sounds; its window is 4 s."""
    folder = tmp_path_factory.mktemp("bundle")
    write_score_bundle(folder)
    return StemGenerator.load(folder)


def request(instrument: str = "piano", seed: int = 0, settings: SamplingSettings = QUICK) -> GenerationRequest:
    return GenerationRequest(instrument, seed, settings)


def same(first: GenerationResult, second: GenerationResult) -> bool:
    return torch.equal(first.stem.samples, second.stem.samples) and first.notes == second.notes


@pytest.mark.parametrize(
    ("duration_s", "rate_hz", "num_channels"),
    [
        (0.3, 8_000, 1),
        (0.3, 48_000, 2),
        (2.0, 44_100, 2),
        (2.00001, 32_000, 1),
        (9.99, 8_000, 2),
        (9.99, 44_100, 1),
        (23.7, 8_000, 1),
        pytest.param(23.7, 48_000, 2, marks=pytest.mark.slow),
        pytest.param(23.7, 44_100, 1, marks=pytest.mark.slow),
    ],
)
def test_a_stem_has_exactly_the_contexts_rate_and_length(
    duration_s: float, rate_hz: int, num_channels: int, generator: StemGenerator
) -> None:
    context = tone(duration_s, rate_hz, num_channels=num_channels)

    result = generator.generate(context, request())

    assert result.stem.num_audio_samples == context.num_audio_samples
    assert result.stem.sample_rate_hz == rate_hz
    assert result.stem.samples.isfinite().all()
    assert result.stem.samples.abs().max() <= 1
    assert result.notes is not None
    assert all(0 <= note.start_s < note.end_s <= context.duration_s + 1e-6 for note in result.notes)
    assert result.model_id == generator.model_id


@pytest.mark.parametrize("instrument", OFFERED)
@pytest.mark.parametrize("duration_s", [1.3, 4.7], ids=["loop", "two windows"])
def test_one_seed_is_one_stem(duration_s: float, instrument: str, generator: StemGenerator) -> None:
    context = tone(duration_s, 8_000)

    first, again, other = (generator.generate(context, request(instrument, seed)) for seed in (5, 5, 6))

    assert same(first, again)
    assert not same(first, other)


def test_what_is_heard_decides_what_is_played(generator: StemGenerator) -> None:
    low, high = (generator.generate(tone(2.5, 8_000, pitch_hz=hz), request()) for hz in (110.0, 1_760.0))

    assert low.notes != high.notes


def test_a_stereo_context_is_heard_as_its_mean(toy: Toy) -> None:
    left, right = tone(1.5, 800, pitch_hz=50), tone(1.5, 800, pitch_hz=90)

    toy.generator.generate(Waveform(torch.cat([left.samples, right.samples]), 800), request())

    torch.testing.assert_close(toy.context.heard[0].samples, (left.samples + right.samples) / 2)


@pytest.mark.parametrize("rate_hz", [800, 8_000, 44_100])
def test_the_model_hears_the_codecs_rate_and_the_codec_plays_the_contexts(rate_hz: int, toy: Toy) -> None:
    context = tone(1.51, rate_hz, pitch_hz=50)

    toy.generator.generate(context, request())

    assert toy.context.heard[0].sample_rate_hz == TOY_SPEC.sample_rate_hz
    assert toy.target.contexts[0].sample_rate_hz == rate_hz
    assert toy.target.codes[0].shape == (3, 151)
    assert (toy.target.codes[0] != MASK).all()


@pytest.mark.parametrize(("duration_s", "num_repeats"), [(0.3, 3), (0.5, 2), (0.51, 1), (0.26, 3), (1.0, 1)])
def test_a_loop_is_heard_as_often_as_the_window_holds_it(duration_s: float, num_repeats: int, toy: Toy) -> None:
    context = tone(duration_s, 800, pitch_hz=50)

    toy.generator.generate(context, request())

    assert torch.equal(toy.context.heard[0].samples, context.samples.repeat(1, num_repeats))


@pytest.mark.parametrize("duration_s", [0.3, 0.33, 0.5])
def test_of_a_loop_the_second_time_round_is_kept(duration_s: float, toy: Toy) -> None:
    context = tone(duration_s, 800, pitch_hz=50)

    result = toy.generator.generate(context, request())

    length, repeated = context.num_audio_samples, toy.target.contexts[0].num_audio_samples
    expected = torch.linspace(0, 1, repeated)[None, length : 2 * length]
    assert torch.equal(result.stem.samples, expected)
    assert result.notes is not None
    played = [Note(index / 10, 60 + index % 12, 0.05, 90) for index in range(int(10 * repeated / 800))]
    starts = [note.start_s - duration_s for note in played if duration_s <= note.start_s + 0.0001 < 2 * duration_s]
    own = [note.start_s for note in result.notes if note.duration_s > 0.049]
    assert own == pytest.approx([start_s for start_s in starts if start_s + 0.05 <= duration_s + 1e-9], abs=1e-9)


def test_anything_longer_is_kept_whole(toy: Toy) -> None:
    context = tone(0.75, 800, pitch_hz=50)

    result = toy.generator.generate(context, request())

    assert torch.equal(result.stem.samples, torch.linspace(0, 1, context.num_audio_samples)[None])


def test_each_window_goes_on_from_the_one_before(toy: Toy) -> None:
    seen: list[torch.Tensor] = []
    toy.generator.bundle.model.register_forward_hook(lambda _model, inputs, _output: seen.append(inputs[1][0].clone()))

    toy.generator.generate(tone(1.6, 800, pitch_hz=50), request())

    codes, per_window = toy.target.codes[0], 4  # passes: 2 + 1 + 1 steps
    del seen[2 * per_window :]  # what follows scores the stem
    second = seen[per_window]
    assert second.shape == (3, WINDOW_FRAMES)
    assert torch.equal(second[0, :40], codes[0, 60:100])  # windows are 0..100 and 60..160
    assert (second[0, 40:] == MASK).all()
    assert (second[1:] == MASK).all()  # finer levels are hidden, as they were in training
    last = seen[-1]
    assert torch.equal(last[:2], codes[:2, 60:160])
    assert torch.equal(last[2, :40], codes[2, 60:100])


@pytest.mark.parametrize("duration_s", [0.3, 1.0, 2.7])
def test_progress_rises_to_one(duration_s: float, toy: Toy) -> None:
    shares: list[float] = []

    toy.generator.generate(tone(duration_s, 800, pitch_hz=50), request(), report_progress=shares.append)

    assert shares[-1] == 1.0
    assert shares == sorted(set(shares))


@pytest.mark.parametrize("num_steps_done", [0, 1, 5, 11])
def test_a_request_to_stop_is_obeyed_at_any_step(num_steps_done: int, toy: Toy) -> None:
    answers = [False] * num_steps_done + [True]

    with pytest.raises(GenerationCancelledError):
        toy.generator.generate(tone(2.2, 800, pitch_hz=50), request(), should_stop=lambda: answers.pop(0))

    assert toy.target.codes == []


@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(8_000), "The audio is silent"),
        (torch.full((8_000,), 5e-5), "The audio is silent"),
        (torch.cat([torch.ones(7_999), torch.tensor([torch.nan])]), r"not numbers \(NaN or infinity\)"),
        (torch.cat([torch.tensor([-torch.inf]), torch.ones(7_999)]), r"not numbers \(NaN or infinity\)"),
        (torch.zeros(0), "The audio is 0.00 s long; at least 0.25 s are needed"),
        (torch.ones(1_999), "The audio is 0.25 s long; at least 0.25 s are needed"),
        (torch.ones(1), "at least 0.25 s are needed"),
        (torch.ones(8_000 * 601), "The audio is 601 s long; at most 600 s can be used"),
    ],
    ids=["silence", "next to silence", "NaN", "infinity", "nothing", "too short", "one sample", "too long"],
)
def test_what_cannot_be_listened_to_is_refused_with_the_reason(
    samples: torch.Tensor, message: str, num_channels: int, toy: Toy
) -> None:
    context = Waveform(samples.repeat(num_channels, 1), 8_000)

    with pytest.raises(AudioFormatError, match=message):
        toy.generator.generate(context, request())


def test_a_context_on_one_channel_alone_is_no_silence() -> None:
    check_context(Waveform(torch.stack([torch.zeros(8_000), torch.ones(8_000)]), 8_000))


@pytest.mark.parametrize("instrument", ["kazoo", "Piano", ""])
def test_an_instrument_that_does_not_exist_is_refused(instrument: str, toy: Toy) -> None:
    with pytest.raises(InvalidRequestError, match=f"no instrument called '{instrument}'"):
        toy.generator.generate(tone(1.0), request(instrument))


def test_an_instrument_that_the_model_does_not_play_is_refused(toy: Toy) -> None:
    with pytest.raises(InvalidRequestError, match=r"not trained to play vocals\. Choose one of: piano"):
        toy.generator.generate(tone(1.0), request("vocals"))


@pytest.fixture
def genre_toy(tmp_path: Path) -> Toy:
    """Return a toy that was trained on two genres and the stem categories."""
    fields = (ConditionField("instrument", 4), ConditionField("genre", 5), ConditionField("stem_category", 4))
    config = replace(toy_config(), fields=fields)
    manifest = BundleManifest("score", config, WINDOW_FRAMES, OFFERED[:1], genres=("lofi", "techno"))
    target, context = RampCodec(), MeanFeatures()
    return Toy(target, context, StemGenerator(Bundle(tmp_path, manifest, toy_model(0, config)), target, context))


def test_genre_and_category_reach_the_model_and_what_is_left_open_does_not(genre_toy: Toy) -> None:
    generator = genre_toy.generator
    given: list[tuple[int, int]] = []
    generator.bundle.model.register_forward_hook(
        lambda _model, inputs, _output: given.append((int(inputs[2]["genre"][0]), int(inputs[2]["stem_category"][0])))
    )

    for genre, category, expected in (("techno", "harmonic", (1, 1)), ("lofi", None, (0, 4)), (None, "bass", (5, 3))):
        asked = replace(request(), genre=genre, stem_category=category)
        generator.generate(tone(0.6, 800, pitch_hz=50), asked)

        assert set(given) == {expected}
        given.clear()


def test_a_model_says_which_genres_and_categories_it_knows(toy: Toy, genre_toy: Toy) -> None:
    assert (toy.generator.genres, toy.generator.stem_categories) == ((), ())
    assert genre_toy.generator.genres == ("lofi", "techno")
    assert genre_toy.generator.stem_categories == ("melodic", "harmonic", "percussive", "bass")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"genre": "polka"}, "not trained on the genre 'polka'. Choose one of: lofi, techno."),
        ({"stem_category": "loud"}, "not trained on the stem category 'loud'. Choose one of: melodic"),
    ],
)
def test_an_unknown_genre_or_category_is_refused(
    changes: dict[str, str], message: str, toy: Toy, genre_toy: Toy
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        genre_toy.generator.generate(tone(1.0), replace(request(), **changes))
    with pytest.raises(InvalidRequestError, match="Leave it open"):
        toy.generator.generate(tone(1.0), replace(request(), **changes))


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_out_of_range_is_refused(seed: int, toy: Toy) -> None:
    with pytest.raises(InvalidRequestError, match=f"The seed must be 0 to 2147483647, got {seed}"):
        toy.generator.generate(tone(1.0), request(seed=seed))


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_the_seeds_are_seeds(seed: int, toy: Toy) -> None:
    assert toy.generator.generate(tone(1.0), request(seed=seed)).stem.num_audio_samples == 32_000


def test_settings_reach_the_decoding(toy: Toy) -> None:
    passes: list[int] = []
    toy.generator.bundle.model.register_forward_hook(lambda _model, inputs, _output: passes.append(len(inputs[0])))

    toy.generator.generate(tone(1.0), request(settings=replace(QUICK, num_steps=(5, 3), context_guidance_scale=2.0)))

    assert passes[:-1] == [2] * 5 + [1] * 6  # the last one scores the stem


def test_of_each_window_the_best_candidate_goes_on_and_is_named(toy: Toy) -> None:
    settings = replace(QUICK, num_candidates=3)
    batches: list[int] = []
    toy.generator.bundle.model.register_forward_hook(lambda _model, inputs, _output: batches.append(len(inputs[0])))

    results = [
        toy.generator.generate(tone(1.6, 800, pitch_hz=50), request(seed=seed, settings=settings)) for seed in range(8)
    ]

    assert batches[:4] == [3] * 4  # all candidates of a step in one pass
    assert all(len(result.chosen_candidates) == 2 for result in results)  # two windows
    assert len({candidate for result in results for candidate in result.chosen_candidates}) > 1


def test_one_candidate_is_the_first_of_several(toy: Toy) -> None:
    context, several = tone(0.9, 800, pitch_hz=50), replace(QUICK, num_candidates=3)
    results = [toy.generator.generate(context, request(seed=seed, settings=several)) for seed in range(30)]
    seed = next(seed for seed, result in enumerate(results) if result.chosen_candidates == (0,))

    alone = toy.generator.generate(context, request(seed=seed))

    assert alone.chosen_candidates == (0,)
    assert torch.equal(toy.target.codes[-1], toy.target.codes[seed])


def silent_at_first(num_silent: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the first drafts be rests; return a list that grows with the first number drawn for each draft."""
    drawn: list[int] = []
    real = whole_stem.draft_candidates

    def draft(*arguments: Any, rngs: list[torch.Generator], **options: Any) -> torch.Tensor:
        drawn.append(rngs[0].initial_seed())
        drafts = real(*arguments, rngs=rngs, **options)
        return torch.zeros_like(drafts) if len(drawn) <= num_silent else drafts

    monkeypatch.setattr(whole_stem, "draft_candidates", draft)
    return drawn


def test_a_stem_that_would_never_play_is_drafted_again_by_numbers_of_its_own(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(QUICK, num_candidates=2)
    shares: list[float] = []
    drawn = silent_at_first(2, monkeypatch)

    result = toy.generator.generate(tone(0.9), request(seed=5, settings=settings), report_progress=shares.append)

    assert len(drawn) == len(set(drawn)) == 3
    assert drawn[0] == 5
    assert result.chosen_candidates[0] in (4, 5)  # of the third draft
    assert toy.target.codes[-1].any()
    assert shares[-1] == 1.0


def test_after_three_silent_drafts_silence_is_what_it_is(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = silent_at_first(9, monkeypatch)

    toy.generator.generate(tone(0.9), request())

    assert len(drawn) == 3
    assert not toy.target.codes[-1].any()


def test_what_plays_is_drafted_once(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = silent_at_first(0, monkeypatch)

    toy.generator.generate(tone(0.9), request())

    assert len(drawn) == 1


@pytest.mark.parametrize("instrument", OFFERED)
def test_any_stem_is_scored_by_its_notes(instrument: str, generator: StemGenerator) -> None:
    context, played = tone(2.5, 8_000), find_instrument(instrument)
    notes = tuple(Note(0.3 * index, 38 + index, 0.25, 90) for index in range(8))
    heard = generator._hear(context)

    score = generator.score_stem(context, DecodedStem(context, notes), instrument)

    codes = encode_notes(notes, played, heard.shape[-1])[None]
    conditions = {"instrument": torch.tensor([played.index])}
    rules = score_rules(played)
    model = generator.bundle.model
    assert score == listening_score(model, heard, codes, conditions, rules=rules, window_frames=100)
    assert score != 0


def test_the_score_of_a_stem_depends_on_what_it_is_paired_with(generator: StemGenerator) -> None:
    context = tone(2.5, 8_000)
    result = generator.generate(context, request("bass", 3))
    assert result.notes is not None
    moved = tuple(replace(note, pitch=note.pitch + 2) for note in result.notes)
    own = DecodedStem(result.stem, result.notes)

    scores = [
        generator.score_stem(context, own, "bass"),
        generator.score_stem(tone(2.5, 8_000, pitch_hz=1_760.0), own, "bass"),
        generator.score_stem(context, DecodedStem(result.stem, moved), "bass"),
    ]

    assert len(set(scores)) == 3
    assert generator.score_stem(context, DecodedStem(result.stem, ()), "bass") == 0


def test_what_cannot_be_scored_is_refused(generator: StemGenerator) -> None:
    context = tone(2.5, 8_000)
    stem = DecodedStem(context, (Note(0.0, 60, 0.5, 90),))

    with pytest.raises(InvalidRequestError, match="not trained to play vocals"):
        generator.score_stem(context, stem, "vocals")
    with pytest.raises(InvalidRequestError, match="notes are not known"):
        generator.score_stem(context, DecodedStem(context, None), "bass")
    with pytest.raises(AudioFormatError, match="silent"):
        generator.score_stem(Waveform(torch.zeros(1, 8_000), 8_000), stem, "bass")


def test_a_generation_leaves_the_context_and_the_global_random_state_alone(toy: Toy) -> None:
    context = tone(0.4, 800, pitch_hz=50)
    before, state = context.samples.clone(), torch.get_rng_state()

    result = toy.generator.generate(context, request())
    result.stem.samples.zero_()

    assert torch.equal(context.samples, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_generator_says_what_it_is(generator: StemGenerator) -> None:
    assert [instrument.name for instrument in generator.instruments] == list(OFFERED)
    assert generator.family == "score"
    assert generator.model_id == generator.bundle.manifest.model_id
