"""Excitation backprop at the layers of whole nets: what it keeps, its contrast, and what it leaves behind."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet

from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from course_lib.methods.saliency.excitation_rules import excitation_rules
from tests.methods.saliency.literal_excitation import conv_table, linear_table, shared_out

LAYERS = ["conv1", "pool1", "block", "pool2"]


class Residual(nn.Module):
    """h + relu(norm(conv(h))): both branches are never below 0."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, h):
        return F.relu(self.norm(self.conv(h))) + h


class Net(nn.Module):
    """With a max pool, an average pool, a residual sum, batch norm and a linear head; dropout as a trap."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.conv1, self.pool1 = nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2)
        self.block, self.pool2 = Residual(), nn.AvgPool2d(2)
        self.relu, self.dropout = nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.head = nn.Linear(4, 5)
        self.double()
        # A positive centre keeps each denominator above 0.
        self.conv1.weight.data[:, :, 1, 1] = 1.0
        self.block.conv.weight.data[:, :, 1, 1] = 1.0
        self.block.norm.running_mean.uniform_(-0.1, 0.1)
        self.block.norm.weight.data.uniform_(0.5, 2.0)

    def forward(self, x):
        h = self.pool1(self.relu(self.conv1(x)))
        h = self.pool2(self.block(h))
        return self.head(self.dropout(h.mean((2, 3))))


def images(n=3, size=8):
    return (
        torch.rand(n, 2, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.01
    )


CLASSES = torch.tensor([3, 0, 4])


# --- excitation backprop ---------------------------------------------------------------------------------


def test_the_sum_is_one_at_every_layer():
    net = Net()
    found = excitation_backprop(net, images(), CLASSES, [None, *LAYERS, "block.norm"])
    assert list(found) == ["input", *LAYERS, "block.norm"]
    for name in ["input", *LAYERS]:
        torch.testing.assert_close(found[name].sum((1, 2, 3)), torch.ones(3, dtype=torch.float64))
        assert (found[name] >= 0).all()
    assert (found["block.norm"].sum((1, 2, 3)) < 0.99).all()  # the other branch has the rest


def test_shapes_and_layers_as_modules():
    net, x = Net(), images()
    found = excitation_backprop(net, x, CLASSES, [net.pool1, "block"])
    assert list(found) == ["pool1", "block"]
    assert all(p.shape == (3, 4, 4, 4) for p in found.values())
    assert list(excitation_backprop(net, x, CLASSES)) == ["input"]
    assert excitation_backprop(net, x, CLASSES, "input")["input"].shape == x.shape
    together = excitation_backprop(net, x, CLASSES, [None, "block"])
    assert torch.equal(excitation_backprop(net, x, CLASSES, net.block)["block"], together["block"])


def test_a_small_net_one_number_at_a_time():
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(2, 3, 2, stride=2), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    x = images(3, size=4) - 0.3  # of both signs
    found = excitation_backprop(net, x, CLASSES % 3, [None, "1", "3"])
    entering = {"3": net[:4](x), "1": net[:2](x), "input": x}  # from the top down
    tables = {
        "3": linear_table(net[5].weight),
        "1": conv_table(net[2].weight, (3, 2, 2)),
        "input": conv_table(net[0].weight, (2, 4, 4), stride=2),
    }
    for b, c in enumerate((CLASSES % 3).tolist()):
        p = [1.0 if i == c else 0.0 for i in range(3)]
        for name, h in entering.items():
            p = shared_out(p, h[b].flatten().tolist(), tables[name])
            torch.testing.assert_close(found[name][b].flatten(), torch.tensor(p, dtype=torch.float64))


def test_a_layer_in_a_branch_alone_is_the_same_as_beside_the_image():
    # The other branch has no layer that is asked for, and is a branch all the same.
    net, x = Net(), images()
    alone = excitation_backprop(net, x, CLASSES, "block.norm")["block.norm"]
    assert torch.equal(alone, excitation_backprop(net, x, CLASSES, [None, "block.norm"])["block.norm"])


def test_a_batch_is_its_samples():
    net, x = Net(), images()
    together = excitation_backprop(net, x, CLASSES, [None, "block"])
    for b in range(3):
        for name, p in excitation_backprop(net, x[b : b + 1], CLASSES[b].item(), [None, "block"]).items():
            torch.testing.assert_close(p[0], together[name][b])


def test_biases_take_no_part():
    net, other = Net(), Net()
    other.head.bias.data += 7
    for p, q in zip(*(excitation_backprop(n, images(), CLASSES, LAYERS).values() for n in (net, other))):
        assert torch.equal(p, q)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.body, self.relu, self.head = nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 1)
        self.double()

    def forward(self, x):
        return self.head(self.relu(self.body(x)))


def test_a_fully_convolutional_net_begins_with_a_softmax_over_positions():
    net, x = Convolutional(), images(size=5)
    found = excitation_backprop(net, x, CLASSES, "relu")["relu"]
    h, weight = net.relu(net.body(x)), net.head.weight[:, :, 0, 0]
    for b, c in enumerate(CLASSES.tolist()):
        logits = net.head(h)[b, c]
        for i in range(3):
            for j in range(3):
                start = (logits[i, j].exp() / logits.exp().sum()).item()
                p = shared_out([start], h[b, :, i, j].tolist(), [list(enumerate(weight[c].tolist()))])
                torch.testing.assert_close(found[b, :, i, j], torch.tensor(p, dtype=torch.float64))


# --- contrastive excitation backprop ---------------------------------------------------------------------


def contrast_by_hand(net, h, c):
    """p - p̃ at what enters the head, for one sample."""
    start = [1.0 if i == c else 0.0 for i in range(len(net.head.weight))]
    p, against = (shared_out(start, h.tolist(), linear_table(w)) for w in (net.head.weight, -net.head.weight))
    return torch.tensor(p, dtype=torch.float64) - torch.tensor(against, dtype=torch.float64)


def test_the_contrast_is_taken_where_the_classifier_is_entered_and_goes_down():
    net, x = Net().eval(), images()
    found = contrastive_excitation_backprop(net, x, CLASSES, [None, *LAYERS])
    pooled = net.pool2(net.block(net.pool1(net.relu(net.conv1(x)))))
    for b, c in enumerate(CLASSES.tolist()):
        contrast = contrast_by_hand(net, pooled.mean((2, 3))[b], c)
        shares = pooled[b] / pooled[b].sum((1, 2), keepdim=True) * contrast[:, None, None]
        torch.testing.assert_close(found["pool2"][b], shares)
    leaf = x.clone().requires_grad_()
    with excitation_rules():
        h = net.pool2(net.block(net.pool1(net.relu(net.conv1(leaf)))))
    (expected,) = torch.autograd.grad(h, leaf, found["pool2"])
    torch.testing.assert_close(found["input"], expected)


def test_the_sum_of_a_contrast_is_zero_where_both_keep_theirs():
    found = contrastive_excitation_backprop(Net(), images(), CLASSES, [None, *LAYERS])
    for p in found.values():
        torch.testing.assert_close(p.sum((1, 2, 3)), torch.zeros(3, dtype=torch.float64))
        assert (p < 0).any() and (p > 0).any()


class Deeper(nn.Module):
    """A head of two linear layers with an in-place ReLU between them, as VGG has."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.body, self.pool = nn.Conv2d(2, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1)
        self.fc, self.relu, self.head = nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 5)
        self.double()

    def forward(self, x):
        h = self.pool(F.relu(self.body(x))).flatten(1)
        return self.head(self.relu(self.fc(h)))


