"""Merging two latents, against Eq. 3.4 with plain loops."""

import pytest
import torch

from course_lib.methods.fusion import MERGES, Merge


def latents(n=2, maps=3, height=2, width=4):
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(n, maps, height, width, generator=generator, dtype=torch.float64) + 0.4
    return draw(), draw()


def merge_of(how, maps=3):
    torch.manual_seed(1)
    return Merge(how, maps).double()


def literal(merge, c, u):
    """What comes out at one place, from what both latents say there: two lists with a number for each map."""
    if merge.how == "add":
        return [a + b for a, b in zip(c, u)]
    if merge.how == "mul":
        return [a * b for a, b in zip(c, u)]
    weight, bias = merge.map.weight.tolist(), merge.map.bias.tolist()
    if merge.how == "cat":
        return [sum(w[0][0] * v for w, v in zip(row, [*c, *u])) + b for row, b in zip(weight, bias)]
    return [
        sum(w[i][j] * c[i] * u[j] for i in range(len(c)) for j in range(len(u))) + b
        for w, b in zip(weight, bias)
    ]


@pytest.mark.parametrize("how", MERGES)
def test_each_place_is_merged_by_the_formula(how):
    merge, (h_c, h_u) = merge_of(how), latents()
    merged = merge(h_c, h_u)
    assert merged.shape == h_c.shape
    for n in range(2):
        for y in range(2):
            for x in range(4):
                expected = literal(merge, h_c[n, :, y, x].tolist(), h_u[n, :, y, x].tolist())
                assert merged[n, :, y, x].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("how", MERGES)
def test_gradients_reach_both_latents(how):
    merge, (h_c, h_u) = merge_of(how), latents()
    assert torch.autograd.gradcheck(merge, (h_c.requires_grad_(), h_u.requires_grad_()))


@pytest.mark.parametrize("how", MERGES)
def test_the_memory_format_does_not_matter(how):
    merge, (h_c, h_u) = merge_of(how), latents()
    last = [h.contiguous(memory_format=torch.channels_last) for h in (h_c, h_u)]
    torch.testing.assert_close(merge(*last), merge(h_c, h_u))


@pytest.mark.parametrize("how, silence", [("add", 0.0), ("cat", 0.0), ("mul", 1.0), ("bilinear", 1.0)])
def test_a_silent_latent(how, silence):
    merge, (h_c, h_u) = merge_of(how), latents()
    silent = merge.silent(h_u)
    assert silent.shape == h_u.shape and silent.dtype == h_u.dtype and (silent == silence).all()
    if how in ("add", "mul"):
        assert torch.equal(merge(h_c, silent), h_c)


@pytest.mark.parametrize(
    "how, parameters", [("add", 0), ("mul", 0), ("cat", 6 * 3 + 3), ("bilinear", 27 + 3)]
)
def test_what_is_learned(how, parameters):
    merge = merge_of(how)
    assert sum(p.numel() for p in merge.parameters()) == parameters
    assert merge.how == how and (merge.map is None) == (parameters == 0)


def test_another_way_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"^how is 'sum', possible are add, cat, mul, bilinear\.$"):
        Merge("sum", 3)
