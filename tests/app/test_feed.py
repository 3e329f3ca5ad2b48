"""What can be asked for in a turn, and what the feed says of it."""

import threading
from collections.abc import Iterator

import gradio as gr
import pytest

from app.errands import Pilot
from app.machine import machine_words
from app.orders import StemOrder, StemRecipe, recipe_of_turn
from app.ranking import badness, best_first
from app.services import Studio
from app.ui.feed_handlers import FeedHandlers
from app.ui.feed_view import feed_view, fit_view, ranks
from app.ui.handlers import SHOWN
from sessions.tree import Node
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest
from stemgen_core.sampling.settings import PRESETS
from tests.app.conftest import OpenStudio
from tests.app.fakes import FailingGenerator, GatedGenerator, NoiseBurstGenerator, noise_bursts
from tests.app.waiting import OWNER, finished, wait_for
from tests.generators import EchoGenerator

BROWSER = {"token": OWNER}
FINE = {"verdict": "good", "onset_agreement": 0.9, "harmony_agreement": 0.9, "offset_ms": 2.0}


@pytest.fixture
def generator() -> EchoGenerator:
    return EchoGenerator(genres=("funk", "waltz"), stem_categories=("melodic", "bass"))


@pytest.fixture
def studio(open_studio: OpenStudio, generator: EchoGenerator) -> Iterator[Studio]:
    with open_studio(generator) as opened:
        yield opened


def _page(context: Node) -> dict:
    return {"session_id": context.session_id, "node_id": context.id}


def _event(**data: object) -> gr.EventData:
    return gr.EventData(None, data)


# ---- what can be asked for -------------------------------------------------------------------------------------


def test_genre_and_kind_of_part_reach_the_model_and_stay_with_the_turn(
    studio: Studio, context: Node, generator: EchoGenerator
) -> None:
    order = StemOrder("bass", 1, "wild", 5, genre="funk", stem_category="bass")
    turn = finished(studio, studio.request_stem(OWNER, context.id, order).id)

    assert (generator.requests[0].genre, generator.requests[0].stem_category) == ("funk", "bass")
    assert recipe_of_turn(turn) == StemRecipe("bass", PRESETS["wild"], "wild", "funk", "bass")
    assert feed_view(studio.snapshot(OWNER, context.session_id))["turns"][0]["how"] == "funk · bass · Wild"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (StemOrder("bass", 1, "wild", 5, genre="polka"), "this genre"),
        (StemOrder("bass", 1, "wild", 5, stem_category="polka"), "this kind of stem"),
    ],
)
def test_what_the_model_does_not_know_is_refused(studio: Studio, context: Node, order: StemOrder, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        studio.request_stem(OWNER, context.id, order)


def test_genre_and_kind_are_offered_only_where_the_model_has_them(
    studio: Studio, open_studio: OpenStudio, tmp_path: object
) -> None:
    _, _, genre, category, _, _ = FeedHandlers(studio).on_model()

    assert [value for _, value in genre["choices"]] == ["any", "funk", "waltz"]
    assert (genre["visible"], category["visible"]) == (True, True)


def test_a_model_without_genres_offers_none(open_studio: OpenStudio) -> None:
    with open_studio(EchoGenerator()) as studio:
        _, _, genre, category, _, _ = FeedHandlers(studio).on_model()

    assert (genre["visible"], category["visible"]) == (False, False)


def test_rerolling_asks_for_the_same_with_other_seeds(studio: Studio, context: Node) -> None:
    order = StemOrder("bass", 3, "tight", 5, temperature=0.9, genre="waltz")
    first = finished(studio, studio.request_stem(OWNER, context.id, order).id)

    again = finished(studio, studio.reroll_turn(OWNER, first.id, 70).id)

    assert recipe_of_turn(again) == recipe_of_turn(first)
    assert [variation.seed for variation in again.variations] == [70, 71, 72]
    assert again.node_id == first.node_id


def test_a_turn_whose_sliders_were_moved_says_so(studio: Studio, context: Node) -> None:
    studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "tight", 5, temperature=0.9))
    studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "tight", 5, temperature=0.7))

    hows = [turn["how"] for turn in feed_view(studio.snapshot(OWNER, context.session_id))["turns"]]

    assert hows == ["Tight, adjusted", "Tight"]


def test_the_presets_differ_in_every_setting_that_they_name() -> None:
    tight, balanced, wild = (PRESETS[name] for name in ("tight", "balanced", "wild"))

    assert tight.temperature < balanced.temperature < wild.temperature
    assert tight.context_guidance_scale > balanced.context_guidance_scale > wild.context_guidance_scale
    assert tight.top_p < balanced.top_p < wild.top_p
    assert tight.num_steps == balanced.num_steps == wild.num_steps  # none makes people wait longer


