"""Fig. 2.7b: the Inception at three sizes, its methods paired, its claims those of the source."""

import pytest

from course_lib import studies
from course_lib.studies.verdicts import quantity

STUDY = studies.get("shade.figure_2_7b")
QUICK = {"labels": (50,), "steps": 2, "width": 0.05}


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 1)
    assert set(result.cells) == {(method, n) for method in ("none", "shade") for n in (50, 100, 200)}
    assert all(quantity(claim, result.values[0]) is not None for claim in STUDY.claims)


def test_without_its_penalty_shade_is_the_baseline():
    for cells in studies.run(STUDY, "smoke", 2, weight=0.0, **QUICK).values.values():
        assert cells["none", 50] == cells["shade", 50]


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(STUDY, "gpu", 1, "digits_m", crop=12, batch_size=20, **QUICK)
    assert len(result.cells) == 2 and result.config["crop"] == 12


@pytest.mark.parametrize("claim", STUDY.claims, ids=lambda claim: claim.text)
def test_each_claim_holds_for_the_papers_own_numbers(claim):
    assert claim.above < quantity(claim, STUDY.paper) < claim.below


def test_the_papers_gains_are_those_of_its_figure():
    gains = [STUDY.paper["shade", n] - STUDY.paper["none", n] for n in (4000, 10_000, 50_000)]
    assert gains == pytest.approx([5.93, 1.71, 2.31])


def test_the_gain_needs_three_sizes():
    assert quantity(STUDY.claims[0], {("none", 50): 1.0, ("shade", 50): 2.0}) is None
