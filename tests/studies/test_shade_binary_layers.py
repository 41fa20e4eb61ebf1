"""Table A.1: which layers are made binary, and that the study runs at every scale."""

import dataclasses

import pytest

from course_lib import nets
from course_lib.studies.shade.binary_layers import PLACES, TABLE_A_1, layer_at, loss, mean_loss

SHAPE = {"in_shape": (3, 16, 16), "num_classes": 10}


def test_branches_that_stand_side_by_side_are_one_layer():
    net = nets.build("inception", **SHAPE, width=1 / 16)
    assert layer_at(net, "first") == ["body.stem.relu"]
    assert layer_at(net, "last") == [
        "body.stage3_inception2.ones.relu", "body.stage3_inception2.threes.relu",
    ]  # fmt: skip
    assert len(layer_at(net, "middle")) == 2


def test_elsewhere_a_layer_is_one_relu():
    mlp = nets.build("mlp", **SHAPE, width=8)
    assert [layer_at(mlp, place) for place in PLACES] == [["body.relu3"], ["body.relu2"], ["body.relu1"]]
    wide = nets.build("wideresnet", **SHAPE, depth=10, width=1)
    assert layer_at(wide, "last") == ["body.relu"] and layer_at(wide, "middle") != layer_at(wide, "first")
    with pytest.raises(ValueError, match="possible are last, middle, first"):
        layer_at(mlp, "top")


def test_the_losses_of_the_source():
    """The MLP gains 0.24 with a binary last layer and loses 3.55 with a binary first one."""
    assert loss(TABLE_A_1.paper, "mlp", "last") == pytest.approx(-0.24)
    assert loss(TABLE_A_1.paper, "mlp", "first") == pytest.approx(3.55)
    assert mean_loss(TABLE_A_1.paper, "middle") == pytest.approx((2.23 + 0.87 + 0.46 + 1.15) / 4)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["smoke", "gpu"])
def test_every_cell_is_measured_at_every_scale(scale):
    small = {"inception_width": 1 / 16, "wideresnet": (10, 1), "steps": 1, "tune_steps": 1, "batch_size": 20}
    config = dataclasses.replace(TABLE_A_1.configs[scale], data="digits_m", **small)
    if config.crop is not None:
        config = dataclasses.replace(config, crop=14)
    values = TABLE_A_1.measure(config, seed=0)
    control = {(net, "tuned") for net, _ in TABLE_A_1.paper}
    assert values.keys() == TABLE_A_1.paper.keys() | control
    assert all(0 <= value <= 100 for value in values.values())
