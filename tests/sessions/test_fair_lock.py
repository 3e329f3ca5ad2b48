"""First come, first served."""

import threading
import time

import pytest

from sessions.fair_lock import FairLock


def test_threads_are_let_through_in_the_order_they_came() -> None:
    lock, order = FairLock(), list[int]()
    assert lock.acquire(0)

    def wait(number: int) -> None:
        lock.acquire(10)
        order.append(number)
        lock.release()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join()

    assert order == [0, 1, 2, 3, 4]


def test_one_who_gave_up_is_passed_over() -> None:
    lock = FairLock()
    lock.acquire(0)

    assert not lock.acquire(0.01)
    lock.release()

    assert lock.acquire(0)
    assert not lock.acquire(0)


def test_turn_that_comes_in_the_moment_of_giving_up_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = FairLock()
    lock.acquire(0)

    class LateTicket:
        def acquire(self, timeout: float | None = None) -> bool:
            if timeout is None:
                return True
            lock.release()  # after the wait has ended, before anybody looked
            return False

        def release(self) -> None:
            pass

    with monkeypatch.context() as late:
        late.setattr(threading, "Lock", LateTicket)
        assert lock.acquire(0.01)

    assert not lock.acquire(0)
    lock.release()
    assert lock.acquire(0)
