"""The task hybridnet.unpooling: right answers pass in any form, wrong ones get their own message."""

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.hybridnet.pooling import oracle as pool
from course_lib.grading.tasks.hybridnet.unpooling import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def of_torch(v, switches):
    return F.max_unpool2d(v, switches, 2)


def by_comparison(v, switches):
    """Each of the four corners takes the value where the switch names it."""
    h, w = v.shape[2:]
    maps = v.new_zeros(*v.shape[:2], 2 * h, 2 * w)
    places = torch.arange(4 * h * w, device=v.device).reshape(2 * h, 2 * w)
    for row in (0, 1):
        for column in (0, 1):
            maps[..., row::2, column::2] = v * (switches == places[row::2, column::2])
    return maps


def with_index_put(v, switches):
    b, c, h, w = v.shape
    maps = torch.zeros(b, c, 2 * h, 2 * w, dtype=v.dtype, device=v.device)
    n, m = (
        torch.arange(b, device=v.device)[:, None, None, None],
        torch.arange(c, device=v.device)[:, None, None],
    )
    maps[n, m, switches // (2 * w), switches % (2 * w)] = v
    return maps


def one_hot(v, switches):
    """A product with the rows of an identity."""
    b, c, h, w = v.shape
    rows = F.one_hot(switches.flatten(2), 4 * h * w).to(v.dtype)
    return torch.einsum("bck,bckp->bcp", v.flatten(2), rows).view(b, c, 2 * h, -1)


def loops_in_float32(v, switches):
    b, c, h, w = v.shape
    line = torch.zeros(b, c, 4 * h * w)
    for place in np.ndindex(b, c, h, w):
        line[place[0], place[1], switches[place]] = v[place].float()
    return line.reshape(b, c, 2 * h, 2 * w)


def across_the_whole_batch(v, switches):
    """One line for all maps."""
    maps = v.shape[0] * v.shape[1]
    pixels = 4 * v.shape[2] * v.shape[3]
    start = torch.arange(0, maps * pixels, pixels, device=v.device).reshape(*v.shape[:2], 1, 1)
    line = v.new_zeros(maps * pixels).index_put(((switches + start).flatten(),), v.flatten())
    return line.reshape(*v.shape[:2], 2 * v.shape[2], 2 * v.shape[3])


RIGHT = [of_torch, by_comparison, with_index_put, one_hot, loops_in_float32, across_the_whole_batch, oracle]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "minus infinity elsewhere": "finite",
    "one long line": "shape",
    "turned": "shape",
    "no gradient": "gradient",
    "writes into the switches": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def interpolated(v, switches):
        return F.interpolate(v, scale_factor=2)

    assert verdict(TASK, interpolated).misconception == "whole windows"


def test_a_gradient_that_cannot_be_computed_is_no_change_of_the_switches():
    """Both spoil the backward pass in an answer that scatters; the message must be the one that fits."""

    def changes_what_it_saved(v, switches):
        places = switches.flatten(2).clone()
        line = v.new_zeros(*v.shape[:2], 4 * v.shape[2] * v.shape[3]).scatter(2, places, v.flatten(2))
        places += 1
        return line.reshape(*v.shape[:2], 2 * v.shape[2], -1)

    outcome = verdict(TASK, changes_what_it_saved)
    assert (outcome.cause, outcome.misconception) == ("gradient", None)


# --- the oracle ------------------------------------------------------------------------------


def test_the_oracle_is_torchs_unpooling():
    for case in TASK.cases:
        assert torch.equal(oracle(**case.exact()), of_torch(**case.exact()))


def test_each_window_holds_exactly_one_value():
    for case in TASK.cases:
        given = case.exact()
        assert torch.equal(F.avg_pool2d(oracle(**given), 2) * 4, given["v"])


def test_pooling_gives_positive_values_back_and_negative_ones_not():
    given = TASK.cases[0].exact()
    v, switches = given["v"], given["switches"]
    again, places = pool(oracle(v.abs() + 0.1, switches))
    assert torch.equal(again, v.abs() + 0.1) and torch.equal(places, switches)
    assert (v < 0).any()
    assert torch.equal(pool(oracle(v, switches))[0], v.relu())


def test_switches_of_another_image_give_another_picture_with_the_same_values():
    given = TASK.cases[0].exact()
    mine, other = oracle(**given), oracle(given["v"], given["switches"].flip(0))
    assert not torch.equal(mine, other) and torch.equal(F.avg_pool2d(mine, 2), F.avg_pool2d(other, 2))
