"""The terms of HybridNet's loss against Eq. 3.9 to 3.12 in plain loops, and where their gradients go."""

import pytest
import torch

from course_lib.methods.hybrid_losses import (
    CODE,
    COURSE,
    TEXT,
    Convention,
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
    per_sample,
    reconstruction_loss,
)
from tests.methods import literal_hybrid as literal


def drawn(*shape, seed=0, middle=0.3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64) + middle


def three(n=6, side=4):
    """Images and two partial reconstructions; some samples are drawn worse by c, some by u."""
    x = drawn(n, 3, side, side)
    scale = torch.linspace(0.2, 1.6, n, dtype=torch.float64).view(-1, 1, 1, 1)
    x_c = 0.5 * x + scale * drawn(n, 3, side, side, seed=1, middle=0)
    x_u = 0.5 * x + scale.flip(0) * drawn(n, 3, side, side, seed=2, middle=0)
    return x, x_c, x_u


def slopes(x, x_c, x_u, **options):
    x_c, x_u = x_c.clone().requires_grad_(), x_u.clone().requires_grad_()
    return torch.autograd.grad(balanced_reconstruction_loss(x, x_c, x_u, **options), (x_c, x_u))


# --- classification, Eq. 3.9 -----------------------------------------------------------------------------

LABELS = {
    "some": [2, -1, 0, -1, -1, 3, -1],
    "all": [2, 1, 0, 3, 3, 3, 0],
    "one": [-1, -1, -1, 1, -1, -1, -1],
    "none": [-1] * 7,
}


@pytest.mark.parametrize("over", ["labelled", "batch"])
@pytest.mark.parametrize("y", LABELS.values(), ids=LABELS)
def test_classification_is_the_formula(y, over):
    logits, y = 2 * drawn(7, 4), torch.tensor(y)
    assert classification_loss(logits, y, over).item() == pytest.approx(
        literal.cls(logits, y, over), rel=1e-12
    )


def test_classification_is_by_default_over_the_labelled():
    logits, y = drawn(7, 4), torch.tensor(LABELS["some"])
    assert classification_loss(logits, y) == classification_loss(logits, y, over="labelled")


def test_both_denominators_differ_by_the_labelled_part_of_the_batch():
    """61 images without a label and 19 with one: the released code's term is 80/19 times smaller."""
    logits, y = drawn(80, 10), torch.arange(80) % 10
    y[19:] = -1
    ratio = classification_loss(logits, y) / classification_loss(logits, y, over="batch")
    assert ratio.item() == pytest.approx(80 / 19, rel=1e-12)


def test_samples_without_a_label_never_count():
    logits, y = drawn(7, 4), torch.tensor(LABELS["some"])
    found = classification_loss(logits, y)
    other = torch.where((y < 0)[:, None], drawn(7, 4, seed=9), logits)
    assert classification_loss(other, y) == found
    assert classification_loss(logits[y >= 0], y[y >= 0]).item() == pytest.approx(found.item(), rel=1e-12)
    more = torch.cat((logits, drawn(11, 4, seed=5)))
    more_y = torch.cat((y, y.new_full((11,), -1)))
    assert classification_loss(more, more_y).item() == pytest.approx(found.item(), rel=1e-12)


@pytest.mark.parametrize("over", ["labelled", "batch"])
def test_gradient_of_the_classification(over):
    logits, y = drawn(7, 4).requires_grad_(), torch.tensor(LABELS["some"])
    assert torch.autograd.gradcheck(lambda logits: classification_loss(logits, y, over), logits)
    (gradient,) = torch.autograd.grad(classification_loss(logits, y, over), logits)
    assert (gradient[y < 0] == 0).all() and (gradient[y >= 0] != 0).all()


def test_a_batch_without_labels_gives_0_with_a_gradient_of_0():
    logits = drawn(7, 4).requires_grad_()
    found = classification_loss(logits, torch.tensor(LABELS["none"]))
    (gradient,) = torch.autograd.grad(found, logits)
    assert found.item() == 0 and (gradient == 0).all()


# --- reconstruction, Eq. 3.10 and 3.11 -------------------------------------------------------------------


@pytest.mark.parametrize("pixels", ["sum", "mean"])
@pytest.mark.parametrize("shape", [(5, 3, 2, 4), (1, 1, 3, 3), (4, 7)])
def test_reconstruction_is_the_formula(shape, pixels):
    x, x_hat = drawn(*shape), drawn(*shape, seed=1)
    assert reconstruction_loss(x, x_hat, pixels).item() == pytest.approx(
        literal.rec(x, x_hat, pixels), rel=1e-12
    )
    each = [literal.squared(a, b, pixels) for a, b in zip(x, x_hat)]
    assert per_sample(x_hat - x, pixels).tolist() == pytest.approx(each, rel=1e-12)


@pytest.mark.parametrize("pixels", ["sum", "mean"])
def test_gradient_of_the_reconstruction(pixels):
    x, x_hat = drawn(5, 3, 2, 4).requires_grad_(), drawn(5, 3, 2, 4, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, x_hat: reconstruction_loss(x, x_hat, pixels), (x, x_hat))
    of_x, of_x_hat = torch.autograd.grad(reconstruction_loss(x, x_hat, pixels), (x, x_hat))
    d = 3 * 2 * 4 if pixels == "mean" else 1
    torch.testing.assert_close(of_x_hat, (2 * (x_hat - x) / (5 * d)).detach())
    torch.testing.assert_close(of_x, -of_x_hat)


