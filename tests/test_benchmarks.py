"""The benchmarks: a race is fair, and batches are as fast as they promise."""

import pytest

from benchmarks import batches as benchmark
from benchmarks.common import race, ratios


def test_a_race_gives_ratios_of_best_times():
    calls = []
    best = race({"ours": lambda: calls.append("a"), "peer": lambda: calls.append("b")}, rounds=3)
    assert calls == ["a", "b"] * 4
    assert ratios({"ours": 2.0, "peer": 5.0}, "ours") == {"peer": 2.5}
    assert set(best) == {"ours", "peer"} and min(best.values()) >= 0


@pytest.mark.slow
@pytest.mark.parametrize("crop", [28, 32])
@pytest.mark.parametrize("title", ["one view", "two views"])
def test_batches_are_as_much_faster_than_pil_as_promised(title, crop):
    peer, goal = benchmark.GOALS[title]
    contestants = {"one view": benchmark.one_view, "two views": benchmark.two_views}[title]
    contestants = contestants(benchmark.pictures().subset(range(512)), crop)
    best = race({name: contestants[name] for name in (benchmark.OURS, peer)}, rounds=3)
    assert ratios(best, benchmark.OURS)[peer] >= goal


def test_a_turn_of_a_race_lasts_as_long_as_it_should():
    calls = []
    best = race({"short": lambda: calls.append(1)}, rounds=2, turn=0.01)
    assert len(calls) > 20 and 0 < best["short"] < 0.001
