"""Meta-saliency: the step against its equations, and each image with a step of its own."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.capture import capture
from course_lib.methods.saliency.meta import meta_saliency, meta_step, target_loss
from tests.methods.saliency.masked_nets import image_net, images, left_as_found, passes


class Quadratic(nn.Module):
    """Its output is its parameter θ, so that a loss of the output may be any function of θ."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(theta.clone())

    def forward(self, x):
        return self.theta


def tanh_net():
    torch.manual_seed(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def small_image(n=1):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(n, 1, 3, 4, generator=generator, dtype=torch.float64), torch.arange(n) % 3


def flat_gradient(model, x, y):
    loss = F.cross_entropy(model(x), y)
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def linear_approximation(model, x, y):
    one = capture(model, x, y, "2")["2"]
    return (one.x * one.g).sum(1, keepdim=True)


# --- the step --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
def test_of_a_quadratic_loss_the_gradient_after_it_is_equation_6(sign):
    """∇ℓ(θ') = ∇ℓ - 2ε H ∇ℓ, to machine precision; for the negative one, + instead of -."""
    a = torch.randn(5, 5, dtype=torch.float64)
    hessian, b, theta = a @ a.T, torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    x, y = small_image()

    def loss(outputs, y):
        return 0.5 * outputs @ hessian @ outputs + b @ outputs

    gradient = hessian @ theta + b
    for eps in (0.3, 1e-3):
        stepped = meta_step(Quadratic(theta), x, y, eps, sign, loss)
        after = hessian @ stepped.theta.detach() + b
        torch.testing.assert_close(
            after, gradient - sign * 2 * eps * hessian @ gradient, rtol=1e-14, atol=1e-12
        )


def exact_gradient(model, x, y, eps):
    """∇_θ ℓ(θ - ε ∇ℓ(θ)) of Eq. 4, through the step, by differentiating twice."""
    parameters = dict(model.named_parameters())
    loss = F.cross_entropy(torch.func.functional_call(model, parameters, (x,)), y)
    inner = torch.autograd.grad(loss, list(parameters.values()), create_graph=True)
    stepped = {name: p - eps * g for (name, p), g in zip(parameters.items(), inner)}
    outer = F.cross_entropy(torch.func.functional_call(model, stepped, (x,)), y)
    return torch.cat([g.flatten() for g in torch.autograd.grad(outer, list(parameters.values()))])


def test_a_step_of_twice_eps_is_right_to_second_order_and_one_of_eps_is_not():
    net, (x, y) = tanh_net(), small_image()
    ours, half = [], []
    for eps in (1e-1, 1e-2, 1e-3):
        exact = exact_gradient(net, x, y, eps)
        ours.append((flat_gradient(meta_step(net, x, y, eps), x, y) - exact).norm() / exact.norm())
        half.append((flat_gradient(meta_step(net, x, y, eps / 2), x, y) - exact).norm() / exact.norm())
    assert ours[2] > 1e-9  # neither is exact, so that there is an order to measure
    assert ours[0] / ours[1] > 50 and 80 < ours[1] / ours[2] < 120
    assert 5 < half[0] / half[1] < 20 and 8 < half[1] / half[2] < 12


@pytest.mark.parametrize("sign", [1, -1])
def test_the_step_is_plain_gradient_descent_on_all_weights(sign):
    net, (x, y) = image_net(), images()
    judge = image_net().eval()
    expected = weights_of(judge) - sign * 2 * 0.03 * flat_gradient(judge, x, y)
    stepped = meta_step(net, x, y, 0.03, sign)
    torch.testing.assert_close(weights_of(stepped), expected, rtol=1e-12, atol=1e-14)
    again = meta_step(stepped, x, y, 0.03, sign)  # no momentum is carried along
    expected = expected - sign * 2 * 0.03 * flat_gradient(stepped, x, y)
    torch.testing.assert_close(weights_of(again), expected, rtol=1e-12, atol=1e-14)


def test_the_loss_falls_with_descent_and_rises_with_ascent():
    net, (x, y) = tanh_net(), small_image()
    for target in (y, y + 1, y + 2):  # the class need not be the right one
        up, before, down = (
            F.cross_entropy(meta_step(net, x, target, eps, sign)(x), target).item()
            for eps, sign in ((0.05, -1), (0.0, 1), (0.05, 1))
        )
        assert down < before < up
        assert before == F.cross_entropy(net(x), target).item()


def test_frozen_weights_take_the_step_too():
    frozen, (x, y) = image_net(), images()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    frozen[0].bias.requires_grad_(True)
    with left_as_found(frozen, x):
        stepped = meta_step(frozen, x, y, 0.03)
    assert [p.requires_grad for p in stepped.parameters()] == [p.requires_grad for p in frozen.parameters()]
    torch.testing.assert_close(weights_of(stepped), weights_of(meta_step(image_net(), x, y, 0.03)))


def test_weights_that_the_loss_does_not_reach_stay():
    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = image_net(), nn.Linear(3, 2).double()

        def forward(self, x):
            return self.used(x)

    model, (x, y) = Partly(), images()
    stepped = meta_step(model, x, y, 0.03)
    assert torch.equal(stepped.unused.weight, model.unused.weight)
    assert not torch.equal(stepped.used[0].weight, model.used[0].weight)


def test_fully_convolutional_logits_are_averaged_over_positions():
    logits, y = torch.randn(2, 3, 2, 4, dtype=torch.float64), torch.tensor([2, 0])
    total = 0.0
    for i in range(2):
        for row in range(2):
            for column in range(4):
                at = logits[i, :, row, column]
                total += (at.exp().sum().log() - at[y[i]]).item()
    assert target_loss(logits, y).item() == pytest.approx(total / 16)
    assert target_loss(logits[..., 0, 0], y) == F.cross_entropy(logits[..., 0, 0], y)
    assert target_loss(logits.bfloat16(), y).dtype == torch.float32
    net = nn.Conv2d(2, 3, 1).double()
    x, y = images()
    (expected,) = torch.autograd.grad(target_loss(net(x), y), net.weight)
    torch.testing.assert_close(meta_step(net, x, y, 0.5).weight, net.weight - expected)


# --- each image with its own ----------------------------------------------------------------------------


def literal(model, x, y, eps, sign):
    """A new copy for every image, a plain SGD optimiser, and activations and gradients of the stepped net."""
    maps = []
    for i in range(len(x)):
        stepped = copy.deepcopy(model).eval()
        optimizer = torch.optim.SGD(stepped.parameters(), 2 * eps, maximize=sign < 0)
        F.cross_entropy(stepped(x[i : i + 1]), y[i : i + 1]).backward()
        optimizer.step()
        inner = stepped[2](stepped[1](stepped[0](x[i : i + 1]))).detach().requires_grad_()
        (g,) = torch.autograd.grad(stepped[5](stepped[4](inner))[0, y[i]], inner)
        maps.append((inner.detach() * g).sum(1, keepdim=True))
    return torch.cat(maps)


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_one_step_and_one_map_an_image(sign):
    net, (x, y) = image_net(), images(4)
    found = meta_saliency(linear_approximation, net, x, y, 0.05, sign)
    torch.testing.assert_close(found, literal(net, x, y, 0.05, sign))
    joint = linear_approximation(meta_step(net, x, y, 0.05, sign), x, y)
    assert not torch.allclose(found, joint)
    one_by_one = [
        meta_saliency(linear_approximation, net, x[i : i + 1], y[i : i + 1], 0.05, sign) for i in range(4)
    ]
    assert torch.equal(torch.cat(one_by_one), found)
    alone = [
        linear_approximation(meta_step(net, x[i : i + 1], y[i : i + 1], 0.05, sign), x[i : i + 1], y[i])
        for i in range(4)
    ]
    torch.testing.assert_close(torch.cat(alone), found)


def test_without_a_step_it_is_the_method_itself():
    net, (x, y) = image_net(), images()
    torch.testing.assert_close(
        meta_saliency(linear_approximation, net, x, y, 0.0), linear_approximation(net, x, y)
    )
    near = meta_saliency(linear_approximation, net, x, y, 1e-7)
    torch.testing.assert_close(near, linear_approximation(net, x, y), rtol=1e-4, atol=1e-5)


def test_a_dict_of_layers_stays_one():
    net, (x, y) = image_net(), images()

    def both(model, x, y):
        return {
            name: one.g.abs().amax(1, keepdim=True) for name, one in capture(model, x, y, ["0", "2"]).items()
        }

    found = meta_saliency(both, net, x, y, 0.05)
    assert list(found) == ["0", "2"]
    for name in found:
        alone = meta_saliency(lambda m, x, y, name=name: both(m, x, y)[name], net, x, y, 0.05)
        assert torch.equal(found[name], alone) and alone.shape == (3, 1, 7, 9)


def test_what_fn_is_given():
    net, (x, _) = image_net(), images()
    seen = []

    def fn(model, image, classes):
        seen.append((model is net, model.training, tuple(image.shape), classes.tolist()))
        assert all(p.grad is None for p in model.parameters())
        return model[0](image).sum(1, keepdim=True)

    found = meta_saliency(fn, net, x, 1, 0.01)
    assert seen == [(False, False, (1, 2, 7, 9), [1])] * 3
    assert not found.requires_grad


def test_one_copy_serves_all_images_and_one_more_pass_each(monkeypatch):
    net, (x, y) = image_net(), images()
    copies = []
    monkeypatch.setattr(
        "course_lib.methods.saliency.meta.copy.deepcopy", lambda model: copies.append(model) or model
    )
    sizes = passes(net)
    meta_saliency(lambda model, x, y: x[:, :1], net, x, y, 0.0)
    assert len(copies) == 1 and sizes == [1, 1, 1]
