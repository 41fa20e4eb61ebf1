"""The stability loss against Eq. 3.13 with loops, where its gradient goes, and its limits."""

import pytest
import torch

from course_lib.methods.stability import all_pairs_stability, stability_loss


def pair(b=4, c=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, b, c, generator=generator, dtype=torch.float64).softmax(2)


def literal(prob, target, known=None, classes="sum"):
    """Eq. 3.13, one sample and one class after the other."""
    total = 0.0
    for k in range(len(prob)):
        if known is not None and not known[k]:
            continue
        distance = 0.0
        for y, z in zip(prob[k].tolist(), target[k].tolist()):
            distance += (y - z) ** 2
        total += distance / len(prob[k]) if classes == "mean" else distance
    return total / len(prob)


@pytest.mark.parametrize("classes", ["sum", "mean"])
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (1, 2), (5, 1)])
def test_it_is_the_equation(shape, classes):
    prob, target = pair(*shape)
    target = target.square()  # so that a single class differs, too
    prob = prob / 2
    known = torch.arange(shape[0]) % 3 != 1
    assert stability_loss(prob, target, classes=classes).item() == pytest.approx(
        literal(prob, target, None, classes), rel=1e-12
    )
    assert stability_loss(prob, target, known, classes).item() == pytest.approx(
        literal(prob, target, known, classes), rel=1e-12
    )


def test_the_sum_over_classes_is_what_the_text_has():
    prob, target = pair()
    assert stability_loss(prob, target) == stability_loss(prob, target, classes="sum")
    assert stability_loss(prob, target).item() == pytest.approx(literal(prob, target), rel=1e-12)


def test_limits():
    prob, target = pair()
    assert stability_loss(prob, prob).item() == 0
    assert stability_loss(prob, target, torch.zeros(4, dtype=torch.bool)).item() == 0
    certain = torch.eye(3, dtype=torch.float64)
    assert stability_loss(certain, certain.roll(1, 0)).item() == 2  # nothing can be further apart
    assert stability_loss(certain, certain.roll(1, 0), classes="mean").item() == pytest.approx(2 / 3)


def test_what_an_unknown_target_holds_does_not_matter():
    prob, target = pair()
    target[2] = torch.nan
    known = torch.tensor([True, True, False, True])
    prob.requires_grad_()
    loss = stability_loss(prob, target, known)
    assert loss.item() == pytest.approx(literal(prob, target, known), rel=1e-12)
    loss.backward()
    assert prob.grad[2].tolist() == [0, 0, 0] and prob.grad.isfinite().all()


def test_the_gradient_reaches_the_predictions_alone():
    prob, target = (tensor.clone().requires_grad_() for tensor in pair())
    stability_loss(prob, target).backward()
    torch.testing.assert_close(prob.grad, 2 * (prob - target).detach() / 4)
    assert target.grad is None
    assert torch.autograd.gradcheck(lambda y: stability_loss(y, target, classes="mean"), prob)


def test_the_gradient_reaches_both_where_that_is_asked_for():
    prob, target = (tensor.clone().requires_grad_() for tensor in pair())
    stability_loss(prob, target, both=True).backward()
    torch.testing.assert_close(target.grad, -prob.grad)
    assert target.grad.abs().sum() > 0


def test_all_pairs_of_two_passes_are_twice_it():
    prob, target = pair()
    torch.testing.assert_close(
        all_pairs_stability(torch.stack([prob, target])), 2 * stability_loss(prob, target)
    )


def test_low_precision_is_added_up_in_float32():
    prob, target = (tensor.bfloat16() for tensor in pair(7, 5))
    found = stability_loss(prob, target)
    assert found.dtype == torch.float32 and stability_loss(*pair()).dtype == torch.float64
    assert stability_loss(prob.double(), target).dtype == torch.float64
    assert found.item() == pytest.approx(literal(prob.double(), target.double()), rel=1e-6)


@pytest.mark.parametrize(
    "one, other",
    [
        ((4, 3), (4, 2)),
        ((4, 3), (1, 3)),
        ((4, 3), (3,)),
        ((0, 3), (0, 3)),
        ((4,), (4,)),
        ((2, 4, 3), (2, 4, 3)),
    ],
)
def test_impossible_shapes(one, other):
    with pytest.raises(ValueError, match=r"prob and target have shapes .*, needed is \(B, C\) for both"):
        stability_loss(torch.zeros(one), torch.zeros(other))


def test_impossible_arguments():
    prob, target = pair()
    with pytest.raises(TypeError, match="prob has type torch.int64"):
        stability_loss(prob.long(), target)
    with pytest.raises(TypeError, match="target has type torch.int64"):
        stability_loss(prob, target.long())
    with pytest.raises(TypeError, match="known has type torch.int64, needed is bool"):
        stability_loss(prob, target, torch.ones(4, dtype=torch.long))
    for shape in ((3,), (4, 1), ()):
        with pytest.raises(ValueError, match=r"known has shape .*, needed is \(4,\)"):
            stability_loss(prob, target, torch.ones(shape, dtype=torch.bool))
    with pytest.raises(ValueError, match="classes is 'max', possible are sum, mean"):
        stability_loss(prob, target, classes="max")
