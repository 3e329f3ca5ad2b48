"""Jams from every start, what is kept of them, and who may do what."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.errors import BusyError
from app.live import room as room_module
from app.live.making import Sound
from app.live.room import LiveRoom, Start
from app.live.session import LiveSession
from app.regeneration import Sameness, regenerate
from app.revising import revise_part
from app.row_requests import request_from_row
from app.services import Studio
from sessions.errors import NodeNotFoundError
from sessions.tree import Node, NodeKind, mix_nodes
from stemgen_core.errors import InvalidRequestError
from stemgen_core.types import Waveform
from tests.app.conftest import OpenStudio
from tests.app.fakes import NoiseBurstGenerator, write_clip
from tests.app.waiting import OWNER, finished, wait_for
from tests.slow_reading import SlowToRead

OTHER = "1" * 32
GROOVE = Start("groove", ("bass", "piano"), tempo_bpm=120, num_bars=1, seed=1)


@pytest.fixture
def quick() -> NoiseBurstGenerator:
    return NoiseBurstGenerator(seconds_per_step=0.001, genres=("lofi", "techno"))


@pytest.fixture
def studio(open_studio: OpenStudio, quick: NoiseBurstGenerator) -> Iterator[Studio]:
    with open_studio(quick) as opened:
        yield opened


@pytest.fixture
def room(studio: Studio) -> Iterator[LiveRoom]:
    opened = LiveRoom(studio)
    yield opened
    opened.close()


def play(live: LiveSession, num_loops: int) -> None:
    """Play like a page: what is ready takes over with the next loop; each loop waits for its version."""
    sounding = {part.id: part.playing.id for part in live.jam.parts.values() if part.playing}
    first = live.jam.loop + 1
    for loop in range(first, first + num_loops):
        for part in live.jam.parts.values():
            if not part.is_on:
                sounding.pop(part.id, None)
            elif part.next_version is not None:
                sounding[part.id] = part.next_version.id
        live.beat(loop, 0.0, dict(sounding))
        wait_for(lambda: live.jam.task is None)


def sounds_of(live: LiveSession) -> dict[str, Sound]:
    """Return the sounds of a jam by version, as they are now: the worker may be making one more."""
    with live.lock:
        return dict(live.sounds)


def tip(studio: Studio, room: LiveRoom, live: LiveSession) -> Node:
    """End a jam, so that all of it is written, and return the node that its session stands on."""
    room.leave(OWNER, live.id)
    return studio.store.node(OWNER, str(studio.sessions(OWNER)[0].current_node_id))


def test_everything_that_was_heard_is_in_the_tree_and_the_tip_sounds_like_the_jam(
    studio: Studio, room: LiveRoom
) -> None:
    live = room.open(OWNER, GROOVE)
    play(live, 5)
    room.leave(OWNER, live.id)

    session = studio.sessions(OWNER)[0]
    nodes = studio.store.tree(OWNER, session.id)
    heard = [version for version, sound in sounds_of(live).items() if sound.request is not None]
    made = [node for node in nodes if node.kind is NodeKind.STEM]
    assert len(made) >= 4
    assert len(made) >= len(heard) - 1  # the last was not heard any more
    lineage = studio.store.lineage(OWNER, str(session.current_node_id))
    assert [node.instrument for node in mix_nodes(lineage)[1:]] in (["bass", "piano"], ["piano", "bass"])


def test_a_version_in_the_tree_hangs_on_the_mix_that_it_was_made_for(
    studio: Studio, room: LiveRoom, quick: NoiseBurstGenerator
) -> None:
    live = room.open(OWNER, GROOVE)
    play(live, 5)
    room.leave(OWNER, live.id)

    session = studio.sessions(OWNER)[0]
    contexts = {request.seed: context for request, context in zip(quick.requests, quick.contexts, strict=True)}
    made = [node for node in studio.store.tree(OWNER, session.id) if node.kind is NodeKind.STEM]
    for node in made:
        below = studio.store.lineage(OWNER, str(node.parent_id))
        assert torch.equal(studio.sounds.mix_at(below).samples, contexts[node.seed or 0].samples)


def test_a_version_in_the_tree_can_be_made_again(studio: Studio, room: LiveRoom, quick: NoiseBurstGenerator) -> None:
    live = room.open(OWNER, GROOVE)
    play(live, 3)
    node = tip(studio, room, live)

    variation = studio.store.variation(OWNER, str(node.variation_id))
    turn = studio.store.turn(OWNER, variation.turn_id)
    below = studio.store.lineage(OWNER, turn.node_id)
    again = regenerate(turn, variation, below, generator=quick, sounds=studio.sounds, build_request=request_from_row)

    assert again.sameness is Sameness.IDENTICAL
    assert request_from_row(turn, variation).is_loop


@pytest.mark.parametrize("ask", ["reroll", "revise"])
def test_what_is_asked_of_a_live_turn_again_is_a_loop_between_the_same_genres_and_takes_its_time(
    ask: str, studio: Studio, room: LiveRoom, quick: NoiseBurstGenerator
) -> None:
    live = room.open(OWNER, GROOVE)
    live.set_controls({"genre": "lofi", "genre_to": "techno", "genre_morph": 0.5, "density": 1.0})
    play(live, 2)
    for version_id, sound in sounds_of(live).items():  # as if each had had to hurry
        if sound.request is not None:
            hurried = replace(sound.request, settings=replace(sound.request.settings, max_steps=7))
            live.sounds[version_id] = replace(sound, request=hurried)
    node = tip(studio, room, live)
    variation = studio.store.variation(OWNER, str(node.variation_id))
    assert studio.store.turn(OWNER, variation.turn_id).settings["max_steps"] == 7

    if ask == "reroll":
        again = studio.reroll_turn(OWNER, variation.turn_id, 77)
    else:
        again = revise_part(
            studio, OWNER, variation.id, parts=(0, 0), first_seed=77, num_variations=1, open_node_id=node.id
        )
    kept = finished(studio, again.id)

    asked = next(request for request in quick.requests if request.seed == 77)
    assert asked.is_loop
    assert kept.settings["is_loop"]
    assert (asked.genre, asked.genre_to, asked.genre_morph) == ("lofi", "techno", 0.5)
    assert asked.settings.density == 1.0
    assert asked.settings.max_steps is None


def test_from_a_session_its_stems_become_parts_and_the_tree_goes_on(
    studio: Studio, room: LiveRoom, context: Node
) -> None:
    live = room.open(OWNER, Start("node", ("bass",), node_id=context.id))
    play(live, 3)
    room.leave(OWNER, live.id)

    again = room.open(OWNER, Start("node", node_id=studio.sessions(OWNER)[0].current_node_id))

    assert [part.instrument for part in again.jam.parts.values()] == [None, "bass"]
    assert len(studio.sessions(OWNER)) == 1
    assert again.clock.num_frames == live.clock.num_frames


def test_from_a_file_the_loop_is_as_long_as_the_file_and_may_be_taken_twice(room: LiveRoom, tmp_path: Path) -> None:
    start = Start("loop", source=write_clip(tmp_path / "mine.wav", seconds=4.0), name="Mine")

    once = room.open(OWNER, start).clock
    twice = room.open(OWNER, replace(start, repeats=2)).clock

    assert (once.num_frames, twice.num_frames) == (4 * 44_100, 8 * 44_100)


def test_from_silence_a_click_keeps_time_and_its_strip_is_quiet_in_the_session(studio: Studio, room: LiveRoom) -> None:
    live = room.open(OWNER, replace(GROOVE, kind="silence"))
    play(live, 3)
    node = tip(studio, room, live)

    root = studio.store.lineage(OWNER, node.id)[0]
    assert live.timekeeper_id == next(iter(live.jam.parts))
    assert root.mixer.is_muted


def test_the_genre_of_the_groove_is_asked_of_the_players(room: LiveRoom, quick: NoiseBurstGenerator) -> None:
    live = room.open(OWNER, replace(GROOVE, genre="techno"))
    play(live, 1)

    assert quick.requests[0].genre == "techno"


def test_what_the_microphone_hears_is_part_of_the_mix_and_the_row_says_that_it_is_lost(
    studio: Studio, room: LiveRoom, quick: NoiseBurstGenerator
) -> None:
    live = room.open(OWNER, GROOVE)
    live.microphone.set_open(True)
    live.microphone.write(-100, torch.full((200,), 0.25))
    play(live, 3)
    node = tip(studio, room, live)

    groove = live.waveform(next(iter(sounds_of(live))))
    assert torch.allclose(quick.contexts[0].samples[0, :100], groove.samples[0, :100] + 0.25)
    assert torch.allclose(quick.contexts[0].samples[0, -100:], groove.samples[0, -100:] + 0.25)
    variation = studio.store.variation(OWNER, str(node.variation_id))
    with pytest.raises(InvalidRequestError, match="made from another"):
        request_from_row(studio.store.turn(OWNER, variation.turn_id), variation)


def test_less_variation_makes_some_bars_anew_and_keeps_the_sound(room: LiveRoom, quick: NoiseBurstGenerator) -> None:
    live = room.open(OWNER, replace(GROOVE, instruments=("bass",), num_bars=4))
    live.set_controls({"variation": 0.25})
    play(live, 3)

    first, second = quick.requests[:2]
    assert first.revision is None
    assert second.revision is not None
    assert second.revision.end_s - second.revision.start_s == pytest.approx(2.0, abs=1e-3)
    assert second.revision.sound_seed == first.seed


def test_a_take_is_the_loops_that_were_played_and_opens_as_a_session(studio: Studio, room: LiveRoom) -> None:
    live = room.open(OWNER, GROOVE)
    play(live, 2)
    live.set_recording(is_recording=True)
    play(live, 3)
    live.set_recording(is_recording=False)
    play(live, 1)

    take = room.render_take(OWNER, live.id)
    node = room.open_take(OWNER, live.id)

    assert take.num_audio_samples == 3 * live.clock.num_frames
    lineage = studio.store.lineage(OWNER, node.id)
    assert [one.instrument for one in lineage] in ([None, "bass", "piano"], [None, "piano", "bass"])
    mix = studio.sounds.mix_at(lineage)
    scale = max(1.0, float(mix.samples.abs().max()))
    assert torch.allclose(mix.samples / scale, take.samples, atol=1e-4)
    root = lineage[0].analysis or {}
    assert root["num_bars"] == 3 * live.clock.num_bars


def test_a_take_opens_while_somebody_joins(studio: Studio, room: LiveRoom) -> None:
    live = room.open(OWNER, GROOVE)
    live.set_recording(is_recording=True)
    play(live, 2)
    live.jam.remove_part(next(iter(live.jam.parts)))  # the groove: all the others are looked at, too
    live.jam.parts = parts = SlowToRead(live.jam.parts)

    with ThreadPoolExecutor(1) as pool:
        opened = pool.submit(room.open_take, OWNER, live.id)
        assert parts.is_being_read.wait(30)
        live.add_player("guitar")

        assert studio.store.lineage(OWNER, opened.result().id)
    assert len(live.jam.parts) == 3


def test_without_a_recording_there_is_no_take(room: LiveRoom) -> None:
    live = room.open(OWNER, GROOVE)

    with pytest.raises(InvalidRequestError, match="Nothing was recorded yet"):
        room.render_take(OWNER, live.id)


def test_jams_of_others_are_not_found(studio: Studio, room: LiveRoom, context: Node) -> None:
    live = room.open(OWNER, GROOVE)

    with pytest.raises(InvalidRequestError, match="is over"):
        room.find(OTHER, live.id)
    with pytest.raises(NodeNotFoundError):
        room.open(OTHER, Start("node", node_id=context.id))


def test_a_second_jam_of_one_owner_ends_the_first(room: LiveRoom) -> None:
    first = room.open(OWNER, GROOVE)
    room.open(OWNER, GROOVE)

    with pytest.raises(InvalidRequestError, match="is over"):
        room.find(OWNER, first.id)


def test_a_jam_whose_page_is_gone_ends(room: LiveRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "SILENT_AFTER_S", 0.1)
    live = room.open(OWNER, GROOVE)

    def is_over() -> bool:
        try:
            room.find(OWNER, live.id)
        except InvalidRequestError:
            return True
        return False

    assert wait_for(is_over)


def test_there_is_room_for_so_many_jams(room: LiveRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "MAX_JAMS", 1)
    room.open(OWNER, GROOVE)

    with pytest.raises(BusyError, match="Try again"):
        room.open(OTHER, GROOVE)
    room.open(OWNER, GROOVE)  # one's own gives its place up


@pytest.mark.parametrize(("owners", "num_jams"), [("012345", 2), ("000000", 1)])
def test_limits_hold_when_all_come_at_once(
    room: LiveRoom, monkeypatch: pytest.MonkeyPatch, owners: str, num_jams: int
) -> None:
    build = LiveRoom._build

    def build_slowly(self: LiveRoom, owner_token: str, start: Start) -> Any:
        time.sleep(0.5)
        return build(self, owner_token, start)

    def come(owner: str) -> tuple[str, str]:
        try:
            return owner * 32, room.open(owner * 32, GROOVE).id
        except BusyError:
            return owner * 32, ""

    def goes_on(owner_token: str, jam_id: str) -> bool:
        try:
            return room.find(owner_token, jam_id).id == jam_id
        except InvalidRequestError:
            return False

    monkeypatch.setattr(room_module, "MAX_JAMS", 2)
    monkeypatch.setattr(LiveRoom, "_build", build_slowly)
    with ThreadPoolExecutor(6) as pool:
        came = list(pool.map(come, owners))

    assert sum(goes_on(*jam) for jam in came) == num_jams
    for jam in came:
        if goes_on(*jam):
            room.leave(*jam)
    assert room.open(OWNER, GROOVE).id  # the places of those who were turned away are free


def test_jam_that_can_not_be_written_down_keeps_no_other_from_ending(
    room: LiveRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("never seen before")

    monkeypatch.setattr(LiveRoom, "_write", break_down)
    room.open(OWNER, GROOVE)
    assert wait_for(lambda: "never seen before" in caplog.text)

    monkeypatch.setattr(room_module, "SILENT_AFTER_S", 0.0)

    assert wait_for(lambda: not room._seats)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (Start("noise"), "Begin from silence"),
        (replace(GROOVE, tempo_bpm=3), "50 to 200"),
        (replace(GROOVE, num_bars=64), "Loops for live last"),
        (replace(GROOVE, instruments=("kazoo",)), "Choose an instrument"),
        (Start("loop"), "Choose a loop first"),
    ],
)
def test_what_can_not_be_begun_is_said_in_words(room: LiveRoom, start: Start, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        room.open(OWNER, start)


@pytest.mark.parametrize(("loop", "position_s"), [(-1, 0.0), (10**9, 0.0), (0, float("nan")), (0, 1e9)])
def test_a_place_where_the_music_can_not_be_is_refused(room: LiveRoom, loop: int, position_s: float) -> None:
    live = room.open(OWNER, GROOVE)

    with pytest.raises(InvalidRequestError, match="not where the page says"):
        live.beat(loop, position_s, {})


def test_others_turns_go_between_the_versions_of_a_jam(
    studio: Studio, room: LiveRoom, context: Node, quick: NoiseBurstGenerator
) -> None:
    live = room.open(OWNER, GROOVE)
    play(live, 2)

    assert quick.max_running == 1
    assert isinstance(live.waveform(next(iter(sounds_of(live)))), Waveform)
    assert context.session_id != room.session_id(OWNER, live.id)