def test_settings_used_again_are_the_turns_own(studio: Studio, context: Node) -> None:
    order = StemOrder("bass", 3, "tight", 5, temperature=0.9, genre="waltz")
    turn = studio.request_stem(OWNER, context.id, order)

    values = FeedHandlers(studio).on_reuse(BROWSER, _event(turn_id=turn.id))

    assert values == ("bass", 3, "tight", 5, 0.9, 3.0, 1.0, "waltz", "any", "echo", True)


@pytest.mark.parametrize(("seed", "kept"), [(41, 41), ("41", 0), (-1, 0), (2**31, 0), (None, 0)])
def test_a_seed_from_the_page_is_kept_if_it_is_one(studio: Studio, seed: object, kept: int) -> None:
    assert FeedHandlers(studio).on_keep_seed(_event(seed=seed)) == (kept, True)


@pytest.mark.parametrize("data", [{}, {"first": "x"}, {"first": 0, "last": None}, {"first": 0, "last": float("inf")}])
def test_bars_that_are_no_numbers_are_refused_in_words(studio: Studio, context: Node, data: dict) -> None:
    turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "tight", 5)).id)
    event = _event(variation_id=turn.variations[0].id, num_variations=1, **data)

    assert 'role="alert"' in FeedHandlers(studio).on_revise(_page(context), BROWSER, event)[-1]


# ---- the context -----------------------------------------------------------------------------------------------


def test_a_context_is_heard_when_it_comes_and_put_right_by_the_card(studio: Studio, context: Node) -> None:
    event = _event(node_id=context.id, changes={"tempo_bpm": 93, "key": "E minor"})

    shown = dict(zip(SHOWN, FeedHandlers(studio).on_correct(_page(context), BROWSER, event), strict=True))

    analysis = shown["feed"]["contexts"][0]["analysis"]
    assert (analysis["tempo_bpm"], analysis["key"], analysis["is_edited"]) == (93, "E minor", True)
    kept = studio.store.node(OWNER, context.id).analysis
    assert kept is not None
    assert kept["detected"] == (context.analysis or {})["detected"]


def test_an_impossible_tempo_is_refused_in_words(studio: Studio, context: Node) -> None:
    event = _event(node_id=context.id, changes={"tempo_bpm": 3000})

    assert "tempo must be 30 to 300" in FeedHandlers(studio).on_correct(_page(context), BROWSER, event)[-1]


def test_two_tabs_that_put_different_things_right_both_count(studio: Studio, context: Node) -> None:
    changes = [{"tempo_bpm": 93}, {"key": "E minor"}, {"beats_per_bar": 3}, {"first_downbeat_s": 0.5}]
    threads = [threading.Thread(target=studio.correct_context, args=(OWNER, context.id, change)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = studio.store.node(OWNER, context.id).analysis
    assert kept is not None
    assert kept["said"] == {"tempo_bpm": 93, "key": "E minor", "beats_per_bar": 3, "first_downbeat_s": 0.5}


# ---- what the feed says ----------------------------------------------------------------------------------------


def test_the_best_is_the_surest_in_sync_then_what_the_model_hears_then_what_agrees_most() -> None:
    in_order = [
        {**FINE, "listening_score": 0.9},
        {**FINE, "listening_score": 0.2},
        {**FINE, "listening_score": 0.2, "harmony_agreement": 0.6},
        {**FINE, "listening_score": 0.2, "harmony_agreement": 0.6, "offset_ms": -20.0},
        {**FINE, "listening_score": 3.0, "tempo_agreement": 0.0},  # a few stray notes
        {**FINE, "verdict": "fair", "listening_score": 2.0},
        {**FINE, "verdict": "poor"},
        {"verdict": "poor", "is_silent": True},
    ]

    assert sorted(reversed(in_order), key=badness) == in_order
    judged = in_order[:6]
    assert best_first(judged[::-1]) == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("judge", [{}, {"judge": "model"}, {"judge": "listener-1a2b"}])
def test_variations_follow_whoever_judged_them_all(judge: dict) -> None:
    fits = [{**FINE, "listening_score": score, **judge} for score in (0.1, 4.0, -2.0, 1.0)]

    assert best_first(fits) == [1, 3, 0, 2]


@pytest.mark.parametrize(
    "others",
    [
        {"judge": "listener-1a2b", "listening_score": 9.0},
        {"judge": "listener-1a2b", "listening_score": -9.0},
        {"listening_score": None},
    ],
    ids=["above", "below", "unscored"],
)
def test_scores_of_two_judges_are_not_compared(others: dict) -> None:
    fits = [
        {**FINE, "listening_score": 0.1, "harmony_agreement": 0.7},  # kept before judges were named
        {**FINE, "harmony_agreement": 0.8} | others,
        {**FINE, "listening_score": 0.0, "judge": "model"},
    ]

    assert best_first(fits) == [2, 1, 0]  # by what was measured


def test_what_is_silent_or_says_nothing_keeps_the_others_comparable_or_comes_last() -> None:
    silent = {"verdict": "poor", "is_silent": True, "listening_score": 0.0, "judge": "model"}
    fits = [silent, *({**FINE, "listening_score": score, "judge": "listener-1a2b"} for score in (-3.0, -2.0))]

    assert best_first(fits) == [2, 1, 0]
    assert best_first([]) == []


def test_every_variation_shows_its_score_and_whose_it_is() -> None:
    words = [
        fit_view({**FINE, **judged})["words"]
        for judged in (
            {},
            {"listening_score": None, "judge": None},
            {"listening_score": 0.416},
            {"listening_score": 0.416, "judge": "model"},
            {"listening_score": -4.2, "judge": "listener-1a2b"},
        )
    ]

    assert words[0] == words[1]
    assert [each.removeprefix(words[0]) for each in words[2:]] == [
        ", scored 0.42 by the model",
        ", scored 0.42 by the model",
        ", scored -4.20 by the listener",
    ]


def test_only_finished_variations_have_a_rank(open_studio: OpenStudio) -> None:
    with open_studio(FailingGenerator(bad_seeds=(6,))) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 3, "tight", 5)).id)

    assert set(ranks(turn)) == {turn.variations[0].id, turn.variations[2].id}
    assert sorted(ranks(turn).values()) == [0, 1]


