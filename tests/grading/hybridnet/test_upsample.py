"""The task hybridnet.upsample: right answers pass in any form, wrong ones get their own message."""

import torch
import torch.nn.functional as F

from course_lib.grading.tasks.hybridnet.upsample import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def of_torch(v, factor=2):
    return F.interpolate(v, scale_factor=factor, mode="nearest")


def by_index(v, factor=2):
    rows = torch.arange(factor * v.shape[2], device=v.device) // factor
    columns = torch.arange(factor * v.shape[3], device=v.device) // factor
    return v[:, :, rows[:, None], columns]


def stretched(v, factor=2):
    b, c, h, w = v.shape
    return v[:, :, :, None, :, None].expand(b, c, h, factor, w, factor).reshape(b, c, factor * h, factor * w)


def kronecker(v, factor=2):
    return torch.kron(v, v.new_ones(1, 1, factor, factor))


def written_into_zeros(v, factor=2):
    maps = torch.zeros(*v.shape[:2], factor * v.shape[2], factor * v.shape[3], device=v.device)  # float32
    for row in range(factor):
        for column in range(factor):
            maps[..., row::factor, column::factor] = v
    return maps


def transposed_convolution(v, factor=2):
    channels = v.shape[1]
    kernel = v.new_ones(channels, 1, factor, factor)
    return F.conv_transpose2d(v, kernel, stride=factor, groups=channels)


def as_a_module(v, factor=2, mode="nearest"):
    return torch.nn.Upsample(scale_factor=float(factor), mode=mode)(v)


RIGHT = [
    of_torch, by_index, stretched, kronecker, written_into_zeros, transposed_convolution, as_a_module, oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

SHAPES = ("always 2", "power of two", "rows only", "columns only", "channels", "twice")
CAUSES_OF = dict.fromkeys(SHAPES, "shape") | {"no gradient": "gradient"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def tiled(v, factor=2):
        return torch.cat([torch.cat([v] * factor, 2)] * factor, 3)

    assert verdict(TASK, tiled).misconception == "copies of the map"


def test_a_factor_that_cannot_be_left_out_is_a_wrong_signature():
    outcome = verdict(TASK, lambda v, factor: of_torch(v, factor))
    assert outcome.cause == "signature" and "factor" in outcome.message


# --- the oracle ------------------------------------------------------------------------------


def test_the_oracle_is_torchs_nearest_upsampling():
    for case in TASK.cases:
        assert torch.equal(oracle(**case.exact()), of_torch(**case.exact()))


def test_the_mean_of_each_square_is_its_value():
    for case in TASK.cases:
        given = case.exact()
        maps = oracle(**given)
        assert torch.allclose(F.avg_pool2d(maps, given.get("factor", 2)), given["v"], rtol=0, atol=1e-12)


def test_each_value_gets_the_gradients_of_its_square_added_up():
    v = TASK.cases[0].exact()["v"].requires_grad_()
    weight = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    (found,) = torch.autograd.grad((oracle(v) * weight).sum(), v)
    assert torch.allclose(found, 4 * F.avg_pool2d(weight, 2), rtol=0, atol=1e-12)
