"""The task saliency.aggregate: right answers pass in any form, wrong ones get their own message."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.saliency import memory
from course_lib.grading.tasks.saliency.aggregate import CELLS, TASK, oracle
from course_lib.grading.tasks.saliency.contributions import oracle as contributions
from course_lib.methods.saliency.aggregation import aggregate
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def with_unfold(kind, how, x, g, kernel_size=1):
    def vector(v):
        if how == "sum":
            return v.sum(1, keepdim=True)
        if how == "max":
            return v.max(dim=1, keepdim=True).values
        return (v if how == "norm" else v.clamp(min=0)).norm(dim=1, keepdim=True)

    if kind == "bias":
        return vector(g)
    if kind == "scaling":
        return vector(x * g)
    p = F.unfold(x, kernel_size, padding=kernel_size // 2).reshape(len(x), -1, *x.shape[2:])
    if how in ("sum", "norm"):
        return vector(g) * vector(p)
    if how == "filter_norm":
        return torch.hypot(vector(g) * vector(p), vector(-g) * vector(-p))
    ends = [a * b for a in (p.amax(1), p.amin(1)) for b in (g.amax(1), g.amin(1))]
    return torch.stack(ends, 1).amax(1, keepdim=True)


def with_filters(kind, how, x, g, kernel_size=1):
    """Box filters and poolings of one map, with no patches."""

    def box(m):
        kernel = torch.ones(1, 1, kernel_size, kernel_size, dtype=m.dtype, device=m.device)
        return F.conv2d(m, kernel, padding=kernel_size // 2)

    def highest(m):
        return F.max_pool2d(F.pad(m, [kernel_size // 2] * 4), kernel_size, stride=1)

    if kind != "conv":
        x, kind = ({"bias": torch.ones_like(x), "scaling": x}[kind] * g)[:, :, None], "vector"
        return {
            "sum": x.sum(1), "norm": x.square().sum(1).sqrt(), "max": x.amax(1),
            "filter_norm": (x.square() * (x > 0)).sum(1).sqrt(),
        }[how].reshape(len(g), 1, *g.shape[2:])  # fmt: skip
    if how == "sum":
        return box(x.sum(1, True)) * g.sum(1, True)
    if how == "norm":
        return (box((x**2).sum(1, True)) * (g**2).sum(1, True)).sqrt()
    if how == "filter_norm":
        parts = [((s * x).relu() ** 2, (s * g).relu() ** 2) for s in (1, -1)]
        return sum(box(p.sum(1, True)) * q.sum(1, True) for p, q in parts).sqrt()
    top, bottom = highest(x.amax(1, True)), -highest(-x.amin(1, True))
    positive, negative = g.amax(1, True), g.amin(1, True)
    return torch.maximum(
        torch.where(positive > 0, positive * top, positive * bottom),
        torch.where(negative > 0, negative * top, negative * bottom),
    )


def location_by_location(kind, how, x, g, kernel_size=1, **options):
    padded = F.pad(x, [kernel_size // 2] * 4)
    made = g.new_zeros(len(g), 1, *g.shape[2:])
    for i in range(g.shape[2]):
        for j in range(g.shape[3]):
            v, p = g[:, :, i, j], padded[:, :, i : i + kernel_size, j : j + kernel_size].flatten(1)
            if kind != "conv":
                p = torch.ones_like(p[:, :1])
                v = v * x[:, :, i, j] if kind == "scaling" else v
            if how == "sum":
                made[:, 0, i, j] = torch.einsum("bi,bj->b", v, p)
            elif how == "norm":
                made[:, 0, i, j] = torch.sqrt((v**2).sum(1) * (p**2).sum(1))
            elif how == "filter_norm":
                squared = (v.clamp(min=0) ** 2).sum(1) * (p.clamp(min=0) ** 2).sum(1)
                squared += (v.clamp(max=0) ** 2).sum(1) * (p.clamp(max=0) ** 2).sum(1)
                made[:, 0, i, j] = squared**0.5
            else:
                best = [torch.maximum(v[:, k] * p.amax(1), v[:, k] * p.amin(1)) for k in range(v.shape[1])]
                made[:, 0, i, j] = torch.stack(best).amax(0)
    return made


RIGHT = [with_unfold, with_filters, location_by_location, aggregate]

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"no axis for the map": "shape", "writes into g": "inputs"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def outer_products(kind, how, x, g, kernel_size=1):
        if kind != "conv":
            return with_unfold(kind, how, x, g)
        columns = F.unfold(x, kernel_size, padding=kernel_size // 2)
        entries = torch.einsum("bil,bjl->bijl", g.flatten(2), columns).flatten(1, 2)
        return with_unfold("bias", how, x, entries.reshape(len(x), -1, *x.shape[2:]))

    assert verdict(TASK, outer_products).misconception == "matrices made"


@pytest.mark.parametrize("case", [*TASK.cases, TASK.large], ids=lambda case: case.name)
def test_matrices_never_fit_where_there_are_channels_and_closed_forms_always_do(case):
    given = case.inputs()
    for n in (1, given["kernel_size"]):
        allowed = memory.room(given["x"], given["g"], n, n // 2)
        if given["x"].shape[1] > 1:
            assert memory.matrices(given["x"], given["g"], n) > 1.2 * allowed
        for how in ("sum", "filter_norm", "norm", "max"):
            with memory.LargestTensor() as largest:
                with_unfold("conv", how, given["x"], given["g"], n)
            assert largest.numbers <= allowed


# --- the oracle ------------------------------------------------------------------------------


def maps(number, **other):
    return dict(zip(CELLS, oracle(**(TASK.cases[number].exact() | other))))


def test_it_aggregates_the_contributions():
    given = TASK.cases[5].exact()
    found = maps(5)
    entries = contributions("conv", given["x"], given["g"], 5, 1, 2).flatten(1, 2)
    assert torch.allclose(found["conv N×N", "sum"], entries.sum(1, keepdim=True), rtol=1e-10)
    assert torch.equal(found["conv N×N", "max"], entries.amax(1, keepdim=True))
    assert torch.allclose(found["conv N×N", "filter_norm"], entries.relu().norm(dim=1, keepdim=True))
    assert torch.allclose(found["conv N×N", "norm"], entries.norm(dim=1, keepdim=True))


def test_votes_for_and_against_make_up_the_norm():
    given = TASK.cases[0].exact()
    found, turned = maps(0), maps(0, g=-given["g"])
    for kind in ("bias", "scaling", "conv 1×1", "conv N×N"):
        squares = found[kind, "filter_norm"] ** 2 + turned[kind, "filter_norm"] ** 2
        assert torch.allclose(squares, found[kind, "norm"] ** 2, rtol=1e-10)


def test_selective_normgrad_and_the_linear_approximation_are_below_normgrad():
    found = maps(0)
    assert (found["scaling", "filter_norm"] <= found["scaling", "norm"]).all()
    assert (found["scaling", "norm"] <= found["conv 1×1", "norm"]).all()
    assert (found["scaling", "sum"].abs() <= found["conv 1×1", "norm"]).all()


def test_after_a_relu_the_filter_looks_at_g_alone():
    given = TASK.cases[1].exact()
    p = F.unfold(given["x"], 3, padding=1).reshape(2, -1, 4, 3)
    wanted = given["g"].relu().norm(dim=1, keepdim=True) * p.norm(dim=1, keepdim=True)
    assert torch.allclose(maps(1)["conv N×N", "filter_norm"], wanted, rtol=1e-10)
