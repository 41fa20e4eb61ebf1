"""VAT: the direction against the Hessian of the divergence, the loss with loops, and what is left alone."""

import copy
import math

import pytest
import torch
from torch import nn

from course_lib.methods.virtual_adversarial import vat_loss, virtual_adversarial_direction
from tests.methods.small_nets import DEVICES
from tests.methods.students import same, snapshot, student


def images(n=3, seed=2, shape=(4,)):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


def divergence(p, q):
    """KL(p ‖ q) of two rows of probabilities, term by term."""
    return sum(a * (math.log(a) - math.log(b)) for a, b in zip(p.tolist(), q.tolist()))


def hessian(model, x):
    """Second derivative of KL(p(y|x) ‖ p(y|x + r)) in r at 0, for one image x, flattened."""
    p = model(x[None]).softmax(1).detach()

    def kl(r):
        return (p * (p.log() - model(x[None] + r.reshape(x[None].shape)).log_softmax(1))).sum()

    return torch.autograd.functional.hessian(kl, torch.zeros(x.numel(), dtype=x.dtype))


def conv_student():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(12, 4)).double()


@pytest.mark.parametrize("iterations", [0, 1, 2, 5])
@pytest.mark.parametrize("make, shape", [(lambda: student(norm=False), (4,)), (conv_student, (2, 3, 3))])
def test_the_direction_is_a_power_iteration_on_the_hessian(make, shape, iterations):
    model, x = make(), images(shape=shape)
    found = virtual_adversarial_direction(model, x, 1e-4, iterations, seeded())
    start = torch.randn(x.shape, generator=seeded(), dtype=x.dtype)
    for i in range(len(x)):
        d = start[i].flatten()
        for _ in range(iterations):
            d = hessian(model, x[i]) @ (d / d.norm())
        torch.testing.assert_close(found[i].flatten(), d / d.norm(), atol=1e-3, rtol=1e-3)
    assert not found.requires_grad and found.shape == x.shape


def test_after_many_steps_it_is_the_dominant_eigenvector():
    model, x = student(norm=False), images()
    found = virtual_adversarial_direction(model, x, 1e-4, 40, seeded())
    for i in range(len(x)):
        dominant = torch.linalg.eigh(hessian(model, x[i]))[1][:, -1]
        assert (found[i] @ dominant).abs().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_the_loss_is_the_mean_divergence_at_the_given_distance(iterations):
    model, x = student(norm=False), images(5)
    found = vat_loss(model, x, 1e-3, 0.7, iterations, seeded())
    r = 0.7 * virtual_adversarial_direction(model, x, 1e-3, iterations, seeded())
    assert r.norm(dim=1).tolist() == pytest.approx([0.7] * 5)
    p, q = model(x).softmax(1), model(x + r).softmax(1)
    assert found.item() == pytest.approx(sum(divergence(*pq) for pq in zip(p, q)) / 5, rel=1e-9)


def test_by_default_one_step_of_a_length_that_float32_can_tell():
    model, x = student(norm=False), images()
    torch.testing.assert_close(
        vat_loss(model, x, generator=seeded()), vat_loss(model, x, 1e-2, 1.0, 1, seeded())
    )
    torch.testing.assert_close(
        virtual_adversarial_direction(model, x, generator=seeded()),
        virtual_adversarial_direction(model, x, 1e-2, 1, seeded()),
    )
    wide = nn.Sequential(nn.Linear(3072, 20), nn.Tanh(), nn.Linear(20, 5))
    x = images(8, shape=(3072,))
    start = torch.randn(x.shape, generator=seeded()).double()
    exact = virtual_adversarial_direction(copy.deepcopy(wide).double(), x, generator=_Given(start))
    rounded = virtual_adversarial_direction(wide, x.float(), generator=_Given(start.float()))
    lost = virtual_adversarial_direction(wide, x.float(), 1e-6, generator=_Given(start.float()))
    assert ((exact * rounded).sum(1) > 0.99).all()
    assert (exact * lost).sum(1).mean() < 0.9


class _Given:
    """Stands where a generator is wanted, in a test that replaces torch.randn."""

    def __init__(self, start):
        self.start = start


