"""The terms of HybridNet's loss at their limits: types, devices, shapes, defaults, and what is refused."""

import pytest
import torch

from course_lib.methods.hybrid_losses import (
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
    per_sample,
    reconstruction_loss,
)
from tests.methods import literal_hybrid as literal
from tests.methods.small_nets import DEVICES


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3


X, X_C, X_U = (drawn(4, 3, 2, 2, seed=seed) for seed in range(3))
Y = torch.tensor([1, -1, 0, -1])


def terms(x, x_c, x_u, y, **how):
    return {
        "cls": classification_loss(x.flatten(1), y),
        "rec": reconstruction_loss(x, x_c + x_u, **how),
        "balanced": balanced_reconstruction_loss(x, x_c, x_u, **how),
        "inter": intermediate_loss([(x, x_c), (x, x_u)], **how),
    }


def test_sums_are_the_default():
    assert terms(X, X_C, X_U, Y) == terms(X, X_C, X_U, Y, pixels="sum")
    assert torch.equal(per_sample(X), per_sample(X, "sum"))


def test_intermediate_targets_have_a_gradient_by_default():
    h = X.clone().requires_grad_()
    assert intermediate_loss([(h, X_C)]).requires_grad
    assert not intermediate_loss([(h, X_C)], detach=True).requires_grad


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_low_precision_is_added_up_in_float32(dtype, device):
    x, x_c, x_u = (tensor.to(device, dtype) for tensor in (X, X_C, X_U))
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    exact = terms(x.cpu().double(), x_c.cpu().double(), x_u.cpu().double(), Y)
    for name, found in terms(x, x_c, x_u, Y.to(device)).items():
        assert found.dtype == wanted and found.device.type == device and found.ndim == 0, name
        assert found.item() == pytest.approx(exact[name].item(), rel=3e-2), name


def test_many_small_numbers_are_not_lost_in_low_precision():
    x = torch.zeros(1, 1, 100, 100, dtype=torch.bfloat16)
    assert reconstruction_loss(x, x + 1).item() == 10_000
    logits = torch.zeros(1000, 2, dtype=torch.bfloat16)
    y = torch.zeros(1000, dtype=torch.int64)
    assert classification_loss(logits, y).item() == pytest.approx(0.6931472, rel=1e-6)


def test_one_pair_and_one_sample():
    assert intermediate_loss([(X, X_C)]).item() == reconstruction_loss(X, X_C).item()
    one = X[:1], X_C[:1], X_U[:1]
    assert balanced_reconstruction_loss(*one).item() == pytest.approx(literal.rec(one[0], one[1] + one[2]))
    assert reconstruction_loss(X, X).item() == 0


@pytest.mark.parametrize("shape", [(4, 6), (4, 2, 3, 2, 2), (4, 5, 3)])
def test_samples_may_have_any_number_of_dimensions(shape):
    x, x_c, x_u = (drawn(*shape, seed=seed) for seed in range(3))
    x_c.requires_grad_()
    found = balanced_reconstruction_loss(x, x_c, x_u, "mean")
    assert found.item() == pytest.approx(literal.rec(x, x_c + x_u, "mean"), rel=1e-12)
    (of_c,) = torch.autograd.grad(found, x_c)
    taught = [(sample != 0).any().item() for sample in of_c]
    assert taught == [not u for u in literal.goes_to_u(x, x_c.detach(), x_u)]


def test_what_is_not_a_number_teaches_only_its_own_sample():
    x_c, x_u = X_C.clone(), X_U.clone()
    x_u[1] = torch.nan
    x_c.requires_grad_(), x_u.requires_grad_()
    of_c, of_u = torch.autograd.grad(balanced_reconstruction_loss(X, x_c, x_u), (x_c, x_u))
    assert of_c[[0, 2, 3]].isfinite().all() and of_u[[0, 2, 3]].isfinite().all()


def test_inputs_are_left_as_they_are():
    before = [tensor.clone() for tensor in (X, X_C, X_U, Y)]
    terms(X, X_C, X_U, Y)
    assert all(map(torch.equal, before, (X, X_C, X_U, Y)))


@pytest.mark.parametrize(
    "call, words",
    [
        (
            lambda: classification_loss(X[:, 0, 0], Y, over="all"),
            "over is 'all', possible are labelled, batch.",
        ),
        (lambda: reconstruction_loss(X, X_C, pixels="max"), "pixels is 'max', possible are sum, mean."),
        (
            lambda: balanced_reconstruction_loss(X, X_C, X_U, "max"),
            "pixels is 'max', possible are sum, mean.",
        ),
        (lambda: intermediate_loss([(X, X_C)], pixels="max"), "pixels is 'max', possible are sum, mean."),
        (lambda: per_sample(X, "max"), "pixels is 'max', possible are sum, mean."),
        (lambda: intermediate_loss([]), "pairs are empty: this net has no intermediate reconstruction."),
        (
            lambda: reconstruction_loss(X[:, :1], X_C),
            "x, x_hat have the shapes (4, 1, 2, 2), (4, 3, 2, 2), which must be the same.",
        ),
        (
            lambda: balanced_reconstruction_loss(X[:, :1], X_C, X_U),
            "x, x_c, x_u have the shapes (4, 1, 2, 2), (4, 3, 2, 2), (4, 3, 2, 2), which must be the same.",
        ),
        (
            lambda: balanced_reconstruction_loss(X, X_C[:, :1], X_U),
            "x, x_c, x_u have the shapes (4, 3, 2, 2), (4, 1, 2, 2), (4, 3, 2, 2), which must be the same.",
        ),
        (
            lambda: balanced_reconstruction_loss(X, X_C, X_U[:, :1]),
            "x, x_c, x_u have the shapes (4, 3, 2, 2), (4, 3, 2, 2), (4, 1, 2, 2), which must be the same.",
        ),
        (
            lambda: intermediate_loss([(X, X_C), (X[:1], X_C)]),
            "x, x_hat have the shapes (1, 3, 2, 2), (4, 3, 2, 2), which must be the same.",
        ),
    ],
)
def test_what_is_impossible_is_refused_in_one_sentence(call, words):
    with pytest.raises(ValueError) as refused:
        call()
    assert str(refused.value) == words
