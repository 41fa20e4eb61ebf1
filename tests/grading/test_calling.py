"""The time limit on a learner's code: in the main thread, in another, during a sleep, and over."""

import signal
import threading
import time

import pytest

from course_lib.grading.calling import TimeUp, time_limit


def loop():
    while True:
        pass


def deaf():
    """Swallows what it is sent for a while."""
    for _ in range(3):
        try:
            while True:
                pass
        except BaseException:
            pass


@pytest.mark.parametrize("work", [loop, deaf, lambda: time.sleep(60)], ids=["loop", "deaf", "sleep"])
def test_what_runs_too_long_is_stopped(work):
    began = time.monotonic()
    with pytest.raises(TimeUp), time_limit(0.2):
        work()
    assert time.monotonic() - began < 20


def test_it_works_in_another_thread():
    stopped = []

    def run():
        try:
            with time_limit(0.2):
                loop()
        except TimeUp:
            stopped.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=30)
    assert stopped == [True]


def test_limits_may_lie_within_each_other_and_leave_the_signal_as_it_was():
    def mine(*_):
        raise AssertionError("this belongs to somebody else")

    before = signal.signal(signal.SIGALRM, mine) if hasattr(signal, "SIGALRM") else None
    try:
        with time_limit(30):
            with pytest.raises(TimeUp), time_limit(0.1):
                loop()
            assert sum(range(10)) == 45
        if before is not None:
            assert signal.getsignal(signal.SIGALRM) is mine
    finally:
        if before is not None:
            signal.signal(signal.SIGALRM, before)
