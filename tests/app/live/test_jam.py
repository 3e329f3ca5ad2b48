"""Who plays what, who is next, and what is counted."""

from itertools import count

import pytest

from app.live.controls import Controls
from app.live.jam import MAX_PARTS, Jam, Part, Task
from stemgen_core.errors import InvalidRequestError


@pytest.fixture
def jam() -> Jam:
    numbers = count()
    return Jam(lambda: f"id{next(numbers)}")


def make(jam: Jam, soonest: int | None = None) -> Task:
    """Begin a version and finish it at once."""
    task = jam.next_task(jam.loop + 1 if soonest is None else soonest)
    assert task is not None
    assert jam.finish(task)
    return task


def sound(jam: Jam, loop: int, now_s: float = 0.0) -> None:
    """Let the page play a loop: what was to take over has."""
    for part in jam.parts.values():
        if part.coming is not None and part.coming.loop <= loop:
            jam.take_over(part.coming.version.id, now_s)
    jam.begin_loop(loop)


def band(jam: Jam, *instruments: str) -> list[Part]:
    jam.add_part(None, plays=True)
    parts = [jam.add_part(instrument) for instrument in instruments]
    jam.begin_loop(0)
    return parts


def test_parts_take_turns_and_each_is_made_for_what_the_others_will_play(jam: Jam) -> None:
    groove, (bass, piano) = None, band(jam, "bass", "piano")
    groove = next(iter(jam.parts.values()))

    tasks = []
    for loop in range(1, 5):
        tasks.append(make(jam))
        sound(jam, loop)

    assert [task.part_id for task in tasks] == [bass.id, piano.id, bass.id, piano.id]
    assert groove.playing is not None
    assert tasks[0].version.heard == (groove.playing.id,)
    assert tasks[1].version.heard == (groove.playing.id, tasks[0].version.id)
    assert tasks[2].version.heard == (groove.playing.id, tasks[1].version.id)


