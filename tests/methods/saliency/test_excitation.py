"""Excitation backprop at the layers of whole nets: what it keeps, and beside another library."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet

from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from tests.methods.saliency.excited_nets import CLASSES, LAYERS, Convolutional, Net, images
from tests.methods.saliency.literal_excitation import conv_table, linear_table, shared_out


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
