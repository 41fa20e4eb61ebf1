"""Meta-saliency: the model as found, and what is refused."""

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.capture import capture
from course_lib.methods.saliency.meta import meta_saliency, meta_step
from tests.methods.saliency.masked_nets import image_net, images, left_as_found


def linear_approximation(model, x, y):
    one = capture(model, x, y, "2")["2"]
    return (one.x * one.g).sum(1, keepdim=True)


def test_the_model_is_left_as_found_bit_for_bit():
    net, (x, y) = image_net(), images()
    net[3].eval()
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    with left_as_found(net, x):
        stepped = meta_step(net, x, y, 0.1)
        meta_saliency(linear_approximation, net, x, y, 0.1)
        with torch.no_grad():
            meta_saliency(linear_approximation, net, x, y, 0.1, -1)
        with torch.inference_mode():
            meta_saliency(linear_approximation, net, x, y, 0.1)
        with pytest.raises(RuntimeError, match="in the middle"):
            meta_saliency(_fails, net, x, y, 0.1)
    assert all(torch.equal(value, buffers[name]) for name, value in stepped.named_buffers())
    assert not any(module.training for module in stepped.modules())
    assert all(p.grad is None for p in stepped.parameters())
    mine = {p.data_ptr() for p in [*net.parameters(), *net.buffers()]}
    assert not mine & {p.data_ptr() for p in [*stepped.parameters(), *stepped.buffers()]}


def test_gradients_that_are_there_stay_and_are_not_copied():
    net, (x, y) = image_net(), images()
    net(x).sum().backward()
    before = [p.grad.clone() for p in net.parameters()]
    stepped = meta_step(net, x, y, 0.1)
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), before))
    assert all(p.grad is None for p in stepped.parameters())


def test_a_first_layer_that_works_in_place_does_not_change_the_images():
    net, (x, y) = nn.Sequential(nn.ReLU(inplace=True), *image_net()), images()
    before = x.clone()
    meta_step(net, x, y, 0.1)
    assert torch.equal(x, before)


def test_one_class_for_all_and_descent_if_nothing_is_said():
    net, (x, y) = image_net(), images()
    ones = torch.ones_like(y)
    for made, wanted in zip(
        meta_step(net, x, 1, 0.1).parameters(), meta_step(net, x, ones, 0.1, +1).parameters()
    ):
        assert torch.equal(made, wanted)
    found = meta_saliency(linear_approximation, net, x, 1, 0.1)
    assert torch.equal(found, meta_saliency(linear_approximation, net, x, ones, 0.1, +1))


def test_a_dict_of_one_image_has_no_gradient_either():
    net, (x, y) = image_net(), images()
    found = meta_saliency(lambda m, x, y: {"a": m[0](x).sum(1, keepdim=True)}, net, x[:1], y[:1], 0.1)
    assert found["a"].shape == (1, 1, 7, 9) and not found["a"].requires_grad


def _fails(model, x, y):
    raise RuntimeError("in the middle")


def test_impossible_input():
    net, (x, y) = image_net(), images()
    for eps in (-0.1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=f"eps is {eps}, possible are finite numbers from 0"):
            meta_step(net, x, y, eps)
    for sign in (0, 2):
        with pytest.raises(ValueError, match=rf"sign is {sign}, possible are \+1 .* and -1"):
            meta_saliency(linear_approximation, net, x, y, 0.1, sign)
    with pytest.raises(ValueError, match="x has shape .* needed is at least one image"):
        meta_saliency(linear_approximation, net, x[:0], y[:0], 0.1)
    with pytest.raises(ValueError, match="The loss depends on no parameter"):
        meta_step(nn.Flatten(), x.clone().requires_grad_(), y, 0.1)
    with pytest.raises(ValueError, match="y has"):
        meta_step(net, x, y[:-1], 0.1)
    with pytest.raises(ValueError, match=r"fn gives maps of shape \(1, 7, 9\), needed is \(1, 1, h, w\)"):
        meta_saliency(lambda m, x, y: x[:, 0], net, x, y, 0.1)
    with pytest.raises(ValueError, match="fn gives maps of type NoneType"):
        meta_saliency(lambda m, x, y: None, net, x, y, 0.1)
