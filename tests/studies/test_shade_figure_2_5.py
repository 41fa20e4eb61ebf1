"""Fig. 2.5: the penalties meet the representation alone, the variances are split rightly, the claims turn."""

import math

import pytest
import torch

from course_lib import data, studies
from course_lib.methods.variance import ClassVariance, VarEntropy
from course_lib.nets import SmallConvNet
from course_lib.studies.shade import representation
from course_lib.studies.shade.figure_2_5 import lead, share_with
from course_lib.studies.shade.representation import (
    METHODS,
    Representation,
    represent,
    representations,
    spread,
    trained_net,
)
from course_lib.studies.verdicts import AGREES, DOES_NOT, NOT_MEASURED, judge

STUDY = studies.get("shade.figure_2_5")
QUANTITIES = ("total", "between", "within", "share", "accuracy")
QUICK = {"units": (2,), "weights": (0.1,), "learned": 200, "looked_at": 200, "width": 4, "steps": 3}


def test_it_runs_in_seconds_at_smoke_scale():
    result = studies.run(STUDY, "smoke", 1)
    nets = [("none", 0.0), *((method, weight) for method in METHODS for weight in (0.01, 0.1, 1.0))]
    assert set(result.cells) == {(q, units, *net) for q in QUANTITIES for units in (2, 16) for net in nets}
    assert set(STUDY.shown) <= set(result.cells)
    cells = result.values[0]
    assert all(cells[quantity, 2, "none", 0.0] == 100 for quantity in ("total", "between", "within"))
    assert all(0 <= cells[q, 16, *net] <= 100 for q in ("share", "accuracy") for net in nets)


def test_without_its_penalty_each_method_is_the_plain_net():
    cells = studies.run(STUDY, "smoke", 1, **(QUICK | {"weights": (0.0,)})).values[0]
    for quantity in QUANTITIES:
        assert len({cells[quantity, 2, method, 0.0] for method in ("none", *METHODS)}) == 1


def test_the_gpu_scale_runs_with_tiny_numbers():
    result = studies.run(STUDY, "gpu", 1, "digits_m", **(QUICK | {"batch_size": 20}))
    assert result.config["size"] == 32 and len(result.cells) == 4 * len(QUANTITIES)


def test_the_penalties_shrink_the_representation_and_the_label_tells_them_apart():
    changes = QUICK | {"steps": 60, "learned": 600, "weights": (1.0,)}
    cells = studies.run(STUDY, "smoke", 1, **changes).values[0]
    totals = [cells["total", 2, method, 1.0] for method in METHODS]
    assert max(totals) < 80 and len(set(totals)) == 3
    assert cells["share", 2, "class", 1.0] > cells["share", 2, "varentropy", 1.0]


def test_the_variance_is_split_as_the_loop_over_images_does():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(3, (40,), generator=generator) * 2
    h = torch.randn(40, 4, generator=generator) + y[:, None]
    between, within = spread(h, y)
    means = {label: h[y == label].mean(0) for label in (0, 2, 4)}
    middle = h.mean(0)
    loop_between = sum(float(((means[int(c)] - middle) ** 2).sum()) for c in y) / 40
    loop_within = sum(float(((row - means[int(c)]) ** 2).sum()) for row, c in zip(h, y)) / 40
    assert between == pytest.approx(loop_between, rel=1e-5)
    assert within == pytest.approx(loop_within, rel=1e-5)
    assert between + within == pytest.approx(float(h.var(0, correction=0).sum()), rel=1e-5)


def test_what_is_penalised_is_what_is_looked_at():
    """The variance of the batch is the penalty of VarEntropy, its part within classes that of the oracle."""
    images = data.load("glyphs", "test", size=16, n=60)
    model = trained_net(images, 2, "none", 0.0, Representation("glyphs", width=3, steps=2), 0).train()
    batch = next(iter(data.Batches(images, 60, shuffle=False)))
    between, within = spread(represent(model, data.Batches(images, 60)), images.labels)
    with (
        VarEntropy(model, "head", decay=0, update_first=True) as whole,
        ClassVariance(model, "head") as inside,
    ):
        model(batch.x)
        assert 2 * whole.penalty().item() == pytest.approx(between + within, rel=1e-4)
        assert 2 * inside.penalty(batch.y).item() == pytest.approx(within, rel=1e-4)


