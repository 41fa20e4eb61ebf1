"""Fig. A.2: units are counted rightly, and every way of looking at them shows the same units."""

import dataclasses
import math

import pytest
import torch

from course_lib import data, studies
from course_lib.methods.preactivations import pre_activations
from course_lib.nets import SmallInception
from course_lib.studies.shade import two_modes
from course_lib.studies.shade.shared import train
from course_lib.studies.shade.two_modes import (
    LAST,
    before_relu,
    density,
    distance,
    example_units,
    looks,
    modes,
    representations,
    some_units,
)
from course_lib.studies.verdicts import AGREES, DOES_NOT, judge

STUDY = studies.get("shade.figure_a_2")
TINY = dataclasses.replace(STUDY.configs["smoke"], units=3, steps=2)


def draw(n: int = 600, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def values():
    return representations(TINY, seed=0)[0]


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 1)
    shown = {(values, images) for what, values, images in result.cells if what == "gain"}
    kinds = ("full", "discriminative", "random", "before")
    assert shown == {(kind, images) for kind in kinds for images in ("train", "test")}
    for (what, *_), value in result.values[0].items():
        assert value >= 0 and (value <= 1 or what in ("gain", "coefficient"))


def test_the_gpu_scale_runs_with_tiny_numbers():
    tiny = {"width": 1 / 16, "steps": 1, "crop": 14, "units": 2, "looked_at": 40}
    result = studies.run(STUDY, "gpu", 1, "digits_m", **tiny)
    assert result.config["momentum"] == 0.9
    assert result.cells == studies.run(STUDY, "smoke", 1, units=2).cells


def test_a_seed_gives_its_numbers():
    first, again = (STUDY.measure(TINY, 0) for _ in range(2))
    assert first == again != STUDY.measure(TINY, 1)


@pytest.mark.parametrize("n", [600, 5000])
def test_one_mode_is_one_however_skewed_it_is(n):
    for seed in range(10):
        uniform = torch.rand(n, generator=torch.Generator().manual_seed(seed))
        assert (
            len(modes(draw(n, seed))) == len(modes(-uniform.log())) == len(modes(draw(n, seed).relu())) == 1
        )


def test_two_modes_are_two_where_they_are():
    sign = torch.where(torch.arange(600) % 3 == 0, 1.0, -1.0)
    low, high = modes(draw() + 3 * sign)
    assert (low, high) == pytest.approx((-3, 3), abs=0.3)
    assert len(modes(torch.cat([draw(), draw(100) + 6]))) == 2
    assert len(modes(torch.cat([draw(), draw(10) + 12]))) == 1  # too few for a mode of their own
    assert len(modes(draw() + 0.7 * sign)) == 1  # two Gaussians that the eye cannot tell apart


def test_a_constant_unit_has_one_mode_and_is_not_looked_at():
    assert modes(torch.full((20,), 0.5)).tolist() == [0.5]
    H = torch.stack([torch.zeros(50), draw(50), torch.ones(50), draw(50, 1)], dim=1)
    assert sorted(some_units(H, 10, seed=0).tolist()) == [1, 3]
    assert len(some_units(H, 1, seed=0)) == 1


def test_units_are_counted_and_averaged():
    two = draw() + 4 * torch.where(torch.arange(600) % 2 == 0, 1.0, -1.0)
    found = looks(torch.stack([two, two + 9, draw(seed=1), -draw(seed=2)], dim=1))
    assert (found["two modes"], found["both signs"]) == (0.5, 0.25)
    assert found["coefficient"] == pytest.approx((2 * 0.87 + 2 * 0.33) / 4, abs=0.05)
    wide = math.log(17**0.5 / 1) - math.log(2)  # of standard deviation √(4² + 1), two modes of 1
    assert found["gain"] == pytest.approx(wide / 2, abs=0.03)


def test_the_density_has_area_one():
    places, heights = density(torch.cat([draw(), draw() + 5]))
    assert torch.trapezoid(torch.tensor(heights), torch.tensor(places)).item() == pytest.approx(1, abs=0.02)