def test_the_contrast_layer_may_be_given():
    net, x = Deeper(), images()
    default = contrastive_excitation_backprop(net, x, CLASSES)["input"]
    for layer in ("relu", net.relu, "fc"):  # a ReLU lets the signal pass
        assert torch.equal(contrastive_excitation_backprop(net, x, CLASSES, None, layer)["input"], default)
    lower = contrastive_excitation_backprop(net, x, CLASSES, [None, "pool"], "pool")
    # Below, subtracting is linear: only what the lower layers share differently can differ, which is nothing.
    torch.testing.assert_close(lower["input"], default)


def test_the_contrast_layer_itself_may_be_asked_for():
    net, x = Deeper(), images()
    layers = [None, "pool", "body"]
    found = contrastive_excitation_backprop(net, x, CLASSES, layers, contrast_layer="pool")
    default = contrastive_excitation_backprop(net, x, CLASSES, layers)
    for name in layers[1:]:
        torch.testing.assert_close(found[name], default[name])
    net = Net()
    found = contrastive_excitation_backprop(net, x, CLASSES, LAYERS, "pool2")
    expected = contrastive_excitation_backprop(net, x, CLASSES, LAYERS)
    torch.testing.assert_close(found, expected)


def test_another_classifier_may_be_negated():
    net, x = Deeper(), images()
    found = contrastive_excitation_backprop(net, x, CLASSES, None, "pool", classifier="fc")["input"]
    hidden = F.relu(net.body(x)).mean((2, 3))
    signals = []
    entering = net.relu(net.fc(hidden))
    for weight in (net.fc.weight, -net.fc.weight):
        each = []
        for b, c in enumerate(CLASSES.tolist()):
            p = shared_out([1.0], entering[b].tolist(), linear_table(net.head.weight[c : c + 1]))
            each.append(shared_out(p, hidden[b].tolist(), linear_table(weight)))
        signals.append(torch.tensor(each, dtype=torch.float64))
    leaf = x.clone().requires_grad_()
    with excitation_rules():
        pooled = F.relu(net.body(leaf)).mean((2, 3))
    (expected,) = torch.autograd.grad(pooled, leaf, signals[0] - signals[1])
    torch.testing.assert_close(found, expected)


