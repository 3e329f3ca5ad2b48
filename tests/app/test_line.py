"""Who is next in line."""

import random

import pytest

from app.line import FairLine


def _turns(line: FairLine) -> list[str]:
    return [turn for turn, _ in line.forecast()]


def test_alone_in_line_turns_are_made_in_the_order_they_came() -> None:
    line = FairLine()
    line.join("anna", "first", [1, 1])
    line.join("anna", "second", [1])

    assert _turns(line) == ["first", "first", "second"]


def test_owners_take_turns_variation_by_variation_however_much_one_asks_for() -> None:
    line = FairLine()
    for number in range(3):
        line.join("flooder", f"flood {number}", [1, 1])
    line.join("light", "light", [1, 1])

    assert _turns(line) == ["flood 0", "light", "flood 0", "light", "flood 1", "flood 1", "flood 2", "flood 2"]


def test_whoever_comes_while_a_variation_is_made_is_ahead_of_its_owner() -> None:
    line = FairLine()
    line.join("flooder", "flood", [1] * 4)
    line.take()

    line.join("light", "light", [1])

    assert _turns(line)[0] == "light"


def test_shares_are_of_work_and_not_of_variations() -> None:
    line = FairLine()
    line.join("thorough", "thorough", [10] * 5)
    line.join("fast", "fast", [1] * 4)

    assert _turns(line)[:5] == ["thorough", "fast", "fast", "fast", "fast"]


@pytest.mark.parametrize("seed", range(30))
def test_nobody_starves_and_nobody_in_line_gets_much_more_than_another(seed: int) -> None:
    rng = random.Random(seed)
    line = FairLine()
    costs = {name: rng.choice([1.0, 3.0, 10.0]) for name in "abcde"}
    for name, cost in costs.items():
        line.join(name, name, [cost] * 500)
    done = dict.fromkeys(costs, 0.0)

    for _ in range(400):
        step = line.take()
        assert step is not None
        done[step[0]] += step[1]

    assert max(done.values()) - min(done.values()) <= 2 * max(costs.values())


def _wait(num_variations: int, flood_cost: float, is_flooded: bool, seed: int) -> float:
    """Return how much work is done from the light user's request until its last variation is there."""
    rng = random.Random(seed)
    line = FairLine()
    rest = 0.0
    if is_flooded:
        for number in range(6):
            line.join("flooder", f"flood {number}", [flood_cost] * 4)
        for _ in range(rng.randrange(1, 12)):
            step = line.take()
            rest = 0.0 if step is None else rng.random() * step[1]  # of the variation that is being made
    line.join("light", "light", [1.0] * num_variations)
    waited = rest
    while line.num_turns("light"):
        step = line.take()
        waited += 0.0 if step is None else step[1]
    return waited


@pytest.mark.parametrize("num_variations", [1, 2, 4])
def test_one_flooder_at_most_doubles_the_wait_of_a_light_user(num_variations: int) -> None:
    alone = sorted(_wait(num_variations, 1.0, False, seed) for seed in range(100))
    flooded = sorted(_wait(num_variations, 1.0, True, seed) for seed in range(100))

    assert flooded[94] <= 2 * alone[94]


def test_under_a_flood_of_thorough_variations_a_fast_one_waits_for_two_of_them_at_most() -> None:
    assert max(_wait(4, 10.0, True, seed) for seed in range(100)) <= 2 * 10 + 4


def test_newcomers_without_end_do_not_keep_anybody_waiting_for_ever() -> None:
    line = FairLine()
    line.join("patient", "patient", [1, 1, 1])
    line.join("other", "other", [1])
    taken: list[str] = []

    for number in range(40):
        line.join(f"newcomer {number}", f"newcomer {number}", [1])
        step = line.take()
        taken.append(step[0] if step else "")

    assert taken.count("patient") == 3


def test_who_leaves_is_not_served_and_does_not_hold_up_the_others() -> None:
    line = FairLine()
    line.join("anna", "first", [1, 1])
    line.join("anna", "second", [1])
    line.join("bert", "third", [1])
    line.take()

    line.leave("first")
    line.leave("never there")

    assert sorted(_turns(line)) == ["second", "third"]
    assert len(line) == 2


def test_credit_is_not_saved_up() -> None:
    line = FairLine()
    line.join("big", "big", [10, 10])
    line.join("small", "small", [1])
    line.take()
    line.take()  # small had credit for ten and needed one
    line.join("small", "again", [1] * 20)

    assert _turns(line)[:12].count("again") <= 11


def test_looking_ahead_changes_nothing() -> None:
    line = FairLine()
    line.join("anna", "first", [1, 2])
    line.join("bert", "second", [3])

    assert line.forecast() == line.forecast()
    assert line.take() == ("first", 1)


@pytest.mark.parametrize("costs", [[], [1, 0], [-1]])
def test_work_that_costs_nothing_is_refused(costs: list[float]) -> None:
    with pytest.raises(ValueError, match="costs must be above 0"):
        FairLine().join("anna", "turn", costs)
