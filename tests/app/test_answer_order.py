"""Answers that come out of order."""

import threading

import pytest

from app.ui import answer_order
from app.ui.answer_order import AnswerOrder


def test_an_answer_that_a_newer_one_overtook_is_told_so() -> None:
    order = AnswerOrder()
    first, second, third = order.begin(), order.begin(), order.begin()

    assert not order.is_overtaken(second, "tab")
    assert order.is_overtaken(first, "tab")
    assert not order.is_overtaken(third, "tab")


def test_tabs_do_not_overtake_each_other() -> None:
    order = AnswerOrder()
    first, second = order.begin(), order.begin()

    assert not order.is_overtaken(second, "one")
    assert not order.is_overtaken(first, "other")


def test_the_tabs_that_were_silent_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_order, "MAX_TABS", 2)
    order = AnswerOrder()
    first = order.begin()
    for tab in ("one", "two", "one", "three"):
        order.is_overtaken(order.begin(), tab)

    assert order.is_overtaken(first, "one")
    assert not order.is_overtaken(first, "two")


def test_of_answers_given_from_many_threads_the_newest_always_gets_through() -> None:
    order = AnswerOrder()
    given: list[int] = []

    def answer() -> None:
        for _ in range(200):
            number = order.begin()
            if not order.is_overtaken(number, "tab"):
                given.append(number)

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert max(given) == 1600
    assert len(set(given)) == len(given)
