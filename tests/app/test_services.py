"""What the studio promises, with a real store and worker and fake models."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.errors import ModelNotReadyError
from app.model_shelf import ModelShelf
from app.orders import StemOrder
from app.progress import SpeedMeter, expected_rest_s
from app.services import Studio
from app.worker import INTERNAL_ERROR
from sessions.errors import NotFoundError
from sessions.tree import MAX_SEED, Node, NodeKind, Turn, Variation, WorkState
from stemgen_core.errors import AudioFormatError, CheckpointError, InvalidRequestError
from stemgen_core.generator import GenerationRequest
from stemgen_core.sampling.settings import PRESETS
from tests.app.conftest import OpenStudio
from tests.app.fakes import FailingGenerator, GatedGenerator, NoiseBurstGenerator, write_clip
from tests.app.waiting import OWNER, finished, wait_for
from tests.generators import EchoGenerator

STRANGER = "f" * 32
BASS = StemOrder("bass", 2, "fast", 7)


def _states(turn: Turn) -> list[str]:
    return [variation.state.value for variation in turn.variations]


def _place(studio: Studio, turn: Turn) -> int | None:
    progress = studio.worker.progress(turn.id)
    return None if progress is None else progress.queue_position


def _sha256(thing: Node | Variation) -> str:
    assert thing.audio is not None
    return thing.audio.sha256


# ---- asking --------------------------------------------------------------------------------------------------------


def test_each_variation_has_its_own_seed_counted_up_from_the_first(studio: Studio, context: Node) -> None:
    turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 3, "fast", MAX_SEED - 1))

    assert [variation.seed for variation in turn.variations] == [MAX_SEED - 1, MAX_SEED, 0]


def test_a_turn_keeps_every_setting_and_the_model_it_was_made_with(studio: Studio, context: Node) -> None:
    order = StemOrder("bass", 1, "fast", 7, temperature=0.5, context_guidance_scale=2.0)

    turn = studio.request_stem(OWNER, context.id, order)

    assert turn.settings["num_steps"] == list(PRESETS["fast"].num_steps)
    assert (turn.settings["temperature"], turn.settings["context_guidance_scale"]) == (0.5, 2.0)
    assert turn.model_id == "echo"


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (StemOrder("kazoo", 2, "fast", 7), "Choose an instrument"),
        (StemOrder("vocals", 2, "fast", 7), "Choose an instrument"),  # exists, but this model does not play it
        (StemOrder("bass", 0, "fast", 7), "1 to 4 variations, not 0"),
        (StemOrder("bass", 5, "fast", 7), "1 to 4 variations, not 5"),
        (StemOrder("bass", 2, "dreamy", 7), "no preset called 'dreamy'"),
        (StemOrder("bass", 2, "fast", -1), "seed must be"),
        (StemOrder("bass", 2, "fast", 7, temperature=0.0), "Temperature must be above 0"),
        (StemOrder("bass", 2, "fast", 7, context_guidance_scale=60.0), "Context guidance scale must be 0 to 6"),
    ],
)
def test_refuses_what_the_model_cannot_do_and_records_nothing(
    studio: Studio, context: Node, order: StemOrder, message: str
) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        studio.request_stem(OWNER, context.id, order)

    assert studio.store.turns(OWNER, context.session_id) == ()


def test_a_missing_model_is_said_in_words_and_why_only_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> EchoGenerator:
        raise CheckpointError("There is no model at /here.")

    shelf = ModelShelf(load)
    shelf.wait(5)

    with pytest.raises(ModelNotReadyError, match=r"no model to generate with\. Whoever runs this server") as told:
        shelf.get()
    assert "/here" not in str(told.value)
    assert "There is no model at /here." in caplog.text


def _shelf_of(*models: EchoGenerator) -> ModelShelf:
    shelf = ModelShelf(lambda: models[0], load_more=[lambda each=each: each for each in models[1:]])
    shelf.wait_for_all(5)
    return shelf


def test_an_order_names_its_model_and_a_reroll_asks_that_one_again(studio: Studio, context: Node) -> None:
    first, second = EchoGenerator("score-1"), EchoGenerator("audio-2")
    studio = replace(studio, models=_shelf_of(first, second))

    usual = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)
    turn = finished(studio, studio.request_stem(OWNER, context.id, replace(BASS, model_id="audio-2")).id)
    again = finished(studio, studio.reroll_turn(OWNER, turn.id, 99).id)

    assert [one.model_id for one in (usual, turn, again)] == ["score-1", "audio-2", "audio-2"]
    assert (len(first.requests), len(second.requests)) == (2, 4)


def test_what_a_model_made_that_is_gone_is_rolled_again_by_the_first_and_asking_for_it_is_refused(
    studio: Studio, context: Node
) -> None:
    both = replace(studio, models=_shelf_of(EchoGenerator("score-1"), EchoGenerator("audio-2")))
    turn = finished(both, both.request_stem(OWNER, context.id, replace(BASS, model_id="audio-2")).id)
    one = replace(studio, models=_shelf_of(EchoGenerator("score-1")))

    assert one.reroll_turn(OWNER, turn.id, 99).model_id == "score-1"
    with pytest.raises(ModelNotReadyError, match="not installed here"):
        one.request_stem(OWNER, context.id, replace(BASS, model_id="audio-2"))


def test_a_further_model_that_cannot_be_loaded_or_is_there_already_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def load() -> EchoGenerator:
        raise CheckpointError("There is no model at /there.")

    told: list[str] = []
    good = EchoGenerator("score-1")
    shelf = ModelShelf(lambda: good, lambda model: told.append(model.model_id), load_more=[load, lambda: good])

    assert [model.model_id for model in shelf.wait_for_all(5)] == ["score-1"]
    assert told == ["score-1"]
    assert "There is no model at /there." in caplog.text


# ---- the worker ----------------------------------------------------------------------------------------------------


def test_a_variation_is_kept_as_soon_as_it_is_finished(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = studio.request_stem(OWNER, context.id, BASS)

        generator.gate.release()
        generator.entered.acquire(timeout=5)
        generator.entered.acquire(timeout=5)  # the second variation has begun

        assert _states(studio.store.turn(OWNER, turn.id)) == ["done", "running"]


def test_a_finished_variation_has_its_audio_fit_and_notes(studio: Studio, context: Node) -> None:
    turn = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)

    variation = turn.variations[0]
    assert turn.state is WorkState.DONE
    assert variation.audio is not None
    assert context.audio is not None
    assert variation.audio.num_audio_samples == context.audio.num_audio_samples
    assert (variation.fit or {})["verdict"] == "good"
    assert studio.store.variation_notes(OWNER, variation.id) == ((0.0, 40, 0.5, 90),)


def test_cancel_stops_the_model_and_keeps_what_was_finished(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = studio.request_stem(OWNER, context.id, BASS)
        generator.gate.release()
        generator.entered.acquire(timeout=5)
        generator.entered.acquire(timeout=5)

        studio.cancel_turn(OWNER, turn.id)

        wait_for(lambda: studio.worker.progress(turn.id) is None)
        assert _states(studio.store.turn(OWNER, turn.id)) == ["done", "cancelled"]
        assert len(generator.finished) == 1  # the second never came to its end


def test_the_model_is_never_asked_for_two_things_at_once(open_studio: OpenStudio) -> None:
    generator = NoiseBurstGenerator(seconds_per_step=0.002, num_steps=300)
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        first = studio.request_stem(OWNER, context.id, BASS)
        second = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 7))
        wait_for(lambda: generator.steps_done > 1)

        studio.cancel_turn(OWNER, first.id)
        finished(studio, second.id)

        assert generator.max_running == 1
        assert generator.stopped.is_set()


def test_a_waiting_turn_knows_its_place_and_never_runs_once_cancelled(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turns = [studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 7)) for _ in range(3)]
        generator.entered.acquire(timeout=5)

        places = [_place(studio, turn) for turn in turns]
        studio.cancel_turn(OWNER, turns[1].id)
        place_after = _place(studio, turns[2])
        generator.gate.release(2)
        finished(studio, turns[2].id)

        assert (places, place_after) == ([0, 1, 2], 1)
        assert len(generator.contexts) == 2
        assert studio.store.turn(OWNER, turns[1].id).state is WorkState.CANCELLED


def test_one_variation_that_fails_says_why_and_the_others_go_on(open_studio: OpenStudio) -> None:
    with open_studio(FailingGenerator(bad_seeds=(7,))) as studio:
        context = studio.start_from_example(OWNER, "loop")

        turn = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)

        assert _states(turn) == ["failed", "done"]
        assert turn.variations[0].error == "This can't be played."


def test_a_broken_model_fails_the_turn_with_plain_words_and_the_next_one_runs(open_studio: OpenStudio) -> None:
    with open_studio(FailingGenerator(error=ZeroDivisionError("secret detail"), bad_seeds=(7,))) as studio:
        context = studio.start_from_example(OWNER, "loop")
        broken = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)

        sound = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 8)).id)

        assert (broken.state, broken.error) == (WorkState.FAILED, INTERNAL_ERROR)
        assert sound.state is WorkState.DONE


def test_trying_again_asks_for_what_was_not_finished_with_the_same_seeds(open_studio: OpenStudio) -> None:
    generator = FailingGenerator(bad_seeds=(8,))
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)
        generator.bad_seeds = ()

        again = finished(studio, studio.retry_turn(OWNER, turn.id).id)

        assert [variation.seed for variation in again.variations] == [8]
        assert again.settings == turn.settings
        with pytest.raises(InvalidRequestError, match="nothing left"):
            studio.retry_turn(OWNER, again.id)


def test_after_a_restart_everything_is_there_and_unfinished_work_is_said_to_have_failed(
    open_studio: OpenStudio,
) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = studio.request_stem(OWNER, context.id, BASS)
        generator.gate.release()
        generator.entered.acquire(timeout=5)
        generator.entered.acquire(timeout=5)
        node = studio.pick(OWNER, studio.store.turn(OWNER, turn.id).variations[0].id)

    with open_studio(generator) as studio:
        snapshot = studio.snapshot(OWNER, context.session_id)

        assert [step.id for step in snapshot.lineage] == [context.id, node.id]
        assert _states(snapshot.turns[0]) == ["done", "failed"]
        assert not snapshot.has_work
        assert studio.audio_path(OWNER, _sha256(node)).is_file()


# ---- the tree ------------------------------------------------------------------------------------------------------


def test_the_model_listens_to_the_context_and_every_stem_picked_on_the_way(open_studio: OpenStudio) -> None:
    generator = EchoGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 1)).id)
        bass = studio.pick(OWNER, turn.variations[0].id)

        finished(studio, studio.request_stem(OWNER, bass.id, StemOrder("piano", 1, "fast", 1)).id)

        alone, with_bass = (np.asarray(heard.samples) for heard in generator.contexts)
        np.testing.assert_allclose(with_bass, 2 * alone, atol=1e-5)  # the echo of the context on top of it


def test_a_removed_stem_is_not_heard_any_more(open_studio: OpenStudio) -> None:
    generator = EchoGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 1)).id)
        bass = studio.pick(OWNER, turn.variations[0].id)

        bare = studio.remove_stem(OWNER, bass.id, bass.id)
        finished(studio, studio.request_stem(OWNER, bare.id, StemOrder("piano", 1, "fast", 1)).id)

        assert bare.kind is NodeKind.REMOVAL
        np.testing.assert_allclose(generator.contexts[1].samples, generator.contexts[0].samples, atol=1e-6)


def test_going_back_and_asking_there_makes_a_branch(studio: Studio, context: Node) -> None:
    first = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)
    studio.pick(OWNER, first.variations[0].id)

    studio.go_to(OWNER, context.session_id, context.id)
    second = finished(studio, studio.request_stem(OWNER, context.id, StemOrder("drums", 1, "fast", 3)).id)
    studio.pick(OWNER, second.variations[0].id)

    children = [node.instrument for node in studio.store.tree(OWNER, context.session_id) if node.parent_id]
    assert children == ["bass", "drums"]


def test_a_picked_variation_and_its_node_share_their_star(studio: Studio, context: Node) -> None:
    turn = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)
    node = studio.pick(OWNER, turn.variations[0].id)

    studio.star(OWNER, node_id=None, variation_id=turn.variations[0].id, is_starred=True)
    by_variation = studio.store.node(OWNER, node.id).is_starred
    studio.star(OWNER, node_id=node.id, variation_id=None, is_starred=False)

    assert by_variation
    assert not studio.store.variation(OWNER, turn.variations[0].id).is_starred


# ---- whose is it ---------------------------------------------------------------------------------------------------


def test_a_stranger_finds_nothing(studio: Studio, context: Node) -> None:
    turn = finished(studio, studio.request_stem(OWNER, context.id, BASS).id)
    variation = turn.variations[0]
    attempts = [
        lambda: studio.snapshot(STRANGER, context.session_id),
        lambda: studio.request_stem(STRANGER, context.id, BASS),
        lambda: studio.cancel_turn(STRANGER, turn.id),
        lambda: studio.retry_turn(STRANGER, turn.id),
        lambda: studio.pick(STRANGER, variation.id),
        lambda: studio.go_to(STRANGER, context.session_id, context.id),
        lambda: studio.remove_stem(STRANGER, context.id, context.id),
        lambda: studio.star(STRANGER, node_id=context.id, variation_id=None, is_starred=True),
        lambda: studio.rename(STRANGER, context.id, "mine"),
        lambda: studio.audio_path(STRANGER, _sha256(variation)),
    ]

    for attempt in attempts:
        with pytest.raises(NotFoundError):
            attempt()
    assert studio.sessions(STRANGER) == ()


def test_a_stranger_cannot_stop_a_running_turn(open_studio: OpenStudio) -> None:
    generator = GatedGenerator()
    with open_studio(generator) as studio:
        context = studio.start_from_example(OWNER, "loop")
        turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 1))
        generator.entered.acquire(timeout=5)

        with pytest.raises(NotFoundError):
            studio.cancel_turn(STRANGER, turn.id)
        generator.gate.release()

        assert finished(studio, turn.id).state is WorkState.DONE


@pytest.mark.parametrize("token", [None, "", 7, "short", "G" * 32, "0" * 31, "0" * 33, {"a": 1}])
def test_a_token_that_is_none_of_ours_is_replaced_by_a_random_one(studio: Studio, token: object) -> None:
    accepted = studio.accept_token(token)

    assert accepted != token
    assert len(bytes.fromhex(accepted)) == 16
    assert studio.accept_token(accepted) == accepted


# ---- contexts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "message"), [(0.2, "lasts 0.2 s"), (31.0, "lasts 31.0 s")])
def test_a_clip_too_short_or_too_long_is_refused_and_begins_nothing(
    studio: Studio, tmp_path: Path, seconds: float, message: str
) -> None:
    clip = write_clip(tmp_path / "clip.wav", seconds=seconds, sample_rate_hz=8000)

    with pytest.raises(AudioFormatError, match=message):
        studio.start_from_file(OWNER, clip, "clip")

    assert studio.sessions(OWNER) == ()


def test_a_silent_clip_is_refused(studio: Studio, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 8000)

    with pytest.raises(AudioFormatError, match="silent"):
        studio.start_from_file(OWNER, tmp_path / "silence.wav", "silence")


def test_an_unknown_example_is_refused(studio: Studio) -> None:
    with pytest.raises(InvalidRequestError, match="no such example"):
        studio.start_from_example(OWNER, "../../etc/passwd")


# ---- estimates -----------------------------------------------------------------------------------------------------


def test_the_speed_meter_scales_with_length_and_steps() -> None:
    meter = SpeedMeter()
    fast, balanced = (GenerationRequest("bass", 0, PRESETS[name]) for name in ("fast", "balanced"))
    assert meter.expect(fast, 8) is None

    meter.learn(fast, context_s=8, seconds_spent=4)

    assert meter.expect(fast, 8) == pytest.approx(4)
    assert meter.expect(fast, 16) == pytest.approx(8)
    assert meter.expect(balanced, 8) == pytest.approx(4 * sum(balanced.settings.num_steps) / 14)


def test_the_rest_is_told_by_the_mean_first_and_by_its_own_pace_later() -> None:
    assert expected_rest_s(1, 0.1, None) is None
    assert expected_rest_s(1, 0.1, 10) == 9
    assert expected_rest_s(12, 0.1, 10) == 0
    assert expected_rest_s(2, 0.5, 10) == 2