def test_one_version_at_a_time_and_one_for_each_loop(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    make(jam)
    sound(jam, 1)
    task = jam.next_task(2)

    assert task is not None
    assert jam.next_task(2) is None  # it is being made
    jam.finish(task)
    assert jam.next_task(2) is None  # it is there; the loop has had its version
    sound(jam, 2)
    assert jam.next_task(3) is not None
    assert bass.playing == task.version


def test_everybody_gets_a_first_version_without_waiting_for_the_next_loop(jam: Jam) -> None:
    band(jam, "bass", "piano", "guitar")

    assert [make(jam).version.number for _ in range(3)] == [1, 1, 1]


def test_a_version_that_is_late_is_counted_and_takes_over_later(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    make(jam)
    sound(jam, 1)
    old = bass.playing
    task = jam.next_task(2)
    assert task is not None

    sound(jam, 2)
    sound(jam, 3)

    assert bass.playing == old
    assert jam.score.num_missed == 2
    jam.finish(task)
    sound(jam, 4)
    assert bass.playing == task.version
    assert (jam.score.num_in_time, jam.score.num_missed) == (1, 2)


def test_a_version_that_the_page_did_not_get_in_time_is_a_miss(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    make(jam)

    jam.begin_loop(1)  # nobody said that it took over

    assert jam.score.num_missed == 1
    assert bass.coming is not None
    assert bass.coming.loop == 2


def test_held_parts_keep_their_version_and_what_was_being_made_is_dropped(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    make(jam)
    sound(jam, 1)
    task = jam.next_task(2)
    assert task is not None

    jam.hold(bass.id, is_held=True)

    assert not jam.finish(task)
    sound(jam, 2)
    assert jam.next_task(3) is None
    jam.hold(bass.id, is_held=False)
    assert jam.next_task(3) is not None


def test_parts_that_are_off_are_neither_heard_nor_made(jam: Jam) -> None:
    bass, piano = band(jam, "bass", "piano")
    make(jam)
    make(jam)
    sound(jam, 1)
    assert piano.playing is not None

    jam.switch(piano.id, is_on=False)
    task = make(jam)

    assert task.part_id == bass.id
    assert piano.playing.id not in (task.version.heard or ())


def test_who_is_asked_for_is_next_even_within_the_loop(jam: Jam) -> None:
    _, piano = band(jam, "bass", "piano")
    make(jam)
    make(jam)
    sound(jam, 1)
    make(jam)

    jam.regenerate(piano.id)

    task = jam.next_task(3)
    assert task is not None
    assert task.part_id == piano.id


def test_undo_goes_back_version_by_version_and_holds(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    versions = []
    for loop in range(1, 4):
        versions.append(make(jam).version)
        sound(jam, loop)

    jam.undo(bass.id)
    sound(jam, 4)

    assert bass.playing == versions[1]
    assert bass.is_held
    jam.undo(bass.id)
    sound(jam, 5)
    assert bass.playing == versions[0]
    with pytest.raises(InvalidRequestError, match="nothing else before"):
        jam.undo(bass.id)
    assert jam.score.num_in_time == 3


def test_undo_before_the_boundary_takes_back_what_was_coming(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    first = make(jam).version
    sound(jam, 1)
    make(jam)

    jam.undo(bass.id)
    sound(jam, 2)

    assert bass.playing == first
    assert bass.coming is None


def test_a_change_is_heard_with_the_first_version_begun_after_it_and_its_delay_is_measured(jam: Jam) -> None:
    band(jam, "bass")
    make(jam)
    sound(jam, 1)
    running = jam.next_task(2)
    assert running is not None

    jam.set_controls(Controls(density=1.0), now_s=10.0)
    jam.finish(running)
    sound(jam, 2, now_s=12.0)
    task = make(jam)
    sound(jam, 3, now_s=20.0)

    assert running.controls.density == 0.0
    assert task.controls.density == 1.0
    assert list(jam.score.delays_s) == [10.0]


def test_of_changes_made_one_after_another_the_delay_is_that_of_the_last(jam: Jam) -> None:
    band(jam, "bass")
    make(jam)
    sound(jam, 1)
    for density, now_s in ((1.0, 10.0), (2.0, 11.5), (0.5, 13.0)):
        jam.set_controls(Controls(density=density), now_s=now_s)
    make(jam)
    sound(jam, 2, now_s=20.0)
    jam.set_controls(Controls(density=3.0), now_s=21.0)
    make(jam)
    sound(jam, 3, now_s=30.0)

    assert list(jam.score.delays_s) == [7.0, 9.0]


def test_versions_may_come_every_few_loops(jam: Jam) -> None:
    band(jam, "bass")
    jam.set_controls(Controls(every=3), now_s=0.0)
    begun = []
    for loop in range(1, 10):
        if jam.next_task(jam.loop + 1):
            begun.append(jam.loop)
            assert jam.task is not None
            jam.finish(jam.task)
        sound(jam, loop)

    assert begun == [0, 3, 6]


def test_a_part_that_left_is_not_made_any_more(jam: Jam) -> None:
    (bass,) = band(jam, "bass")
    task = jam.next_task(1)
    assert task is not None

    jam.remove_part(bass.id)

    assert not jam.finish(task)
    with pytest.raises(InvalidRequestError, match="not there"):
        jam.part(bass.id)


def test_there_is_room_for_so_many_and_no_more(jam: Jam) -> None:
    for _ in range(MAX_PARTS):
        jam.add_part("bass")

    with pytest.raises(InvalidRequestError, match=f"{MAX_PARTS} parts"):
        jam.add_part("bass")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"density": 9}, "Density must be -4 to 4"),
        ({"temperature": 0}, "Temperature must be"),
        ({"every": float("nan")}, "must be a number"),
        ({"every": True}, "must be a number"),
        ({"genre": "polka"}, "does not know this genre"),
        ({"loudness": 3}, "no such control"),
    ],
)
def test_controls_out_of_range_are_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        Controls().changed(given, ("lofi",))


def test_controls_are_taken_as_they_are_given() -> None:
    changed = Controls().changed({"density": 1, "every": 2.0, "genre": "lofi", "genre_to": ""}, ("lofi",))

    assert changed == Controls(density=1.0, every=2, genre="lofi")