def test_nothing_but_the_representation_is_penalised(monkeypatch):
    attached = []
    for name in ("Shade", "VarEntropy", "ClassVariance"):
        original = getattr(representation, name)

        def noted(*args, original=original, **options):
            attached.append(original(*args, **options))
            return attached[-1]

        monkeypatch.setattr(representation, name, noted)
    studies.run(STUDY, "smoke", 1, **QUICK)
    assert [penalty.layers for penalty in attached] == [("head",)] * 3


def test_the_picture_shows_a_measured_net():
    config = STUDY.configure("smoke", **QUICK)
    h, y = representations(config, 1, "shade", 0.1)
    assert h.shape == (200, 2) and y.shape == (200,) and not h.requires_grad
    plain = sum(spread(*representations(config, 1)))
    cells = studies.run(STUDY, "smoke", [1], **QUICK).values[1]
    assert 100 * sum(spread(h, y)) / plain == pytest.approx(cells["total", 2, "shade", 0.1], rel=1e-5)


def test_an_unknown_method_is_named():
    with pytest.raises(ValueError, match="method is 'shade2', possible are none, varentropy, shade, class"):
        representations(STUDY.configure("smoke", **QUICK), 0, "shade2")


def test_the_representation_is_linear_and_nothing_else_of_the_net_changes():
    images = data.load("glyphs", "train", size=16, n=20)
    model = trained_net(images, 2, "none", 0.0, Representation("glyphs", width=3, steps=1), 0)
    assert isinstance(model, SmallConvNet) and model.head.in_features == 2
    assert [name for name, _ in model.body.named_children()][-2:] == ["dropout", "representation"]


def cells(class_share=96.0, shade_share=93.0, accuracy=70.0):
    """Nets whose shares at 10 % of the variance are known: on a straight line in its logarithm."""
    at = {}
    for units in (2, 16):
        for net in (("none", 0.0), *((method, weight) for method in METHODS for weight in (0.1, 1.0))):
            at |= {(quantity, units, *net): 100.0 for quantity in ("total", "between", "within")}
            at["share", units, *net], at["accuracy", units, *net] = 90.0, 80.0
        for method, share in (("varentropy", 88.0), ("shade", shade_share), ("class", class_share)):
            at["total", units, method, 0.1] = 1.0 if method == "varentropy" else 20.0
            at["total", units, method, 1.0] = 0.5 if method == "varentropy" else 5.0
            at["share", units, method, 0.1], at["share", units, method, 1.0] = share, share + 2
            at["between", units, method, 0.1] = at["within", units, method, 0.1] = 30.0
        at["accuracy", units, "varentropy", 0.1] = accuracy
    return at


def test_the_share_at_a_variance_is_interpolated_along_its_logarithm():
    at = cells()
    assert share_with(at, 2, "varentropy", 10) == pytest.approx(89)  # half-way from 100 to 1
    assert share_with(at, 2, "class", 10) == pytest.approx(97)  # half-way from 20 to 5
    assert share_with(at, 2, "class", 20) == 96 and share_with(at, 2, "class", 100) == 90
    with pytest.raises(KeyError):
        share_with(at, 2, "class", 4)
    assert lead(at, "share", 2, "class", "none") == 6


def test_claims_follow_the_numbers():
    assert {judge(claim, {}, [cells()] * 2).state for claim in STUDY.claims} == {AGREES}
    assert all(not math.isnan(judge(claim, {}, [cells()] * 2).mean) for claim in STUDY.claims)


@pytest.mark.parametrize(
    ("changed", "turned"),
    [
        ({"class_share": 80.0}, (2, 4, 6, 7, 9)),
        ({"shade_share": 80.0}, (5, 8)),
        ({"shade_share": 99.0}, (6, 9)),
        ({"accuracy": 90.0}, (10,)),
    ],
)
def test_claims_turn_with_their_numbers(changed, turned):
    states = [judge(claim, {}, [cells(**changed)] * 2).state for claim in STUDY.claims]
    assert [place for place, state in enumerate(states) if state == DOES_NOT] == [
        units * 11 + place for units in (0, 1) for place in turned
    ]


def test_a_size_that_was_not_measured_decides_nothing():
    at = {cell: value for cell, value in cells().items() if cell[1] == 2}
    assert {judge(claim, {}, [at] * 2).state for claim in STUDY.claims[11:]} == {NOT_MEASURED}


def test_the_source_gives_no_number():
    assert STUDY.paper == {} and "schematic" in STUDY.reading
