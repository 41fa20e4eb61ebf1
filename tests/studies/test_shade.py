"""The studies of the SHADE chapter: they run in seconds, pair their methods, and state the paper rightly."""

import os

import pytest
import torch

from course_lib import data, studies
from course_lib.nets import SmallConvNet
from course_lib.studies.shade.labels_curve import PAPER_LABELS
from course_lib.studies.shade.shared import labelled_images, train
from course_lib.studies.verdicts import quantity
from course_lib.training import cross_entropy

STUDY = studies.get("shade.figure_2_7a")
QUICK = {"labels": (50,), "steps": 3, "width": 4}


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke")
    assert result.seeds == [0, 1] and result.data == "digits_m"
    assert set(result.cells) == {(m, n) for m in ("none", "shade", "varentropy") for n in (50, 100)}
    assert all(0 <= value <= 100 for cells in result.values.values() for value in cells.values())
    assert result.series("labels", method="shade")[0] == [50, 100]


def test_without_its_penalty_each_method_is_the_baseline():
    """So they share first weights, labelled images and batches, and the hooks change nothing."""
    for cells in studies.run(STUDY, "smoke", 2, weight=0.0, **QUICK).values.values():
        assert cells["none", 50] == cells["shade", 50] == cells["varentropy", 50]


def test_the_penalty_changes_what_is_learned():
    cells = studies.run(STUDY, "smoke", 1, weight=1.0, **(QUICK | {"steps": 40})).values[0]
    assert cells["none", 50] != cells["shade", 50]


def test_a_seed_gives_its_numbers_whatever_else_is_measured():
    alone = studies.run(STUDY, "smoke", [1], methods=("shade",), **QUICK)
    together = studies.run(STUDY, "smoke", [0, 1], **QUICK)
    assert alone.values[1]["shade", 50] == together.values[1]["shade", 50]
    assert together.values[0] != together.values[1]


def test_more_labels_than_there_are_images_are_left_out():
    result = studies.run(STUDY, "smoke", 1, labels=(50, 5000), steps=2, width=4, methods=("none",))
    assert result.cells == [("none", 50)]


def test_labelled_images_are_balanced_or_else_in_proportion():
    labels = torch.tensor([0] * 30 + [1] * 10 + [2] * 20)
    assert labels[labelled_images(labels, 30, seed=1)].bincount().tolist() == [10, 10, 10]
    assert labels[labelled_images(labels, 54, seed=1)].bincount().tolist() == [27, 9, 18]
    assert labelled_images(labels, 60, seed=1).tolist() == list(range(60))


def test_weight_decay_is_half_its_strength_times_the_squared_weights_in_the_loss():
    """One step of SGD, against the term of the loss written out; biases are not decayed."""
    pool = data.load("digits_m", "train")
    decayed, explicit = (SmallConvNet(pool.shape, 10, width=4) for _ in range(2))
    explicit.load_state_dict(decayed.state_dict())
    batch = next(iter(data.Batches(pool, 20, seed=0)))
    train(decayed, [batch], "none", weight=0, steps=1, lr=0.1, momentum=0.0, weight_decay=0.3)
    squares = sum(weight.square().sum() for weight in explicit.parameters() if weight.ndim > 1)
    (cross_entropy(explicit, batch, None) + 0.15 * squares).backward()
    for one, other in zip(decayed.parameters(), explicit.parameters()):
        assert torch.allclose(one, other - 0.1 * other.grad, atol=1e-6)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="method is 'shade2', possible are none, shade, det"):
        studies.run(STUDY, "smoke", 1, methods=("shade2",), **QUICK)


def test_the_papers_gains_are_those_of_its_figure():
    gains = [STUDY.paper["shade", n] - STUDY.paper["none", n] for n in PAPER_LABELS]
    assert gains == pytest.approx([9.3, 11.2, 15.7, 11.1, 6.5, 1.0, 0.1, -0.2])


@pytest.mark.parametrize("claim", STUDY.claims, ids=lambda claim: claim.text)
def test_each_claim_holds_for_the_papers_own_numbers(claim):
    assert claim.above < quantity(claim, STUDY.paper) < claim.below


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(STUDY, "gpu", 1, "digits_m", **QUICK)
    assert len(result.cells) == 3 and result.config["size"] == 32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist_m", "cifar10"])
def test_it_runs_on_real_images(name):
    if not os.environ.get("COURSE_DATA") or data.verify(name).state == "missing":
        pytest.skip(f"{name} is not in COURSE_DATA")
    result = studies.run(STUDY, "smoke", 1, name, **QUICK)
    assert result.data == name and len(result.cells) == 3


@pytest.mark.slow
def test_with_a_hundred_labels_shade_beats_the_baseline_on_each_of_three_seeds():
    result = studies.run(STUDY, "cpu", 3, labels=(100,), methods=("none", "shade"))
    assert (result.samples("shade", 100) > result.samples("none", 100) + 2).all()
