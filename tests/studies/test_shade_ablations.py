"""The ablations of SHADE: paired, tuned without test images, and each row what its name says."""

import dataclasses

import pytest
import torch

from course_lib import studies
from course_lib.methods import ClassVariance, Shade, ShadeVariant, VarEntropy
from course_lib.nets import SmallConvNet
from course_lib.studies.shade.ablations import (
    CHOSEN,
    PENALTIES,
    WITH_NORM,
    Ablations,
    best,
    chosen_images,
)
from course_lib.studies.shade.shared import splits
from course_lib.studies.verdicts import quantity

STUDY = studies.get("shade.ablations")
QUICK = {"weights": (0.1,), "width": 4, "steps": 3}


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 1)
    grid = STUDY.configs["smoke"].weights
    assert set(result.cells) == {(name, CHOSEN) for name in PENALTIES} | {
        (name, weight) for name, attach in PENALTIES.items() if attach for weight in grid
    }
    assert all(quantity(claim, result.values[0]) is not None for claim in STUDY.claims)
    assert set(PENALTIES) <= set(STUDY.names)


def test_without_weight_every_variant_is_its_baseline():
    cells = studies.run(STUDY, "smoke", 1, **(QUICK | {"weights": (0.0,)})).values[0]
    for name in PENALTIES:
        assert cells[name, CHOSEN] == cells["norm" if name in WITH_NORM else "none", CHOSEN]


def test_none_and_shade_are_those_of_figure_2_7a():
    names = ("none", "shade", "varentropy")
    ours = studies.run(STUDY, "smoke", 1, variants=names, labels=50, weights=(0.1,), width=4, steps=20)
    curve = studies.run("shade.figure_2_7a", "smoke", 1, labels=(50,), width=4, steps=20)
    for name in names:
        assert ours.values[0][name, CHOSEN] == curve.values[0][name, 50]


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(
        STUDY, "gpu", 1, "digits_m", variants=("none", "log"), **(QUICK | {"validation": 20})
    )
    assert set(result.cells) == {("none", CHOSEN), ("log", CHOSEN), ("log", 0.1)}


@pytest.fixture(scope="module")
def attached():
    """Each penalty on a net of its own, with what it penalises on one batch."""
    found = {}
    for name, attach in PENALTIES.items():
        if attach:
            torch.manual_seed(0)
            net = SmallConvNet((3, 16, 16), width=4, batch_norm=name in WITH_NORM)
            found[name] = net, attach(net)
    return found


def test_each_row_penalises_what_its_name_says(attached):
    relus = ("body.relu1", "body.relu2", "body.relu3")
    layers = {name: penalised.layers for name, (_, penalised) in attached.items()}
    assert layers.pop("first") == relus[:1] and layers.pop("last") == relus[2:]
    assert layers.pop("logits") == (*relus, "head:output")
    assert layers.pop("norm_before") == ("body.norm1", "body.norm2", "body.norm3")
    assert set(layers.values()) == {relus}


def test_each_row_differs_from_shade_in_what_its_name_says(attached):
    kinds = {name: type(penalised) for name, (_, penalised) in attached.items()}
    assert kinds.pop("oracle") is ClassVariance and kinds.pop("varentropy") is VarEntropy
    for name in ("self-normalised", "hard", "log"):
        assert kinds.pop(name) is ShadeVariant and attached[name][1].variant == name
    assert set(kinds.values()) == {Shade}
    for name, (_, penalised) in attached.items():
        if name != "oracle":
            unit = penalised.unit(penalised.layers[0])
            expected = {"exact": 0, "varentropy": 0, "decay_0.5": 0.5, "decay_0.99": 0.99}.get(name, 0.8)
            assert unit.decay == expected and penalised.update_first is (name != "late")
            assert penalised.statistics == ("location" if name == "location" else "channel")
            assert getattr(unit, "detach_p", False) is (name == "detached")


def test_before_the_norm_is_before_it(attached):
    x = torch.randn(5, 3, 16, 16)
    net, penalised = attached["norm_before"]
    seen = penalised.recorder.observe(x)["body.norm1"]
    torch.testing.assert_close(seen, net.body.conv1(x))
    net, penalised = attached["norm_after"]
    with torch.no_grad():
        expected = net.eval().body.norm1(net.body.conv1(x))
    torch.testing.assert_close(penalised.recorder.observe(x)["body.relu1"], expected)


def test_labels_validation_and_test_share_no_image():
    pool, _ = splits("digits_m")
    config = STUDY.configs["cpu"]
    for seed in (0, 1):
        labelled, held_out = chosen_images(pool, config, seed)
        assert len(labelled) == 100 and len(held_out) == 200
        assert not set(labelled.tolist()) & set(held_out.tolist())
        assert pool.labels[held_out].bincount().tolist() == [20] * 10
    again = chosen_images(pool, dataclasses.replace(config, labels=50), 1)[0]
    assert set(again.tolist()) < set(labelled.tolist())


def test_the_weight_is_chosen_by_validation_and_the_smaller_of_equals():
    assert best({0.03: (0.5, 90.0), 0.1: (0.7, 10.0), 0.3: (0.6, 20.0)}) == 0.1
    assert best({0.03: (0.7, 1.0), 0.1: (0.7, 99.0), 0.3: (0.6, 20.0)}) == 0.03


def test_the_protocol_tells_the_grid():
    assert Ablations.weights == (0.03, 0.1, 0.3) and "among 0.03, 0.1 and 0.3" in STUDY.protocol["cpu"]
    assert f"There are {Ablations.validation} of these" in STUDY.protocol["cpu"]
    assert f"There are {STUDY.configs['gpu'].validation} of these" in STUDY.protocol["gpu"]


def test_claims_compare_chosen_weights_and_fail_when_turned_round():
    cells = {(name, CHOSEN): 40.0 for name in PENALTIES}
    cells |= {(name, 0.1): 99.0 for name in PENALTIES}
    found = {claim.text: quantity(claim, cells) for claim in STUDY.claims}
    assert set(found.values()) == {0.0}
    cells["shade", CHOSEN] = 46.0
    cells["norm_after", CHOSEN] = 44.0
    claims = {claim.text: quantity(claim, cells) for claim in STUDY.claims}
    assert claims["SHADE on all layers beats no penalty."] == 6
    assert claims["Holding σ constant costs accuracy."] == 6
    assert claims["After a batch norm SHADE gains less than half of what it gains without."] == 1
    assert claims["After a batch norm SHADE still beats no penalty."] == 4
    cells["norm_before", CHOSEN] = 43.5
    claim = next(c for c in STUDY.claims if c.text.startswith("Before a batch norm"))
    assert quantity(claim, cells) == 3.5 > claim.below == 2 and claim.above == -2
