"""The task saliency.normgrad: right answers pass in any form, wrong ones get their own message."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.saliency import memory
from course_lib.grading.tasks.saliency.contributions import oracle as contributions
from course_lib.grading.tasks.saliency.normgrad import TASK, oracle
from course_lib.methods.saliency.aggregation import normgrad
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_unfold(x, g, kernel_size=1, stride=1, padding=0):
    patches = F.unfold(x, kernel_size, padding=padding, stride=stride)
    return (g.flatten(2).norm(dim=1) * patches.norm(dim=1)).reshape(len(x), 1, *g.shape[2:])


def with_pooling(x, g, kernel_size=1, stride=1, padding=0):
    """Average pooling times N²: the padding counts as zeros unless told otherwise."""
    mean = F.avg_pool2d(F.pad(x, [padding] * 4).pow(2), kernel_size, stride)
    return (mean.sum(1, True) * kernel_size**2 * (g * g).sum(1, True)) ** 0.5


def location_by_location(x, g, kernel_size=1, stride=1, padding=0):
    padded = F.pad(x, [padding] * 4)
    made = torch.empty(len(x), 1, *g.shape[2:], dtype=x.dtype, device=x.device)
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            top, left = i * stride, j * stride
            patch = padded[..., top : top + kernel_size, left : left + kernel_size]
            made[:, 0, i, j] = g[:, :, i, j].norm(dim=1) * patch.flatten(1).norm(dim=1)
    return made


def matrix_by_matrix(x, g, kernel_size=1, stride=1, padding=0):
    """One matrix at a time is little."""
    rows, places = F.unfold(x, kernel_size, padding=padding, stride=stride), g.flatten(2)
    made = [
        torch.stack([torch.outer(g_u, x_u).norm() for g_u, x_u in zip(at.T, patches.T)])
        for at, patches in zip(places, rows)
    ]
    return torch.stack(made).reshape(len(x), 1, *g.shape[2:])


def with_running_sums(x, g, kernel_size=1, stride=1, padding=0, eps=0.0):
    """The box filter from shifted copies, in numbers of its own kind."""
    squares = F.pad(torch.einsum("bkhw,bkhw->bhw", x, x), [padding] * 4)
    h, w = g.shape[2:]
    total = 0
    for i in range(kernel_size):
        for j in range(kernel_size):
            total = total + squares[:, i : i + stride * h : stride, j : j + stride * w : stride][:, :h, :w]
    return (total.sqrt() * torch.linalg.vector_norm(g, dim=1))[:, None]


def with_vmap(x, g, kernel_size=1, stride=1, padding=0):
    def one_image(x, g):
        patches = F.unfold(x, kernel_size, padding=padding, stride=stride)
        return (g.pow(2).sum(0) * patches.pow(2).sum(0).view_as(g[0])).sqrt()

    return torch.vmap(one_image)(x, g)[:, None]


def of_the_library(x, g, kernel_size=1, stride=1, padding=0):
    return normgrad(x, g, kernel_size, stride, padding)


RIGHT = [
    with_unfold, with_pooling, location_by_location, matrix_by_matrix, with_running_sums, with_vmap,
    of_the_library,
]  # fmt: skip

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"norm over space": "shape", "no axis for the map": "shape", "writes into x": "inputs"}


@pytest.mark.parametrize("equation", ["bkl,bjl->bkjl", "bjl,bkl->blkj"])
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(equation):
    def outer_products(x, g, kernel_size=1, stride=1, padding=0):
        patches = F.unfold(x, kernel_size, padding=padding, stride=stride)
        given = (g.flatten(2), patches) if equation.startswith("bkl") else (patches, g.flatten(2))
        axes = (1, 2) if equation.startswith("bkl") else (2, 3)
        made = torch.linalg.matrix_norm(torch.einsum(equation, *given), dim=axes)
        return made.reshape(len(x), 1, *g.shape[2:])

    assert verdict(TASK, outer_products).misconception == "matrices made"


def test_the_product_of_channels_is_told_by_its_error():
    outcome = verdict(
        TASK, lambda x, g, kernel_size=1, stride=1, padding=0: (g * x).norm(dim=1, keepdim=True)
    )
    assert outcome.cause == "unusable" and "size of tensor" in outcome.says


@pytest.mark.parametrize("case", [*TASK.cases, TASK.large], ids=lambda case: case.name)
def test_matrices_never_fit_and_patches_always_do(case):
    given = case.inputs()
    allowed = memory.room(given["x"], given["g"], given.get("kernel_size", 1), given.get("padding", 0))
    assert memory.matrices(given["x"], given["g"], given.get("kernel_size", 1)) > 1.2 * allowed
    with memory.LargestTensor() as largest:
        with_unfold(**given)
    assert given["g"].numel() <= largest.numbers <= allowed


def test_a_view_counts_what_it_looks_at_and_each_part_of_a_tuple_is_seen():
    one = torch.ones(3, 4, dtype=torch.float64)
    with memory.LargestTensor() as largest:
        one.expand(7, 3, 4)
    assert largest.numbers == 12
    with memory.LargestTensor() as largest:
        torch.stack([one, one, one]).max(dim=2)
    assert largest.numbers == 36


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(5))
def test_it_is_the_norm_of_the_contributions(number):
    given = TASK.cases[number].exact()
    wanted = contributions("conv", **given).flatten(1, 2).square().sum(1, keepdim=True).sqrt()
    assert torch.allclose(oracle(**given)[0], wanted, rtol=1e-12)


def test_a_negative_factor_counts_by_its_size_and_mixed_channels_by_their_norm():
    given = TASK.cases[1].exact()
    before = oracle(**given)[0]
    scaled = oracle(-2 * given["x"], 3 * given["g"])[0]
    assert torch.allclose(scaled, 6 * before, rtol=1e-12)
    turn = torch.linalg.qr(torch.arange(64.0).double().reshape(8, 8).sin())[0]
    turned = torch.einsum("ij,bjhw->bihw", turn, given["x"])
    assert torch.allclose(oracle(turned, given["g"])[0], before, rtol=1e-9)


def test_the_sum_of_norms_is_no_less_than_the_norm_of_the_sum():
    given = TASK.cases[0].exact()
    whole = contributions("conv", **given).sum((-2, -1)).flatten(1).norm(dim=1)
    assert (oracle(**given)[0].sum((1, 2, 3)) >= whole).all()


def test_it_is_zero_where_either_vector_is():
    given = TASK.cases[1].exact()
    found = oracle(**given)[0]
    assert found[-1, 0, 0, 0] == 0 and found[0, 0, -1, -1] == 0 and (found > 0).sum() == found.numel() - 2