def test_a_fully_convolutional_net_has_its_last_convolution_negated():
    net, x = Convolutional(), images(size=5)
    net.body.bias.data += 2  # each position has what excites and what inhibits each class
    net.head.weight.data[:, 0], net.head.weight.data[:, 1] = 0.4, -0.3
    found = contrastive_excitation_backprop(net, x, CLASSES, "relu")["relu"]
    plain = excitation_backprop(net, x, CLASSES, "relu")["relu"]
    weight, h = net.head.weight[CLASSES, :, 0, 0], net.relu(net.body(x))
    negative = h * (-weight).clamp(min=0)[:, :, None, None]
    start = net.head(h)[range(3), CLASSES].flatten(1).softmax(1).view(3, 1, 3, 3)
    torch.testing.assert_close(plain.sum(1, keepdim=True), start)
    torch.testing.assert_close(found, plain - negative / negative.sum(1, keepdim=True) * start)


# --- what is left behind ---------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_nothing_is_left_behind(function):
    net, x = Net().train(), images()
    net.block.eval()
    net.head.bias.requires_grad_(False)
    before, kept_x = copy.deepcopy(net.state_dict()), x.clone()
    identity = {name: (id(p), p._version, p.requires_grad) for name, p in net.named_parameters()}
    random = torch.get_rng_state()
    with torch.no_grad():
        found = function(net, x, CLASSES, [None, *LAYERS])
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values()))
    assert identity == {name: (id(p), p._version, p.requires_grad) for name, p in net.named_parameters()}
    assert [m.training for m in net.modules()] == [
        not name.startswith("block") for name, _ in net.named_modules()
    ]
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(x, kept_x) and not x.requires_grad
    assert not any(p.requires_grad for p in found.values())
    leaf = x.clone().requires_grad_()
    outputs = net(leaf)[:, 0].sum()
    (gradient,) = torch.autograd.grad(outputs, leaf)
    assert not torch.allclose(gradient.sum(), torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_nothing_is_left_behind_after_an_error(function):
    net = Net().train()
    with pytest.raises(ValueError, match="possible are 0 to 4"):
        function(net, images(), 5, "block")
    net.conv1.in_channels = net.conv1.weight.shape[1]
    with pytest.raises(RuntimeError):
        function(net, images()[:, :1], 0, "block")
    assert net.training and not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    x = images().requires_grad_()
    (p,) = torch.autograd.grad(F.linear(x, torch.ones(1, 8, dtype=torch.float64)).sum(), x)
    assert torch.equal(p, torch.ones_like(x))


class Counted(Net):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("function", [excitation_backprop, contrastive_excitation_backprop])
def test_one_forward_pass_for_all_layers(function):
    net = Counted()
    function(net, images(), CLASSES, [None, *LAYERS])
    assert net.calls == 1


# --- a net of torchvision, and another library -----------------------------------------------------------


def test_a_resnet_of_torchvision():
    torch.manual_seed(0)
    net = resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], num_classes=4).eval()
    x = torch.rand(2, 3, 32, 32)
    y = torch.tensor([1, 3])
    layers = [None, "layer1", "layer2", "layer3", "layer4"]
    found = excitation_backprop(net, x, y, layers)
    for p in found.values():
        assert p.isfinite().all()
        torch.testing.assert_close(p.sum((1, 2, 3)), torch.ones(2), rtol=0, atol=0.05)
    contrast = contrastive_excitation_backprop(net, x, y, layers, contrast_layer="avgpool")
    for (name, p), q in zip(contrast.items(), contrastive_excitation_backprop(net, x, y, layers).values()):
        assert p.shape == found[name].shape
        torch.testing.assert_close(p, q)
        torch.testing.assert_close(p.sum((1, 2, 3)), torch.zeros(2), rtol=0, atol=0.05)


