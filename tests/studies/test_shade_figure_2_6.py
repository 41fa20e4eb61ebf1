"""Fig. 2.6: the net that rounds is a chain of codes without exception, methods are paired, claims turn."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from torch import nn

from course_lib import data, studies
from course_lib.methods.information import conditional_entropy, entropy, mutual_information
from course_lib.studies.shade.figure_2_6 import along, change, falls, label_part
from course_lib.studies.shade.information import (
    CODES,
    Information,
    Rounding,
    codes,
    drawn,
    look,
    narrow_net,
    say,
)
from course_lib.studies.verdicts import AGREES, DOES_NOT, NOT_MEASURED, judge, quantity
from course_lib.training import accuracy_of, cross_entropy, fit

STUDY = studies.get("shade.figure_2_6")
LAYERED = ("information", "conditional", "units", "alone")
QUICK = {"learned": 200, "looked_at": 200, "width": 4, "units": (4, 3), "steps": 3, "weights": (0.1,)}
SMALL = Information("glyphs", size=16, width=4, units=(5, 4, 3, 3))


def net_and_images(rounds, seed=0, steps=40, n=3000):
    images = data.load("glyphs", "train", size=16, n=600)
    test = data.load("glyphs", "test", size=16, n=n)
    mean, std = images.statistics()
    torch.manual_seed(seed)
    model = narrow_net(SMALL, images.shape, 10, rounds)
    batches = data.Batches(images, 50, seed=seed, mean=mean, std=std)
    fit(model, batches, cross_entropy, steps=steps, lr=3e-3, progress=False)
    return model, data.Batches(test, 500, mean=mean, std=std), test.labels


# --- the study -------------------------------------------------------------------------------------------


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 2)
    nets = [("none", 0.0), *((method, w) for method in ("shade", "varentropy") for w in (0.01, 0.1))]
    layered = {(q, code, *net, i) for q in LAYERED for code in CODES for net in nets for i in (1, 2, 3, 4)}
    assert set(result.cells) == layered | {
        ("accuracy", code, *net, "output") for code in CODES for net in nets
    }
    assert set(STUDY.shown) <= set(result.cells)
    layers, values = result.series("layer", quantity="units", code="fixed", method="none", weight=0.0)
    assert layers == [1, 2, 3, 4] and values.shape == (2, 4)


def test_without_its_penalty_each_method_is_the_plain_net():
    cells = studies.run(STUDY, "smoke", 1, **(QUICK | {"weights": (0.0,), "steps": 20})).values[0]
    for code in CODES:
        assert len({cells["accuracy", code, m, 0.0, "output"] for m in ("none", "shade", "varentropy")}) == 1
        for q in LAYERED:
            assert along(cells, q, code) == along(cells, q, code, "shade", 0.0)
            assert along(cells, q, code) == along(cells, q, code, "varentropy", 0.0)


def test_the_penalty_changes_what_the_layers_say():
    cells = studies.run(STUDY, "smoke", 1, **(QUICK | {"weights": (1.0,), "steps": 60})).values[0]
    assert change(cells, "conditional", "fixed", "varentropy", 1.0) < -0.5
    assert along(cells, "units", "fixed", "shade", 1.0) != along(cells, "units", "fixed", "varentropy", 1.0)


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(STUDY, "gpu", 1, "digits_m", **(QUICK | {"batch_size": 20}))
    assert result.config["size"] == 32 and along(result.values[0], "units", "rounded", "shade", 0.1)


def test_sets_that_are_not_drawn_give_what_they_have():
    assert len(drawn("glyphs", "test", 16, 30)) == 30 and len(drawn("digits_m", "test", 16, 30)) == 597


# --- the net that rounds ---------------------------------------------------------------------------------


def test_rounding_is_exact_and_lets_the_gradient_pass():
    h = torch.tensor([-0.8, 0.2, 0.26, 7.3], requires_grad=True)
    rounded = Rounding(0.5)(h)
    assert rounded.tolist() == [-1.0, 0.0, 0.5, 7.5]
    (rounded * torch.arange(4)).sum().backward()
    assert h.grad.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
def test_the_code_of_a_layer_is_a_function_of_the_code_below(seed):
    """So Eq. A.1 holds to the last digit, for the counted entropies themselves, with any labels."""
    model, batches, y = net_and_images(rounds=True, seed=seed)
    layers = [codes(h, "rounded", SMALL) for h in look(model, batches)[0]]
    for below, above in pairwise(layers):
        pairs = torch.cat([below, above], 1)
        assert len(pairs.unique(dim=0)) == len(below.unique(dim=0)) < len(y)
        for correction in (None, "miller-madow"):
            assert entropy(above, correction=correction) <= entropy(below, correction=correction)
            assert conditional_entropy(above, y, correction=correction) <= conditional_entropy(
                below, y, correction=correction
            )
        assert mutual_information(above, y) <= mutual_information(below, y) + 1e-12


@pytest.mark.parametrize("code", ["fixed", "relative"])
def test_an_ordinary_net_put_in_bins_is_no_chain(code):
    """Two images with one code below need not have one above: nothing guarantees Eq. A.1 there."""
    model, batches, _ = net_and_images(rounds=False)
    layers = [codes(h, code, SMALL) for h in look(model, batches)[0]]
    pairs = torch.cat(layers[1:3], 1)
    assert len(pairs.unique(dim=0)) > len(layers[1].unique(dim=0))


def test_the_two_kinds_of_net_differ_by_the_rounding_alone():
    nets = []
    for rounds in (True, False):
        torch.manual_seed(0)
        nets.append(narrow_net(SMALL, (1, 16, 16), 10, rounds))
    same = [torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True)]
    assert all(same)
    kinds = [[type(module) for module in net.body.chain] for net in nets]
    assert kinds[0] == [nn.Linear, nn.BatchNorm1d, Rounding, nn.ReLU] * 4
    assert kinds[1] == [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 4


@pytest.mark.parametrize("rounds", [True, False])
def test_looking_computes_what_the_net_computes(rounds):
    model, batches, y = net_and_images(rounds, n=300)
    layers, logits = look(model, batches)
    assert [tuple(h.shape) for h in layers] == [(300, units) for units in SMALL.units]
    assert float((logits.argmax(1) == y).double().mean()) == pytest.approx(
        accuracy_of(model, batches), abs=0.01
    )
    on_steps = [torch.equal((h / 0.5).round() * 0.5, h) for h in layers]
    assert all(on_steps) if rounds else not any(on_steps)
    assert model.head.weight.dtype == torch.float32


# --- the codes -------------------------------------------------------------------------------------------


def test_relative_bins_do_not_see_scale_and_place():
    h = torch.randn(500, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = h * torch.tensor([8.0, 0.25, 2.0]) + torch.tensor([4.0, -1.0, 0.5])
    assert (codes(h, "relative", SMALL) != codes(moved, "relative", SMALL)).double().mean() < 0.01
    assert not torch.equal(codes(h, "fixed", SMALL), codes(moved, "fixed", SMALL))
    bins = codes(h, "relative", dataclasses.replace(SMALL, relative=2.0))
    assert bins.abs().max() <= 3 and codes(torch.ones(9, 2), "relative", SMALL).abs().max() == 0


def test_what_is_said_of_a_layer():
    code = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).repeat(25, 1)
    y = torch.arange(100) % 4 // 2  # the first unit
    found = say(code, y)
    assert found["alone"] == 0 and found["conditional"] == pytest.approx(0.693 + 1 / 100, abs=1e-3)
    assert found["information"] == pytest.approx(0.693 + 3 / 200 - 1 / 100, abs=1e-3)
    assert found["units"] == pytest.approx(found["conditional"])


# --- the claims ------------------------------------------------------------------------------------------


def cells(shade=-1.0, cost=-0.01, last=1.0, var_cost=-0.5):
    """A net of three layers: H(H|Y) 5, 3, ``last`` and I(H,Y) 2.2, 2.1, 2.0; the methods add a constant."""
    at = {}
    methods = {("none", 0.0): (0.0, 0.0), ("varentropy", 0.1): (-1.0, var_cost)}
    methods |= {("shade", weight): (shade, cost) for weight in (0.01, 0.1)}
    for code in CODES:
        for net, (besides, about) in methods.items():
            for layer, (h, i) in enumerate(((5.0, 2.2), (3.0, 2.1), (last, 2.0)), start=1):
                at["conditional", code, *net, layer] = h + besides
                at["information", code, *net, layer] = i + about
    return at


def test_the_quantities_are_those_of_the_cells():
    at = cells()
    assert along(at, "conditional", "fixed", "shade", 0.1) == [4, 2, 0]
    assert falls(at, "conditional", "rounded") == [2, 2]
    assert change(at, "conditional", "rounded") == pytest.approx(-1)
    assert change(at, "information", "rounded", "varentropy") == pytest.approx(-0.5)
    assert label_part(at, "fixed", "varentropy") == pytest.approx(100 / 3)
    with pytest.raises(KeyError):
        along(at, "conditional", "fixed", "shade", 0.3)
    with pytest.raises(KeyError):
        label_part(cells(shade=1.0), "fixed", "shade")


def test_claims_follow_the_numbers():
    assert {judge(claim, {}, [cells()] * 2).state for claim in STUDY.claims} == {AGREES}


@pytest.mark.parametrize(
    ("changed", "turned"),
    [
        ({"last": 3.5}, "falls at each layer"),
        ({"last": 5.0}, "falls"),
        ({"shade": 1.0}, "lowers H(H|Y)"),
        ({"cost": -0.2, "shade": -9.0}, "costs less than 0.05 nats"),
        ({"cost": -0.6}, ("costs less", "a smaller part")),
    ],
)
def test_claims_turn_with_their_numbers(changed, turned):
    words = (turned,) if isinstance(turned, str) else turned
    for claim in STUDY.claims:
        state = judge(claim, {}, [cells(**changed)] * 2).state
        expected = DOES_NOT if any(word in claim.text for word in words) else AGREES
        if changed.get("shade") == 1.0 and "a smaller part" in claim.text:
            expected = NOT_MEASURED  # SHADE takes nothing away there
        assert state == expected, claim.text


def test_other_weights_decide_nothing():
    at = {cell: value for cell, value in cells().items() if cell[3] in (0.0, 0.01)}
    assert all(quantity(claim, at) is None for claim in STUDY.claims if "weight 0.1 " in claim.text)
    assert any("weight 0.1 " in claim.text for claim in STUDY.claims)


def test_the_source_gives_no_number():
    assert STUDY.paper == {} and "schematic" in STUDY.reading
