"""Every cell of the Extract & Aggregate grid against its outer products, one location at a time."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from course_lib.methods.saliency import (
    aggregate,
    cam,
    grad_cam,
    gradient_map,
    gradient_sum,
    linear_approximation,
    normgrad,
    selective_normgrad,
    spatial_contributions,
)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal(kind, how, x, g, n):
    """One location after another: the entries of its contribution, then one number of them."""
    border = n // 2
    padded = F.pad(x, (border,) * 4)
    out = torch.zeros(len(x), 1, *x.shape[2:], dtype=x.dtype)
    for b, r, c in itertools.product(range(len(x)), range(x.shape[2]), range(x.shape[3])):
        v = g[b, :, r, c].tolist()
        if kind == "bias":
            entries = v
        elif kind == "scaling":
            entries = [a * p for a, p in zip(v, x[b, :, r, c].tolist(), strict=True)]
        else:
            patches = [padded[b, k, r : r + n, c : c + n].flatten().tolist() for k in range(x.shape[1])]
            if kind == "conv":
                entries = [a * p for a in v for patch in patches for p in patch]
            else:
                entries = [a * p for a, patch in zip(v, patches, strict=True) for p in patch]
        out[b, 0, r, c] = {
            "sum": sum(entries),
            "norm": sum(e * e for e in entries) ** 0.5,
            "filter_norm": sum(e * e for e in entries if e > 0) ** 0.5,
            "max": max(entries),
            "max_abs": max(abs(e) for e in entries),
        }[how]
    return out


# Where all gradients or all activations are negative, the smallest entries decide.
SIGNS = {"mixed": (1, 1), "negative g": (1, -1), "negative x": (-1, 1), "both": (-1, -1)}


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("how", ["sum", "norm", "filter_norm", "max", "max_abs"])
@pytest.mark.parametrize(
    ("kind", "n"), [("bias", 1), ("scaling", 1), ("conv", 1), ("conv", 3), ("conv", 5), ("depthwise", 3)]
)
def test_every_cell_of_the_grid(kind, n, how, signs):
    x, g = drawn(2, 3, 3, 4), drawn(2, 3, 3, 4, seed=1)
    if signs != "mixed":
        x, g = SIGNS[signs][0] * x.abs(), SIGNS[signs][1] * g.abs()
    found = aggregate(kind, how, x, g, n)
    assert found.shape == (2, 1, 3, 4)
    assert torch.allclose(found, literal(kind, how, x, g, n), rtol=1e-12, atol=1e-12)


def test_the_named_methods_are_cells_of_the_grid():
    x, g = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5, seed=1)
    for method, cell in {
        gradient_map: ("bias", "max_abs"),
        gradient_sum: ("bias", "sum"),
        linear_approximation: ("scaling", "sum"),
        selective_normgrad: ("scaling", "filter_norm"),
        normgrad: ("conv", "norm"),
    }.items():
        assert torch.allclose(method(x, g), literal(*cell, x, g, 1), rtol=1e-12), method


@pytest.mark.parametrize(
    ("n", "stride", "padding", "dilation"),
    [(1, 1, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (3, 1, 2, 2), (1, 2, 0, 1)],
)
def test_normgrad_of_a_real_convolution_is_the_norm_of_its_contributions(n, stride, padding, dilation):
    x = drawn(2, 3, 7, 6)
    size = F.conv2d(
        x, torch.zeros(1, 3, n, n, dtype=x.dtype), stride=stride, padding=padding, dilation=dilation
    ).shape
    g = drawn(2, 5, *size[2:], seed=1)
    each = spatial_contributions("conv", x, g, n, stride, padding, dilation)
    wanted = each.flatten(1, 2).norm(dim=1, keepdim=True)
    assert torch.allclose(normgrad(x, g, n, stride, padding, dilation), wanted, rtol=1e-12)


def test_normgrad_scales_and_turns_as_a_norm_does():
    x, g = drawn(2, 4, 3, 5), drawn(2, 4, 3, 5, seed=1)
    turn = torch.linalg.qr(drawn(4, 4, seed=2)).Q
    whole = normgrad(x, g)
    assert torch.allclose(normgrad(-2 * x, 3 * g), 6 * whole, rtol=1e-12)
    assert torch.allclose(normgrad(torch.einsum("ij,bjhw->bihw", turn, x), g), whole, rtol=1e-12)
    assert (whole >= linear_approximation(x, g).abs()).all()
    parts = selective_normgrad(x, g).square() + selective_normgrad(x, -g).square()
    assert torch.allclose(parts, (x * g).square().sum(1, keepdim=True), rtol=1e-12)


def test_grad_cam_averages_the_gradient_and_keeps_what_speaks_for_the_class():
    x, g = drawn(2, 3, 4, 5), drawn(2, 3, 4, 5, seed=1)
    found = grad_cam(x, g)
    for b, r, c in itertools.product(range(2), range(4), range(5)):
        total = sum(g[b, k].mean() * x[b, k, r, c] for k in range(3))
        assert torch.allclose(found[b, 0, r, c], total.clamp(min=0), rtol=1e-12)
    assert (found == 0).any() and (found > 0).any()


def test_cam_weights_the_maps():
    x, w = drawn(2, 3, 4, 5), drawn(2, 3, seed=1)
    wanted = sum(w[:, k, None, None] * x[:, k] for k in range(3))[:, None]
    assert torch.allclose(cam(x, w), wanted, rtol=1e-12)


def test_in_single_precision():
    x, g = drawn(1, 3, 4, 5).float(), drawn(1, 3, 4, 5, seed=1).float()
    assert torch.allclose(
        normgrad(x, g, 3).double(), literal("conv", "norm", x.double(), g.double(), 3), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x, g: aggregate("conv1x1", "norm", x, g), "kind is 'conv1x1'"),
        (lambda x, g: aggregate("conv", "mean", x, g), "how is 'mean'"),
        (lambda x, g: aggregate("conv", "sum", x, g, 2), "odd numbers"),
        (lambda x, g: aggregate("scaling", "sum", x, g[:, :2]), "different tensors"),
        (lambda x, g: normgrad(x, g, 3, stride=2), "makes maps of 2x2"),
        (lambda x, g: normgrad(x[:1], g), "do not fit"),
        (lambda x, g: cam(x, g[:, :2, 0, 0]), "needed are"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call(drawn(2, 3, 4, 4), drawn(2, 3, 4, 4))