def test_intermediate_is_summed_over_pairs_and_averaged_within():
    pairs = [(drawn(5, 2, 4, 4, seed=i), drawn(5, 2, 4, 4, seed=i + 10)) for i in range(2)]
    pairs.append((drawn(5, 6, 2, 2), drawn(5, 6, 2, 2, seed=20)))
    for pixels in ("sum", "mean"):
        for detach in (False, True):
            found = intermediate_loss(pairs, detach, pixels).item()
            assert found == pytest.approx(literal.inter(pairs, pixels), rel=1e-12)


def test_an_intermediate_target_is_a_constant_only_where_that_is_asked_for():
    h, made = drawn(5, 2, 4, 4).requires_grad_(), drawn(5, 2, 4, 4, seed=1).requires_grad_()
    plain = torch.autograd.grad(intermediate_loss([(h, made)]), (h, made))
    torch.testing.assert_close(plain[1], (2 * (made - h) / 5).detach())
    torch.testing.assert_close(plain[0], -plain[1])
    detached = torch.autograd.grad(intermediate_loss([(h, made)], detach=True), (h, made), allow_unused=True)
    assert detached[0] is None
    assert torch.equal(detached[1], plain[1])


# --- balancing, Eq. 3.12 ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", ["sum", "mean"])
def test_balancing_does_not_change_the_value(pixels):
    x, x_c, x_u = three()
    expected = literal.rec(x, x_c + x_u, pixels)
    assert balanced_reconstruction_loss(x, x_c, x_u, pixels).item() == pytest.approx(expected, rel=1e-12)
    assert balanced_reconstruction_loss(x, x_c, x_u, pixels) == reconstruction_loss(x, x_c + x_u, pixels)


@pytest.mark.parametrize("pixels", ["sum", "mean"])
def test_each_sample_teaches_the_branch_that_is_worse_on_it(pixels):
    x, x_c, x_u = three()
    to_u = literal.goes_to_u(x, x_c, x_u)
    assert 0 < sum(to_u) < len(to_u)  # a mixed batch
    of_c, of_u = slopes(x, x_c, x_u, pixels=pixels)
    d = 3 * 4 * 4 if pixels == "mean" else 1
    active = 2 * (x_c + x_u - x) / (len(x) * d)
    for i, u in enumerate(to_u):
        taught, left = (of_u[i], of_c[i]) if u else (of_c[i], of_u[i])
        torch.testing.assert_close(taught, active[i])
        assert (left == 0).all()


def test_samples_are_routed_independently_of_their_batch():
    x, x_c, x_u = three()
    of_c, of_u = slopes(x, x_c, x_u)
    for i in range(len(x)):
        alone = slopes(x[i : i + 1], x_c[i : i + 1], x_u[i : i + 1])
        torch.testing.assert_close(of_c[i] * len(x), alone[0][0])
        torch.testing.assert_close(of_u[i] * len(x), alone[1][0])


def test_the_order_of_the_batch_does_not_matter():
    x, x_c, x_u = three()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    of_c, of_u = slopes(x, x_c, x_u)
    shuffled = slopes(x[order], x_c[order], x_u[order])
    torch.testing.assert_close(shuffled, (of_c[order], of_u[order]))
    torch.testing.assert_close(
        balanced_reconstruction_loss(x[order], x_c[order], x_u[order]),
        balanced_reconstruction_loss(x, x_c, x_u),
    )


@pytest.mark.parametrize("pixels", ["sum", "mean"])
def test_a_tie_teaches_the_unsupervised_branch(pixels):
    x = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    of_c, of_u = slopes(x, x + 1, x - 1, pixels=pixels)  # equal errors, but x_hat is x: no gradient at all
    assert (of_c == 0).all() and (of_u == 0).all()
    of_c, of_u = slopes(x, x + 1, x + 1, pixels=pixels)
    assert (of_c == 0).all() and (of_u > 0).all()
    of_c, of_u = slopes(x, x + 1 + 1e-9, x + 1, pixels=pixels)
    assert (of_c > 0).all() and (of_u == 0).all()


def test_the_partial_error_decides_and_not_the_size_of_what_is_drawn():
    x = torch.full((1, 3, 2, 2), 10.0, dtype=torch.float64)
    of_c, of_u = slopes(x, x - 4, x + 5)  # u draws more and is worse
    assert (of_c == 0).all() and (of_u != 0).all()
    of_c, of_u = slopes(x, 0 * x, x + 5)  # c draws nothing and is worse
    assert (of_c != 0).all() and (of_u == 0).all()


def test_balanced_gradient_is_that_of_one_branch_with_the_other_fixed():
    x, x_c, x_u = three()
    x_c = x + 0.1 * x_c  # the better branch everywhere, so that a small step changes no decision
    assert torch.autograd.gradcheck(lambda u: balanced_reconstruction_loss(x, x_c, u), x_u.requires_grad_())
    swapped = lambda c: balanced_reconstruction_loss(x, c, x_c)
    assert torch.autograd.gradcheck(swapped, x_u)


def test_both_branches_share_one_error_signal_without_balancing():
    x, x_c, x_u = three()
    x_c, x_u = x_c.requires_grad_(), x_u.requires_grad_()
    of_c, of_u = torch.autograd.grad(reconstruction_loss(x, x_c + x_u), (x_c, x_u))
    assert torch.equal(of_c, of_u)
    torch.testing.assert_close(of_c, (2 * (x_c + x_u - x) / len(x)).detach())


# --- the conventions -------------------------------------------------------------------------------------


def test_conventions():
    assert TEXT == Convention() == ("sum", "sum", "labelled", False)
    assert CODE == ("mean", "mean", "batch", True)
    assert COURSE == ("mean", "mean", "labelled", True)
    assert Convention._fields == ("pixels", "classes", "labelled_over", "detach_taps")