@pytest.mark.parametrize(
    ("fit", "advice"),
    [
        ({"offset_ms": 75.0}, "Plays 75 ms late. Try another seed."),
        ({"onset_agreement": 0.1}, "Misses the beats of the mix. Try another seed."),
        (
            {"offset_ms": -75.0, "onset_agreement": 0.1, "harmony_agreement": 0.1},
            "Plays 75 ms early, misses the beats of the mix and clashes with its harmony. Try another seed.",
        ),
        ({"level_db": -33.0}, "Is hardly audible in it. Try another seed."),
        ({}, "Does not fit well. Try another seed."),
    ],
)
def test_a_poor_one_says_in_words_what_is_wrong(fit: dict, advice: str) -> None:
    assert fit_view({"verdict": "poor", **fit})["advice"] == advice


def test_a_turn_says_what_it_continues_from(studio: Studio, context: Node) -> None:
    first = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 2, "tight", 5)).id)
    bass = studio.pick(OWNER, first.variations[1].id)
    studio.request_stem(OWNER, bass.id, StemOrder("piano", 1, "tight", 5))

    turns = feed_view(studio.snapshot(OWNER, context.session_id))["turns"]

    assert [turn["on"] for turn in turns] == ["on Loop", "continues from Bass B"]


# ---- how fast it is here ---------------------------------------------------------------------------------------


def test_the_speed_is_measured_once_the_model_is_there_and_said_for_ten_seconds(open_studio: OpenStudio) -> None:
    generator = NoiseBurstGenerator(seconds_per_step=0.02)
    with open_studio(generator) as studio:
        assert machine_words(studio) == ""
        pilot = Pilot(generator, noise_bursts(5 * 8000, 8000, 1), GenerationRequest("bass", 0))
        studio.worker.measure_speed(pilot)
        words = wait_for(lambda: machine_words(studio))

    seconds = float(words.removeprefix("CPU, about ").removesuffix(" s per 10 s stem"))
    assert 0.3 <= seconds < 5  # 8 steps of 0.02 s for 5 s


def test_whoever_asks_for_a_stem_goes_before_the_measuring(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        studio.worker.measure_speed(Pilot(generator, noise_bursts(8000, 8000, 1), GenerationRequest("bass", 99)))
        assert generator.entered.acquire(timeout=30)

        turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "tight", 5))
        assert generator.entered.acquire(timeout=30)  # the measuring gave way
        generator.gate.release()

        assert finished(studio, turn.id).state.value == "done"


def test_measuring_that_goes_wrong_leaves_the_worker_at_work(open_studio: OpenStudio) -> None:
    generator = FailingGenerator(error=RuntimeError("no"), bad_seeds=(99,))
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        studio.worker.measure_speed(Pilot(generator, noise_bursts(8000, 8000, 1), GenerationRequest("bass", 99)))

        turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "tight", 5))

        assert finished(studio, turn.id).state.value == "done"
