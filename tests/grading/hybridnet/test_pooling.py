"""The task hybridnet.pooling: right answers pass in any form, wrong ones get their own message."""

import numpy as np
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.hybridnet.pooling import TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def of_torch(x):
    return F.max_pool2d(x, 2, return_indices=True)


def unfolded(x):
    """Columns of an unfold, map by map."""
    b, c, h, w = x.shape
    four = F.unfold(x.reshape(b * c, 1, h, w), 2, stride=2)  # (B·C, 4, windows)
    k = four.argmax(1)
    window = torch.arange(four.shape[2], device=x.device)
    row = window // (w // 2) * 2 + k.div(2, rounding_mode="floor")
    column = window % (w // 2) * 2 + k.remainder(2)
    shape = (b, c, h // 2, w // 2)
    return four.gather(1, k[:, None]).reshape(shape), (row * w + column).reshape(shape)


def six_axes(x):
    """The axes of windows by reshape; the places come from a map of places cut the same way."""

    def cut(maps):
        b, c, h, w = maps.shape
        return maps.reshape(b, c, h // 2, 2, w // 2, 2).transpose(3, 4).flatten(4)

    places = torch.arange(x.shape[2] * x.shape[3], device=x.device).reshape(1, 1, *x.shape[2:]).expand_as(x)
    k = cut(x).argmax(-1, keepdim=True)
    return cut(x).gather(-1, k).squeeze(-1), cut(places).gather(-1, k).squeeze(-1)


def comparing_step_by_step(x):
    """A running maximum over the four corners; only a strictly larger value takes over."""
    h, w = x.shape[2:]
    places = torch.arange(h * w, device=x.device).reshape(h, w).expand(x.shape)
    best, where = x[..., ::2, ::2], places[..., ::2, ::2]
    for row, column in ((0, 1), (1, 0), (1, 1)):
        value, place = x[..., row::2, column::2], places[..., row::2, column::2]
        larger = value > best
        best, where = torch.where(larger, value, best), torch.where(larger, place, where)
    return best, where


def loops(x):
    """Plain loops over tensors that are written in place."""
    b, c, h, w = x.shape
    pooled = x.new_zeros(b, c, h // 2, w // 2)
    switches = torch.zeros(b, c, h // 2, w // 2, dtype=torch.long, device=x.device)
    for place in np.ndindex(b, c, h // 2, w // 2):
        n, m, i, j = place
        window = x[n, m, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].flatten()
        k = int(np.argmax(window.detach().cpu().numpy()))
        pooled[place] = window[k]
        switches[place] = (2 * i + k // 2) * w + 2 * j + k % 2
    return pooled, switches


def takes_at_the_switches(x):
    """take_along_dim, results as a list, and a padded stack."""
    corners = [x[:, :, r::2, c::2] for r in range(2) for c in range(2)]
    k = torch.stack(corners, dim=2).max(dim=2).indices
    r, c = torch.meshgrid(torch.arange(k.shape[2]), torch.arange(k.shape[3]), indexing="ij")
    s = (2 * r.to(k) + (k > 1).long()) * x.shape[-1] + 2 * c.to(k) + (k & 1)
    return [torch.take_along_dim(x.flatten(2), s.flatten(2), 2).unflatten(2, s.shape[2:]), s]


RIGHT = [of_torch, unfolded, six_axes, comparing_step_by_step, loops, takes_at_the_switches, oracle]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "windows overlap": "shape",
    "two numbers": "shape",
    "decimal numbers": "dtype",
    "no gradient": "gradient",
    "gradient shared among equals": "gradient",
    "writes into x": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def pooled_with_unfold(x):
        pooled, switches = unfolded(x)
        row, column = switches // x.shape[3] % 2, switches % x.shape[3] % 2
        return pooled, 2 * row + column

    assert verdict(TASK, pooled_with_unfold).misconception == "place within the window"


def test_short_whole_numbers_are_told_to_be_longer():
    def short(x):
        pooled, switches = of_torch(x)
        return pooled, switches.int()

    outcome = verdict(TASK, short)
    assert outcome.cause == "dtype" and "int64" in outcome.message


# --- the oracle ------------------------------------------------------------------------------


def test_the_oracle_is_torchs_pooling():
    for case in TASK.cases:
        found, right = oracle(**case.exact()), of_torch(**case.exact())
        assert all(torch.equal(a, b) for a, b in zip(found, right))


def test_the_switches_name_the_values_and_lie_in_their_windows():
    x = TASK.cases[0].exact()["x"]
    pooled, switches = oracle(x)
    assert torch.equal(x.flatten(2).gather(2, switches.flatten(2)), pooled.flatten(2))
    row, column = switches // x.shape[3], switches % x.shape[3]
    assert torch.equal(row // 2, torch.arange(x.shape[2] // 2)[:, None].expand_as(row))
    assert torch.equal(column // 2, torch.arange(x.shape[3] // 2).expand_as(column))


def test_the_gradient_of_each_window_goes_to_one_pixel_even_among_equals():
    for case in TASK.cases:
        x = case.exact()["x"].requires_grad_()
        (found,) = torch.autograd.grad(oracle(x)[0].sum(), x)
        assert torch.equal(F.avg_pool2d(found, 2) * 4, torch.ones_like(found[..., ::2, ::2]))
        assert set(found.unique().tolist()) <= {0.0, 1.0}


def test_there_are_windows_with_equal_and_with_negative_maxima():
    """Or two of the mistakes would not show."""
    equal, negative = (
        next(c for c in TASK.cases if word in c.name).exact()["x"] for word in ("equal", "positive")
    )
    first, last = oracle(equal)[1], oracle(equal.flip(2, 3))[1].flip(2, 3)
    assert (first != equal.shape[2] * equal.shape[3] - 1 - last).any()
    assert (oracle(negative)[0] < 0).all()
