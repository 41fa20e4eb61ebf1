"""Deconvnet and guided backprop in every form of a ReLU, and beside other libraries."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet, vgg

from course_lib.methods.saliency.modified_relu import backward_rule
from tests.methods.saliency.nets_of_relus import FORMS, IN_PLACE, RULES, Net, images, signal

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
    x = torch.tensor([[-1.0, 2.0, 0.5], [-3.0, 4.0, 0.5]], requires_grad=True)
    p = torch.tensor([[1.0, -1.0, 3.0], [1.0, -1.0, 3.0]])
    with backward_rule(rule):
        z = x.clone()
        z[0].relu_()
    assert z.tolist() == [[0, 2, 0.5], [-3, 4, 0.5]]
    first = 1.0 if rule == "deconvnet" else 0.0
    assert torch.autograd.grad(z, x, p)[0].tolist() == [[first, 0, 3], [1, -1, 3]]


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