def test_the_distance_is_the_largest_gap_of_the_two_step_functions():
    a, b = torch.stack([draw(30), draw(30, 1)], 1), torch.stack([draw(20, 2) + 1, draw(20, 3)], 1)
    gaps = []
    for unit in range(2):
        rows = [
            abs(sum(a[:, unit] <= t) / 30 - sum(b[:, unit] <= t) / 20) for t in torch.cat([a, b])[:, unit]
        ]
        gaps.append(float(max(rows)))
    assert distance(a, b) == pytest.approx(sum(gaps) / 2, abs=1e-6)


def test_each_way_of_looking_has_its_rank_and_the_same_images(values):
    H, read, anything = (values[name, "train"] for name in ("full", "discriminative", "random"))
    assert H.shape == (60, 21) and values["full", "test"].shape == values["before", "test"].shape == (60, 21)
    for projected in (read, anything):
        assert torch.linalg.matrix_rank(projected, rtol=1e-4) <= 10
        assert ((H - projected) * projected).sum(1).abs().max() < 1e-4  # orthogonal
    assert not torch.allclose(read, anything, atol=1e-3)
    assert not torch.equal(read, values["discriminative", "other half"])


def test_the_last_layer_cannot_tell_h_from_h_star(monkeypatch):
    nets = []

    def noting(model, *rest, **how):
        nets.append(model)
        return train(model, *rest, **how)

    monkeypatch.setattr(two_modes, "train", noting)
    values, accuracies = representations(TINY, seed=0)
    weight = nets[0].head.weight.detach().cpu()
    for images in ("train", "test"):
        H, read, anything = (values[name, images] for name in ("full", "discriminative", "random"))
        assert torch.allclose(read @ weight.T, H @ weight.T, atol=1e-4)
        assert not torch.allclose(anything @ weight.T, H @ weight.T, atol=1e-2)
    assert set(accuracies) == {"train", "test"}


def test_the_picture_shows_the_same_units_three_times(values):
    examples = example_units(TINY, seed=0, count=3)
    units = some_units(values["full", "train"], 3, seed=0)
    assert torch.equal(examples["full"], values["full", "train"][:, units])
    assert torch.equal(examples["discriminative"], values["discriminative", "train"][:, units])
    assert torch.equal(examples["test"], values["discriminative", "test"][:, units])


def test_before_the_relu_stand_the_units_of_h():
    """Their ReLU, averaged over the positions, is H; one position of it is what is looked at."""
    torch.manual_seed(0)
    images = data.load("digits_m", "test").subset(range(8))
    batches = data.Batches(images, 4, shuffle=False)
    model = SmallInception(batches.shape, 10, width=1 / 16).eval()
    with torch.no_grad():
        model.body.stage3_inception2.ones.norm.weight.mul_(2)  # so that the branches differ
        x = torch.cat([batch.x for batch in batches])
        maps = torch.cat([pre_activations(model, x)[name] for name in LAST], 1)
        assert torch.allclose(maps.relu().mean((2, 3)), model.features(x), atol=1e-6)
    found = before_relu(model, batches, torch.Generator().manual_seed(0))
    assert found.min() < 0
    close = (maps.flatten(2) - found[:, :, None]).abs() < 1e-5
    assert close.all(1).any(1).all()  # one and the same position for all units of an image
    places = close.all(1).float().argmax(1)
    assert len(places.unique()) > 1


def test_claims_follow_the_numbers():
    cells = {
        ("two modes", "full", "train"): 0.0,
        ("two modes", "discriminative", "train"): 0.9,
        ("both signs", "discriminative", "train"): 0.6,
        ("two modes", "discriminative", "test"): 0.8,
        ("distance", "discriminative", "test"): 0.06,
        ("distance", "discriminative", "other half"): 0.04,
        ("two modes", "random", "train"): 0.95,
        ("two modes", "random", "test"): 0.1,
        ("two modes", "before", "train"): 0.4,
    }
    states = [judge(claim, {}, [cells, cells]).state for claim in STUDY.claims]
    assert states == [AGREES] * 5 + [DOES_NOT, AGREES, DOES_NOT]
    opposite = {cell: 1 - value for cell, value in cells.items()} | {
        ("distance", "discriminative", "test"): 0.1
    }
    opposite["distance", "discriminative", "other half"] = 0.04
    states = [judge(claim, {}, [opposite, opposite]).state for claim in STUDY.claims]
    assert states == [DOES_NOT] * 5 + [AGREES, DOES_NOT, AGREES]
