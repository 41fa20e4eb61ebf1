"""The hooks: which forward passes count, and which are forgotten."""

import weakref

import pytest
import torch
from torch import nn

from course_lib.methods import PreActivations
from tests.methods.hooked_models import conv_net, images


def test_several_passes_are_one_batch():
    net = conv_net()
    recorder = PreActivations(net)
    net(images(4, 1)), net(images(3, 2))
    taken = recorder.take()
    assert torch.equal(taken["1"], net[0](torch.cat([images(4, 1), images(3, 2)])))
    with pytest.raises(RuntimeError, match="No forward pass in training mode with gradients enabled"):
        recorder.take()


def test_passes_of_different_size_are_refused():
    net = conv_net()[:4]
    recorder = PreActivations(net)
    net(images()), net(torch.randn(6, 2, 8, 6))
    with pytest.raises(ValueError, match=r"'1' make no batch, .* \(6, 3, 4, 4\), \(6, 3, 6, 4\)"):
        recorder.take()
    relu = nn.Sequential(nn.ReLU())
    recorder = PreActivations(relu)
    relu(torch.randn(5, 4)), relu(torch.randn(5, 6))  # without gradients to wait for, the last one counts
    assert recorder.take()["0"].shape == (5, 6)
    relu(torch.randn(5, 4, requires_grad=True)), relu(torch.randn(5, 6))
    with pytest.raises(ValueError, match=r"'0' make no batch, .* \(5, 4\), \(5, 6\)"):
        recorder.take()


def test_passes_without_gradients_leave_no_trace():
    net = conv_net()
    recorder = PreActivations(net)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            net(images())
        with pytest.raises(RuntimeError, match="No forward pass"):
            recorder.take()
    net(images(3))
    with torch.no_grad():
        net(images(5))
    assert recorder.take()["1"].shape[0] == 3


def test_an_evaluation_in_between_does_not_count():
    net = conv_net()
    recorder = PreActivations(net)
    net(images(3))
    net.eval()
    net(images(5))
    net.train()
    net(images(2, 1))
    assert torch.equal(recorder.take()["1"], net[0](torch.cat([images(3), images(2, 1)])))
    net(images(3))
    net.eval()
    with pytest.raises(RuntimeError, match="No forward pass in evaluation mode"):
        recorder.take()
    net.train()
    assert recorder.take()["1"].shape[0] == 3


def test_in_evaluation_mode_the_last_pass_counts():
    net = conv_net().eval()
    recorder = PreActivations(net)
    for n in (3, 5, 2):
        net(images(n))
    assert recorder.take()["1"].shape[0] == 2


def test_a_pass_whose_backward_pass_is_over_is_displaced_by_the_next():
    net = conv_net()
    recorder = PreActivations(net)
    for seed in range(3):  # steps that did not use the record
        net(images(4, seed)).sum().backward()
    net(images(2, 9))
    assert recorder.take()["1"].shape[0] == 2


def test_a_graph_kept_for_a_second_backward_pass_still_counts():
    net = conv_net()
    recorder = PreActivations(net)
    net(images()).sum().backward(retain_graph=True)
    recorder.take()["1"].sum().backward()


def test_layers_below_which_nothing_is_trained_do_not_pile_up():
    net = conv_net()
    net[0].requires_grad_(False)
    recorder = PreActivations(net)
    for seed in range(3):
        net(images(4, seed)).sum().backward()
    taken = recorder.take()
    assert taken["1"].shape[0] == taken["3"].shape[0] == 4


def test_forget():
    net = conv_net()
    recorder = PreActivations(net)
    net(images())
    recorder.forget()
    net(images(2))
    assert recorder.take()["1"].shape[0] == 2


def test_nothing_is_kept_alive_after_taking():
    net = conv_net()
    recorder = PreActivations(net)
    net(images())
    taken = recorder.take()
    dead = weakref.ref(taken["1"])
    (taken["1"].sum() + taken["3"].sum()).backward()
    del taken
    assert dead() is None  # at once, without the garbage collector
    x = images().requires_grad_()
    with PreActivations(net, "0") as recorder:
        net(x)
    dead = weakref.ref(x)
    del x
    assert dead() is None