@pytest.fixture(autouse=True)
def given_starts(monkeypatch):
    randn = torch.randn

    def maybe_given(*shape, generator=None, **options):
        return (
            generator.start
            if isinstance(generator, _Given)
            else randn(*shape, generator=generator, **options)
        )

    monkeypatch.setattr(torch, "randn", maybe_given)


def test_it_hurts_more_than_a_random_direction():
    model, x = student(norm=False), images(20)
    at_random = vat_loss(model, x, 1e-3, 0.5, 0, seeded())
    one, many = (vat_loss(model, x, 1e-3, 0.5, steps, seeded()) for steps in (1, 8))
    assert at_random < one < many


def test_limits():
    model, x = student(norm=False), images()
    assert vat_loss(model, x, eps=0).item() == pytest.approx(0, abs=1e-15)
    with torch.no_grad():
        model[-1].weight.zero_()
    assert vat_loss(model, x).item() == 0
    assert virtual_adversarial_direction(model, x).tolist() == [[0.0] * 4] * 3
    in_half = virtual_adversarial_direction(lambda x: 0 * x, x.half(), generator=seeded())
    assert in_half.tolist() == [[0.0] * 4] * 3
    assert virtual_adversarial_direction(model, x, iterations=0).norm(dim=1).tolist() == pytest.approx(
        [1] * 3
    )


def test_a_tiny_gradient_still_has_a_direction():
    model, x = nn.Linear(4, 3).double(), images()
    with torch.no_grad():
        model.weight *= 1e-7
    found = virtual_adversarial_direction(model, x, 1e-2, 1, seeded())
    assert found.norm(dim=1).tolist() == pytest.approx([1] * 3)


def test_the_first_step_is_the_gradient_at_the_given_distance():
    model, x = student(norm=False), images()
    d = torch.randn(x.shape, generator=seeded(), dtype=x.dtype)
    d = (d / d.norm(dim=1, keepdim=True)).requires_grad_()
    p, q = model(x).softmax(1).detach(), model(x + 2 * d).softmax(1)
    gradient = torch.autograd.grad((p * (p / q).log()).sum(), d)[0]
    found = virtual_adversarial_direction(model, x, 2.0, 1, seeded())
    torch.testing.assert_close(found, gradient / gradient.norm(dim=1, keepdim=True))


def test_each_image_on_its_own():
    model, x = student(norm=False), images(4)
    start = torch.randn(x.shape, generator=seeded(), dtype=x.dtype)
    whole = virtual_adversarial_direction(model, x, generator=_Given(start))
    for i in range(4):
        one = virtual_adversarial_direction(model, x[i : i + 1], generator=_Given(start[i : i + 1]))
        torch.testing.assert_close(whole[i : i + 1], one)


def test_the_gradient_reaches_the_parameters_through_the_changed_images_alone():
    model, x = student(norm=False), images(5)
    r = 0.7 * virtual_adversarial_direction(model, x, generator=seeded())
    p = model(x).softmax(1).detach()
    expected = (p * (p.log() - model(x + r).log_softmax(1))).sum(1).mean()
    expected = torch.autograd.grad(expected, list(model.parameters()))
    found = torch.autograd.grad(vat_loss(model, x, eps=0.7, generator=seeded()), list(model.parameters()))
    torch.testing.assert_close(found, expected)
    assert any(g.abs().sum() > 0 for g in found)


def test_images_that_need_a_gradient_get_it_through_the_changed_ones():
    model, x = student(norm=False), images().requires_grad_()
    vat_loss(model, x, generator=seeded()).backward()
    assert x.grad.abs().sum() > 0
    assert not virtual_adversarial_direction(model, x).requires_grad


def test_it_can_be_measured_without_gradients():
    model, x = student(norm=False), images()
    expected = vat_loss(model, x, generator=seeded())
    with torch.no_grad():
        found = vat_loss(model, x, generator=seeded())
    assert expected.requires_grad and not found.requires_grad
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model, x = student(dropout=0.4).train(training), images(6)
    model(x).sum().backward()
    model[3].eval()
    before, original = snapshot(model), x.clone()
    loss = vat_loss(model, x)
    virtual_adversarial_direction(model, x)
    assert same(before, snapshot(model)) and torch.equal(x, original)
    loss.backward()
    assert not same(before, snapshot(model))  # now its gradients have moved, as they should


