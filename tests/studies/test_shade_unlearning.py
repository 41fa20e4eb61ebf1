"""Unlearning: all methods forget from the same net, and the comparison at equal variance is right."""

import pytest
import torch

from course_lib import data, studies
from course_lib.methods.variance import VarEntropy
from course_lib.nets import SmallConvNet
from course_lib.studies.shade.figure_a_1 import EPOCHS, PAPER, accuracy_with, lead_with, leads
from course_lib.studies.shade.shared import regulariser
from course_lib.studies.shade.unlearning import Unlearning, make_net, total_variance, unlearn
from course_lib.studies.verdicts import AGREES, NOT_MEASURED, judge, quantity

STUDIES = [studies.get("shade.figure_a_1"), studies.get("shade.figure_a_1_batch_norm")]
METHODS = ("shade", "detached", "varentropy")
QUICK = {"after": (0, 2), "width": 4, "train_steps": 3, "warm_up": 2}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_it_runs_in_seconds_at_smoke_scale(study):
    result = studies.run(study, "smoke")
    kinds = [(what, method) for method in METHODS for what in ("accuracy", "variance")]
    assert set(result.cells) == {(*kind, "steps", after) for kind in kinds for after in (0, 1, 2)}
    for cells in result.values.values():
        assert {cells["variance", method, "steps", 0] for method in METHODS} == {100}
        assert len({cells["accuracy", method, "steps", 0] for method in METHODS}) == 1
        assert all(value >= 0 for value in cells.values())
    after, _ = result.series("after", quantity="variance", method="shade", unit="steps")
    assert after == [0, 1, 2]


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_the_gpu_scale_runs_with_tiny_numbers(study):
    tiny = QUICK | {"after": (0, 1), "width": 4 if study is STUDIES[1] else 0.05, "batch_size": 600}
    changes = {"crop": 12} if study is STUDIES[0] else {}
    result = studies.run(study, "gpu", 1, "digits_m", methods=("shade", "varentropy"), **tiny, **changes)
    assert result.config["net"] == ("convnet" if study is STUDIES[1] else "inception")
    assert [cell[2:] for cell in result.cells if cell[:2] == ("accuracy", "shade")] == [
        ("epochs", 0),
        ("epochs", 1),
    ]


def test_a_net_that_stands_still_forgets_nothing():
    """So the hooks change nothing, and without batch norm neither do the warm-up batches."""
    for cells in studies.run(STUDIES[0], "smoke", 1, lr=0.0, **QUICK).values.values():
        for method in METHODS:
            assert cells["variance", method, "steps", 2] == 100
            assert cells["accuracy", method, "steps", 2] == cells["accuracy", method, "steps", 0]


def test_the_penalty_alone_lowers_the_variance():
    cells = studies.run(STUDIES[0], "smoke", 1, **(QUICK | {"after": (0, 20), "train_steps": 30})).values[0]
    assert all(cells["variance", method, "steps", 20] < 90 for method in METHODS)
    assert len({cells["variance", method, "steps", 20] for method in METHODS}) == 3


def test_looking_at_the_net_does_not_change_its_way():
    often = studies.run(STUDIES[0], "smoke", 1, **(QUICK | {"after": (0, 1, 2, 3, 30)})).values[0]
    once = studies.run(STUDIES[0], "smoke", 1, **(QUICK | {"after": (0, 30)})).values[0]
    assert all(often[cell] == value for cell, value in once.items())


def test_epochs_are_whole_passes():
    images = data.load("digits_m").subset(range(40))
    config = Unlearning("digits_m", after=(0, 1, 3), unit="epochs", warm_up=3)
    batches = data.Batches(images, 10)
    seen = []
    for after, _ in unlearn(SmallConvNet(images.shape, width=2), batches, "varentropy", config):
        seen.append((after, batches.state_dict()["epoch"]))
    assert seen == [(0, 0), (1, 2), (3, 4)]  # one pass was begun for the averages


def test_no_label_is_looked_at():
    def forgotten(labels):
        images = data.ImageSet(data.load("digits_m").images[:60], labels)
        torch.manual_seed(0)
        model = SmallConvNet(images.shape, width=2)
        config = Unlearning("digits_m", after=(3,))
        (_,) = unlearn(model, data.Batches(images, 10), "shade", config)
        return model.body.conv1.weight

    assert torch.equal(forgotten(torch.zeros(60).long()), forgotten(torch.arange(60)))


