"""Deconvnet and guided backprop by hand, and what belongs to their context."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.modified_relu import backward_rule
from tests.methods.saliency.nets_of_relus import RULES, Net, images, signal


def backward_of_one(rule, z, p):
    """One number through one ReLU, as the formulas say."""
    if rule == "deconvnet":
        return max(p, 0.0)
    return max(p, 0.0) if z > 0 else 0.0


# --- the formulas ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_one_relu_by_hand(rule):
    z = torch.tensor([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    p = torch.tensor([3.0, -3.0, 2.0, -2.0, 5.0, -5.0], dtype=torch.float64)
    with backward_rule(rule):
        y = F.relu(z)
    assert y.tolist() == [0, 0, 0, 0, 1, 2]
    (found,) = torch.autograd.grad(y, z, p)
    expected = {"deconvnet": [3, 0, 2, 0, 5, 0], "guided": [0, 0, 0, 0, 5, 0]}
    assert found.tolist() == expected[rule]


@pytest.mark.parametrize("rule", RULES)
def test_a_net_of_three_layers_one_number_at_a_time(rule):
    generator = torch.Generator().manual_seed(3)
    weights = [torch.randn(s, generator=generator, dtype=torch.float64) for s in ((5, 4), (6, 5), (2, 6))]
    x = torch.randn(4, generator=generator, dtype=torch.float64)

    h, entering = x.tolist(), []
    for w in weights[:2]:
        entering.append([sum(a * b for a, b in zip(row, h)) for row in w.tolist()])
        h = [max(z, 0.0) for z in entering[-1]]
    p = weights[2][1].tolist()
    for w, zs in zip(weights[1::-1], entering[::-1]):
        p = [backward_of_one(rule, z, one) for z, one in zip(zs, p)]
        p = [sum(w[i, j].item() * p[i] for i in range(len(p))) for j in range(w.shape[1])]

    def net(x):
        return F.linear(F.relu(F.linear(F.relu(F.linear(x, weights[0])), weights[1])), weights[2])

    torch.testing.assert_close(signal(net, x[None], rule)[0], torch.tensor(p, dtype=torch.float64))


def test_guided_is_the_gradient_where_everything_is_positive():
    net, x = Net("F.relu"), images().abs()
    for weight in net.parameters():
        weight.data.abs_()
    torch.testing.assert_close(signal(net, x, "guided"), signal(net, x))
    torch.testing.assert_close(signal(net, x, "deconvnet"), signal(net, x))


def test_behind_the_last_relu_they_are_the_gradient():
    head = nn.Linear(3, 4).double()
    x = images()[:, :1, 0, :3]
    for rule in RULES:
        assert torch.equal(signal(lambda x: head(x).flatten(1), x, rule), head.weight[1].expand(3, 1, 3))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("part", "in_place"), [(False, False), (True, False), (False, True)], ids=["new", "of a view", "in place"]
)
def test_the_signal_at_the_output_of_a_relu(rule, part, in_place):
    x = torch.tensor([-1.0, -1.0, 2.0, 2.0], dtype=torch.float64, requires_grad=True)
    p = torch.tensor([3.0, -3.0, 2.0, -2.0], dtype=torch.float64)
    with backward_rule(rule):
        y = F.relu(x.clone()[:] if part else x.clone(), inplace=in_place)
    (found,) = torch.autograd.grad((y * p).sum(), y)
    assert found.tolist() == {"deconvnet": [3, -3, 2, -2], "guided": [3, 0, 2, 0]}[rule]


# --- what belongs to the context -------------------------------------------------------------------------


def test_the_forward_pass_decides_not_the_backward_pass():
    net, x = Net("F.relu"), images()
    outputs = net(inside := x.clone().requires_grad_())
    with backward_rule("guided"):
        (found,) = torch.autograd.grad(outputs[:, 1].sum(), inside)
    assert torch.equal(found, signal(net, x))


def test_afterwards_and_after_an_error_relus_are_ordinary():
    net, x = Net("nn.ReLU"), images()
    ordinary = signal(net, x)
    with pytest.raises(KeyError), backward_rule("guided"):
        net(x)
        raise KeyError
    assert torch.equal(signal(net, x), ordinary)
    assert not net.relu._forward_hooks and not net.relu._backward_hooks


def test_a_context_may_be_used_again():
    net, x = Net("F.relu"), images()
    context = backward_rule("guided")
    for _ in range(2):
        leaf = x.clone().requires_grad_()
        with context:
            outputs = net(leaf)
        assert torch.equal(torch.autograd.grad(outputs[:, 1].sum(), leaf)[0], signal(net, x, "guided"))


def test_other_threads_notice_nothing():
    net, x = Net("F.relu"), images()
    ordinary, found = signal(net, x), []
    with backward_rule("guided"):
        thread = threading.Thread(target=lambda: found.append(signal(net, x)))
        thread.start()
        thread.join()
    assert torch.equal(found[0], ordinary)


@pytest.mark.parametrize("rule", RULES)
def test_under_vmap_and_functional_gradients(rule):
    net, x = Net("F.relu"), images()
    with backward_rule(rule):
        each = torch.func.vmap(torch.func.grad(lambda one: net(one[None])[0, 1]))(x)
    torch.testing.assert_close(each, signal(net, x, rule))


@pytest.mark.parametrize("rule", RULES)
def test_second_derivatives_are_those_of_the_rule(rule):
    x = torch.tensor([-1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    w = torch.tensor([1.5, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    with backward_rule(rule):
        y = (w * F.relu(x)).sum()
    (p,) = torch.autograd.grad(y, x, create_graph=True)
    (found,) = torch.autograd.grad(p.sum(), w)
    assert found.tolist() == {"deconvnet": [1, 0, 1], "guided": [0, 0, 1]}[rule]


@pytest.mark.parametrize("rule", ["Guided", "relu", None])
def test_unknown_rules_are_refused(rule):
    with pytest.raises(ValueError, match="possible are deconvnet, guided"):
        backward_rule(rule)