def test_beside_zennit():
    composites = pytest.importorskip("zennit.composites")
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, stride=2), nn.ReLU(),
        nn.AvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    ).double()  # fmt: skip
    x = (images() - 0.3).requires_grad_()
    found = excitation_backprop(net, x.detach(), CLASSES % 3)["input"]
    for zero_params in (["bias"], None):
        with composites.ExcitationBackprop(1e-12, zero_params=zero_params).context(net) as modified:
            (theirs,) = torch.autograd.grad(modified(x), x, torch.eye(3, dtype=x.dtype)[CLASSES % 3])
        # As it comes, zennit gives positive biases their share, which is then lost: a documented difference.
        assert torch.allclose(found, theirs, rtol=0, atol=1e-6) == (zero_params is not None)


# --- refused ---------------------------------------------------------------------------------------------


def test_unclear_requests_are_refused():
    net, x = Net(), images()
    for function in (excitation_backprop, contrastive_excitation_backprop):
        with pytest.raises(ValueError, match="no layer 'conv9'"):
            function(net, x, CLASSES, "conv9")
        with pytest.raises(ValueError, match="saliency map needs maps"):
            function(net, x, CLASSES, "head")
        with pytest.raises(ValueError, match=r"y has shape \(2,\)"):
            function(net, x, CLASSES[:2])
        with pytest.raises(ValueError, match="has no rule for `sigmoid`"):
            function(nn.Sequential(net, nn.Sigmoid()), x, CLASSES)


class Aside(nn.Module):
    """A net with layers that its class score does not need."""

    def __init__(self):
        super().__init__()
        self.used, self.aside, self.head = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Linear(3, 5)
        self.spare = nn.Linear(3, 5)
        self.double()

    def forward(self, x):
        self.aside(x)
        return self.head(self.used(x).relu().mean((2, 3)))


def test_layers_that_take_no_part_are_refused():
    net, x = Aside(), images()
    with pytest.raises(ValueError, match="'aside' does not influence the score"):
        excitation_backprop(net, x, CLASSES, ["used", "aside"])
    with pytest.raises(ValueError, match="weights of the classifier 'spare' are not used"):
        contrastive_excitation_backprop(net, x, CLASSES)
    with pytest.raises(ValueError, match="'aside' does not lie below the contrast layer"):
        contrastive_excitation_backprop(net, x, CLASSES, "aside", classifier="head")
    with pytest.raises(ValueError, match="contrast layer, aside, does not influence the score"):
        contrastive_excitation_backprop(net, x, CLASSES, None, "aside", classifier="head")
    with pytest.raises(ValueError, match="contrast layer, spare, runs 0 times"):
        contrastive_excitation_backprop(net, x, CLASSES, None, "spare", classifier="head")
    found = contrastive_excitation_backprop(net, x, CLASSES, "used", classifier=net.head)
    assert list(found) == ["used"]


def test_contrasts_that_make_no_sense_are_refused():
    net, x = Net(), images()
    with pytest.raises(ValueError, match="'pool2' does not lie below the contrast layer, block"):
        contrastive_excitation_backprop(net, x, CLASSES, [None, "pool2"], "block")
    with pytest.raises(TypeError, match="classifier 'relu' is ReLU, possible are linear and conv"):
        contrastive_excitation_backprop(net, x, CLASSES, classifier="relu")
    with pytest.raises(ValueError, match="neither a linear layer nor a convolution"):
        contrastive_excitation_backprop(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), x, 0)
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    shared = nn.Sequential(net.conv1, net.relu, net.block, net.relu, *pooled, net.head)
    with pytest.raises(ValueError, match="contrast layer, 1, runs 2 times"):
        contrastive_excitation_backprop(shared, x, CLASSES, None, net.relu)