def test_batch_norm_uses_the_batch_in_training_mode():
    model, x = student(), images(6)
    frozen = student()
    frozen[1].track_running_stats, frozen[1].running_mean, frozen[1].running_var = False, None, None
    torch.testing.assert_close(
        vat_loss(model, x, generator=seeded()), vat_loss(frozen, x, generator=seeded())
    )
    assert not torch.allclose(
        vat_loss(model, x, generator=seeded()), vat_loss(model.eval(), x, generator=seeded())
    )


def test_a_function_does_as_well():
    model, x = student(norm=False), images()
    torch.testing.assert_close(
        vat_loss(lambda images: model(images), x, generator=seeded()), vat_loss(model, x, generator=seeded())
    )


@pytest.mark.parametrize("device", DEVICES)
def test_it_runs_where_the_images_are(device):
    model, x = student().to(device), images(6).to(device)
    generator = torch.Generator(device).manual_seed(1)
    assert vat_loss(model, x, generator=generator).device.type == device
    assert virtual_adversarial_direction(model, x).device.type == device


def test_it_draws_from_torchs_generator_or_the_given_one():
    model, x = student(norm=False), images()
    torch.manual_seed(5)
    found = vat_loss(model, x)
    before = torch.get_rng_state()
    assert torch.equal(vat_loss(model, x, generator=seeded()), found)
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(vat_loss(model, x), found)


def test_autocast_does_not_blur_it():
    model, x = student(norm=False).float(), images().float()
    direction = virtual_adversarial_direction(model, x, 1e-3, generator=seeded())
    p, q = model(x).softmax(1), model(x + direction).softmax(1)
    expected = (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(vat_loss(model, x, 1e-3, generator=seeded()), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(vat_loss(model, x, 1e-3, generator=seeded()), expected)
        assert torch.equal(virtual_adversarial_direction(model, x, 1e-3, generator=seeded()), direction)


def test_logits_of_low_precision_are_compared_in_float32():
    model, x = student(norm=False).bfloat16(), images().bfloat16()
    r = virtual_adversarial_direction(model, x, 1.0, 1, seeded())
    p, q = (model(image).float().log_softmax(1) for image in (x, x + r))
    found = vat_loss(model, x, 1.0, 1.0, 1, seeded())
    torch.testing.assert_close(found, (p.exp() * (p - q)).sum(1).mean())


def test_types():
    model, x = student(norm=False), images()
    assert vat_loss(model, x).dtype == torch.float64
    low = vat_loss(model.bfloat16(), x.bfloat16(), 1.0)
    assert low.dtype == torch.float32
    assert virtual_adversarial_direction(model, x.bfloat16(), 1.0).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "options, says",
    [
        ({"xi": 0.0}, "xi is 0.0, possible are lengths above 0"),
        ({"xi": -1.0}, "xi is -1.0"),
        ({"eps": -0.1}, "eps is -0.1, possible are lengths from 0"),
        ({"eps": float("nan")}, "eps is nan"),
        ({"iterations": -1}, "iterations is -1, possible are whole numbers from 0"),
    ],
)
def test_impossible_arguments(options, says):
    with pytest.raises(ValueError, match=says):
        vat_loss(student(), images(), **options)


def test_impossible_images_and_logits():
    with pytest.raises(TypeError, match="x has type torch.int64, needed is a floating type"):
        vat_loss(student(), torch.ones(2, 4, dtype=torch.long))
    for model, x in [
        (nn.Flatten(0), images()),  # (B C,)
        (nn.Unflatten(1, (2, 2)), images()),  # (B, 2, 2)
        (lambda x: x[:2], images()),
        (nn.Flatten(), images(0)),
    ]:
        with pytest.raises(ValueError, match=r"The logits have shape .*, needed is \(B, C\) for B samples"):
            vat_loss(model, x)
