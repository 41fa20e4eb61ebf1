"""Deconvnet and guided backprop: by hand, in every form of ReLU, and beside other libraries."""

import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet, vgg

from course_lib.methods.saliency.modified_relu import backward_rule
from tests.methods.saliency.nets_of_relus import FORMS, Net, images

RULES = ["deconvnet", "guided"]
IN_PLACE = [form for form in FORMS if "in place" in form or form.endswith("_")]


def signal(net, x, rule=None, c=1):
    """The signal at the image for the logit of one class, under a rule; the gradient without one."""
    x = x.clone().requires_grad_()
    if rule is None:
        outputs = net(x.clone())
    else:
        with backward_rule(rule):
            outputs = net(x.clone())
    return torch.autograd.grad(outputs[:, c].sum(), x)[0]


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


# --- every form of a ReLU --------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_signal(form, rule):
    net, x = Net(form), images()
    model = Net("in place, result unused" if form in IN_PLACE else "torch.relu")
    found = signal(net, x, rule)
    assert torch.equal(found, signal(model, x, rule))
    assert not torch.allclose(found, signal(net, x))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", FORMS)
def test_values_are_the_ordinary_ones(form, rule):
    net, x = Net(form), images()
    ordinary = net(x)
    with backward_rule(rule):
        assert torch.equal(net(x), ordinary)
        with torch.no_grad():
            assert torch.equal(net(x), ordinary)


def test_the_forms_differ_in_what_later_users_see():
    x = images()
    values = {form: Net(form)(x) for form in FORMS}
    for form, value in values.items():
        assert torch.equal(value, values["Tensor.relu_" if form in IN_PLACE else "F.relu"])
    assert not torch.allclose(values["Tensor.relu_"], values["F.relu"])


@pytest.mark.parametrize("rule", RULES)
def test_an_in_place_relu_returns_its_input_changed(rule):
    with backward_rule(rule):
        for relu in (torch.relu_, F.relu_, torch.Tensor.relu_, nn.ReLU(inplace=True)):
            z = torch.tensor([-1.0, 2.0], requires_grad=True).clone()
            assert relu(z) is z
            assert z.tolist() == [0, 2]
        z = torch.tensor([-1.0, 2.0])
        assert F.relu(z) is not z
        assert z.tolist() == [-1, 2]


@pytest.mark.parametrize("rule", RULES)
def test_an_in_place_relu_on_a_part_of_a_tensor(rule):
    x = torch.tensor([[-1.0, 2.0], [-3.0, 4.0]], requires_grad=True)
    p = torch.tensor([[1.0, -1.0], [1.0, -1.0]])
    with backward_rule(rule):
        z = x.clone()
        z[0].relu_()
    assert z.tolist() == [[0, 2], [-3, 4]]
    first = 1.0 if rule == "deconvnet" else 0.0
    assert torch.autograd.grad(z, x, p)[0].tolist() == [[first, 0], [1, -1]]


def test_the_result_may_be_changed_afterwards():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    with backward_rule("guided"):
        y = F.relu(x)
        y += 5  # as a residual block does
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 1]


def test_a_leaf_cannot_be_changed_in_place_as_ever():
    with backward_rule("guided"), pytest.raises(RuntimeError, match="leaf"):
        torch.zeros(2, requires_grad=True).relu_()


def test_other_activations_keep_their_gradient():
    x = images().requires_grad_()
    for function in (F.leaky_relu, F.relu6, F.elu, lambda z: z.clamp(min=0)):
        (ordinary,) = torch.autograd.grad(-function(x).sum(), x)
        with backward_rule("guided"):
            y = function(x)
        assert torch.equal(torch.autograd.grad(-y.sum(), x)[0], ordinary)


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


def test_the_innermost_context_counts():
    net, x = Net("F.relu"), images()
    alone = {rule: signal(net, x, rule) for rule in RULES}
    for outer, inner in (RULES, RULES[::-1]):
        with backward_rule(outer):
            assert torch.equal(signal(net, x, inner), alone[inner])
            assert torch.equal(signal(net, x), alone[outer])


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


# --- nets of torchvision, and other libraries ------------------------------------------------------------


def small_vgg():
    layers = vgg.make_layers([4, "M", 6, 6, "M"])  # as torchvision builds its VGGs, with ReLUs in place
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3))


def small_resnet():
    return resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], num_classes=3)  # each ReLU module runs three times


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("make", [small_resnet, small_vgg])
def test_nets_of_torchvision(make, rule):
    torch.manual_seed(0)
    net = make().eval().requires_grad_(False)
    x = torch.randn(1, 3, 32, 32)
    ordinary = net(x)
    with backward_rule(rule):
        assert torch.equal(net(x), ordinary)
    in_place = signal(net, x, rule)
    assert not torch.allclose(in_place, signal(net, x))
    for module in net.modules():
        if isinstance(module, nn.ReLU):
            assert module.inplace
            module.inplace = False
    assert torch.equal(signal(net, x, rule), in_place)


class Plain(nn.Sequential):
    def __init__(self):
        torch.manual_seed(2)
        super().__init__(
            nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1),
            nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 6), nn.ReLU(),
            nn.Linear(6, 3),
        )  # fmt: skip
        self.double().eval()


@pytest.mark.parametrize("rule", RULES)
def test_beside_captum(rule):
    attr = pytest.importorskip("captum.attr")
    method = {"deconvnet": attr.Deconvolution, "guided": attr.GuidedBackprop}[rule]
    net, x = Plain(), images()
    theirs = method(net).attribute(x.clone().requires_grad_(), target=1)
    torch.testing.assert_close(signal(net, x, rule), theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_captum_gives_the_plain_gradient_where_a_relu_is_no_module(rule):
    # A documented difference: it hooks modules, finds none, and says nothing.
    attr = pytest.importorskip("captum.attr")
    method = {"deconvnet": attr.Deconvolution, "guided": attr.GuidedBackprop}[rule]
    net, x = Net("F.relu"), images()
    theirs = method(net).attribute(x.clone().requires_grad_(), target=1)
    torch.testing.assert_close(theirs, signal(net, x))
    assert not torch.allclose(theirs, signal(net, x, rule))
    modules = Net("nn.ReLU")  # the same net; its module runs twice, which captum's hooks do see
    assert torch.equal(signal(modules, x, rule), signal(net, x, rule))


@pytest.mark.parametrize("rule", RULES)
def test_beside_zennit(rule):
    composites = pytest.importorskip("zennit.composites")
    composite = {"deconvnet": composites.DeconvNet, "guided": composites.GuidedBackprop}[rule]()
    net, x = Plain(), images().requires_grad_()
    with composite.context(net) as modified:
        (theirs,) = torch.autograd.grad(modified(x)[:, 1].sum(), x)
    torch.testing.assert_close(signal(net, x.detach(), rule), theirs, rtol=0, atol=1e-6)