def test_the_total_variance_is_what_varentropy_penalises():
    torch.manual_seed(0)
    model, x = SmallConvNet((3, 16, 16), width=3).eval(), torch.randn(7, 3, 16, 16)
    found = total_variance(model, x)
    with VarEntropy(model, decay=0, update_first=True) as penalised:
        model.train()(x)
        assert found == pytest.approx(penalised.penalty().item(), rel=1e-5)


def test_with_batch_norm_varentropy_moves_scales_alone_and_shade_filters_too():
    """What the study says about its net."""
    torch.manual_seed(0)
    x, sizes = torch.randn(50, 3, 16, 16), {}
    for method in ("varentropy", "shade"):
        model = SmallConvNet((3, 16, 16), batch_norm=True)
        with regulariser(model, method) as penalised:
            model(x)
            penalised.penalty().backward()
        body = model.body
        sizes[method] = [layer.weight.grad.norm().item() for layer in (body.conv3, body.norm3)]
    assert sizes["varentropy"][0] < 0.001 * sizes["varentropy"][1]
    assert sizes["shade"][0] > 0.1 * sizes["shade"][1]


def test_an_unknown_net_is_named():
    with pytest.raises(ValueError, match="net is 'mlp', possible are convnet, inception"):
        make_net(Unlearning("digits_m", after=(0,), net="mlp"), (3, 16, 16), 10)


CELLS = {
    ("accuracy", "shade", "steps", 0): 90.0,
    ("accuracy", "shade", "steps", 1): 80.0,
    ("accuracy", "shade", "steps", 2): 50.0,
    ("variance", "shade", "steps", 0): 100.0,
    ("variance", "shade", "steps", 1): 40.0,
    ("variance", "shade", "steps", 2): 10.0,
    ("accuracy", "varentropy", "steps", 0): 90.0,
    ("accuracy", "varentropy", "steps", 1): 60.0,
    ("accuracy", "varentropy", "steps", 2): 49.0,
    ("variance", "varentropy", "steps", 0): 100.0,
    ("variance", "varentropy", "steps", 1): 20.0,
    ("variance", "varentropy", "steps", 2): 5.0,
}


def test_accuracy_at_a_variance_is_interpolated_along_its_logarithm():
    assert accuracy_with(CELLS, "shade", 40) == pytest.approx(80)
    assert accuracy_with(CELLS, "shade", 20) == pytest.approx(65)  # half-way from 40 to 10
    assert accuracy_with(CELLS, "varentropy", 10) == pytest.approx(54.5)
    assert lead_with(CELLS, "varentropy", 20) == pytest.approx(5)
    assert leads(CELLS, "varentropy") == [20, 1]
    assert accuracy_with(CELLS, "shade", 10) == 50 and accuracy_with(CELLS, "shade", 100) == 90
    for beyond in (5, 150):
        with pytest.raises(KeyError):
            accuracy_with(CELLS, "shade", beyond)


def test_a_variance_that_rises_again_counts_when_it_first_falls():
    cells = CELLS | {("variance", "shade", "steps", 3): 60.0, ("variance", "shade", "steps", 4): 15.0}
    cells |= {("accuracy", "shade", "steps", 3): 20.0, ("accuracy", "shade", "steps", 4): 20.0}
    assert accuracy_with(cells, "shade", 20) == pytest.approx(65)


def test_claims_follow_the_numbers():
    claims = STUDIES[0].claims
    verdicts = [judge(claim, PAPER, [CELLS, CELLS]) for claim in claims]
    assert [verdict.mean for verdict in verdicts[:4]] == pytest.approx([1, 10.5, 5.36, 5], abs=0.01)
    assert [verdict.state for verdict in verdicts[:5]] == [AGREES] * 4 + ["does not"]
    assert [verdict.state for verdict in verdicts[5:7]] == [NOT_MEASURED] * 2  # SHADE never came down to 5 %


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_the_papers_own_numbers_hold_its_claims_step_by_step(study):
    each, average = study.claims[:2]
    assert quantity(each, PAPER) == pytest.approx(0.7)
    assert quantity(average, PAPER) == pytest.approx(7.6, abs=0.1)
    assert all(quantity(claim, PAPER) is None for claim in study.claims[2:])
    assert len(PAPER) == 2 * len(EPOCHS) and max(EPOCHS) == 74
