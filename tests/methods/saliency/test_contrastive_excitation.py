"""Contrastive excitation backprop: where the contrast is taken, and how it goes down."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from course_lib.methods.saliency.excitation_rules import excitation_rules
from tests.methods.saliency.excited_nets import (
    CLASSES,
    LAYERS,
    Convolutional,
    Deeper,
    Net,
    Overwritten,
    images,
)
from tests.methods.saliency.literal_excitation import linear_table, shared_out


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


def test_a_container_is_left_at_its_output():
    net, x = Net(), images()
    found = contrastive_excitation_backprop(net, x, CLASSES, ["block.conv", "pool1"], "block")
    expected = contrastive_excitation_backprop(net, x, CLASSES, ["block.conv", "pool1"], "pool2")
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


class Emptied(Deeper):
    """Overwrites what entered its classifier; the classifier may be given it by name."""

    def __init__(self, by_name=False):
        super().__init__()
        self.by_name = by_name

    def forward(self, x):
        h = self.relu(self.fc(self.pool(F.relu(self.body(x))).flatten(1)))
        logits = self.head(input=h) if self.by_name else self.head(h)
        h.zero_()
        return logits


@pytest.mark.parametrize("by_name", [False, True])
def test_what_enters_the_classifier_may_be_overwritten_later(by_name):
    found = contrastive_excitation_backprop(Emptied(by_name), images(), CLASSES, [None, "pool"])
    expected = contrastive_excitation_backprop(Deeper(), images(), CLASSES, [None, "pool"])
    torch.testing.assert_close(found, expected)


class Twofold(Deeper):
    """What enters the classifier also goes past it."""

    def forward(self, x):
        h = self.relu(self.fc(self.pool(F.relu(self.body(x))).flatten(1)))
        return self.head(h) + h[:, :5]


def test_what_goes_past_the_classifier_brings_nothing():
    net, x = Twofold(), images()
    found = contrastive_excitation_backprop(net, x, CLASSES, "pool")["pool"]
    leaf = net.pool(F.relu(net.body(x))).detach().requires_grad_()
    h = net.relu(net.fc(leaf.flatten(1))).detach()
    signals = []
    for negated in (None, net.head):
        entering = h.clone().requires_grad_()
        with excitation_rules(negated):
            logits = net.head(entering) + h[:, :5]
        # The classifier's part of the sum, as if both of its summands had a gradient.
        part = net.head(h)[range(3), CLASSES] / logits[range(3), CLASSES]
        signals.append(torch.autograd.grad((logits[range(3), CLASSES] * part.detach()).sum(), entering)[0])
    with excitation_rules():
        h = net.relu(net.fc(leaf.flatten(1)))
    (expected,) = torch.autograd.grad(h, leaf, signals[0] - signals[1])
    torch.testing.assert_close(found, expected)


def test_a_contrast_layer_in_a_branch_whose_output_is_overwritten():
    net, x = Overwritten(), images()
    found = contrastive_excitation_backprop(net, x, CLASSES, None, contrast_layer="branch")["input"]
    signals = []
    for negated in (None, net.head):
        leaf = x.clone().requires_grad_()
        with excitation_rules(negated):
            h = F.relu(net.body(leaf))
            out = net.branch(h)
            logits = net.head(F.relu(out + h).mean((2, 3)))
        signals.append(torch.autograd.grad(logits[range(3), CLASSES].sum(), out, retain_graph=True)[0])
    # What goes past the branch is left out.
    (expected,) = torch.autograd.grad(out, leaf, signals[0] - signals[1])
    torch.testing.assert_close(found, expected)


def test_the_last_linear_layer_goes_before_a_later_convolution():
    net, x = Deeper(), images()
    expected = contrastive_excitation_backprop(net, x, CLASSES)["input"]
    body = net.body
    del net.body
    net.body = body  # now the last layer of the definition
    assert torch.equal(contrastive_excitation_backprop(net, x, CLASSES)["input"], expected)
