"""The task saliency.contributions: right answers pass in any form, wrong ones get their own message."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.saliency.contributions import TASK, oracle
from course_lib.methods.saliency.contributions import spatial_contributions
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_einsum(kind, x, g, kernel_size=1, stride=1, padding=0):
    if kind == "bias":
        return g
    if kind == "scaling":
        return torch.einsum("bkhw,bkhw->bkhw", g, x)
    columns = F.unfold(x, kernel_size, padding=padding, stride=stride)
    return torch.einsum("bol,bjl->bojl", g.flatten(2), columns).unflatten(3, g.shape[2:])


def with_windows(kind, x, g, kernel_size=1, stride=1, padding=0):
    """A view of all windows, with no `unfold` of columns."""
    if kind != "conv":
        return g * (x if kind == "scaling" else torch.ones_like(x))
    padded = F.pad(x, [padding] * 4)
    windows = padded.unfold(2, kernel_size, stride).unfold(3, kernel_size, stride)  # (B, K, h, w, N, N)
    products = g[:, :, None, :, :, None, None] * windows[:, None]
    return products.movedim((5, 6), (3, 4)).flatten(2, 4)


def by_autograd(kind, x, g, kernel_size=1, stride=1, padding=0):
    """Location by location the gradient of real weights, of the output at this location alone."""
    if kind != "conv":
        return {"bias": g, "scaling": x * g}[kind].clone()
    found = torch.zeros(len(x), g.shape[1], x.shape[1] * kernel_size**2, *g.shape[2:]).to(x)
    for b in range(len(x)):
        weight = torch.zeros(g.shape[1], x.shape[1], kernel_size, kernel_size).to(x).requires_grad_()
        out = F.conv2d(x[b : b + 1].detach(), weight, stride=stride, padding=padding)
        for row in range(g.shape[2]):
            for column in range(g.shape[3]):
                score = (out[0, :, row, column] * g[b, :, row, column].detach()).sum()
                (each,) = torch.autograd.grad(score, weight, retain_graph=True)
                found[b, :, :, row, column] = each.reshape(g.shape[1], -1)
    return found


def location_by_location(kind, x, g, kernel_size=1, stride=1, padding=0, dilation=1):
    if kind == "bias":
        return g + 0
    if kind == "scaling":
        return torch.mul(x, g)
    padded = torch.zeros(*x.shape[:2], x.shape[2] + 2 * padding, x.shape[3] + 2 * padding).to(x)
    padded[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]] = x
    rows = []
    for i in range(g.shape[2]):
        row = []
        for j in range(g.shape[3]):
            top, left = i * stride, j * stride
            patch = padded[:, :, top : top + kernel_size, left : left + kernel_size].reshape(len(x), 1, -1)
            row.append(g[:, :, i, j, None] @ patch)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


def of_the_library(kind, x, g, kernel_size=1, stride=1, padding=0):
    return spatial_contributions(kind, x, g, kernel_size, stride, padding)


RIGHT = [with_einsum, with_windows, by_autograd, location_by_location, of_the_library]

# --- wrong answers ---------------------------------------------------------------------------

SHAPE = (
    "transposed", "summed over the locations", "summed over the batch", "pixel instead of patch",
    "patch summed", "each channel by itself", "locations in one line", "kernel left apart",
    "scaling summed over the channels", "norms",
)  # fmt: skip
CAUSES_OF = dict.fromkeys(SHAPE, "shape") | {"writes into x": "inputs"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def pixels_first(kind, x, g, kernel_size=1, stride=1, padding=0):
        made = with_einsum(kind, x, g, kernel_size, stride, padding)
        if kind != "conv":
            return made
        made = made.reshape(len(x), g.shape[1], x.shape[1], kernel_size**2, *g.shape[2:])
        return made.swapaxes(2, 3).reshape(len(x), g.shape[1], -1, *g.shape[2:])

    assert verdict(TASK, pixels_first).misconception == "channel last"


def test_unfold_without_the_stride_is_told_by_its_error():
    def no_stride(kind, x, g, kernel_size=1, stride=1, padding=0):
        return with_einsum(kind, x, g, kernel_size, 1, padding)

    outcome = verdict(TASK, no_stride)
    assert outcome.cause == "unusable" and "with a 3×3 convolution with stride 2" in outcome.says


# --- the oracle ------------------------------------------------------------------------------

CONVOLUTIONS = [number for number, case in enumerate(TASK.cases) if case.inputs()["kind"] == "conv"]


@pytest.mark.parametrize("number", CONVOLUTIONS)
def test_the_sum_over_images_and_locations_is_the_gradient_of_the_weights(number):
    given = TASK.cases[number].exact()
    x, g, n = given["x"], given["g"], given.get("kernel_size", 1)
    weight = torch.zeros(g.shape[1], x.shape[1], n, n).double().requires_grad_()
    out = F.conv2d(x, weight, stride=given.get("stride", 1), padding=given.get("padding", 0))
    (wanted,) = torch.autograd.grad((out * g).sum(), weight)
    assert torch.allclose(oracle(**given).sum((0, 3, 4)), wanted.flatten(1), rtol=1e-12)


@pytest.mark.parametrize("kind", ["bias", "scaling"])
def test_so_it_is_for_bias_and_scaling(kind):
    given = TASK.cases[5].exact() | {"kind": kind}
    b, a = torch.zeros(4).double().requires_grad_(), torch.ones(4).double().requires_grad_()
    out = given["x"] * a[:, None, None] + b[:, None, None]
    (wanted,) = torch.autograd.grad((out * given["g"]).sum(), b if kind == "bias" else a)
    assert torch.allclose(oracle(**given).sum((0, 2, 3)), wanted, rtol=1e-12)


def test_a_location_hears_of_its_own_patch_only():
    given = TASK.cases[0].exact()
    before = oracle(**given)
    given["x"][0, :, 0, 0] += 5
    moved = (oracle(**given) != before).flatten(1, 2).any(1)
    assert moved[0, :2, :2].all() and moved.sum() == 4


def test_where_no_gradient_arrives_nothing_is_contributed():
    given = TASK.cases[1].exact()
    given["g"][:, :, 1] = 0
    found = oracle(**given)
    assert not found[..., 1, :].any() and found[..., 0, :].any()
