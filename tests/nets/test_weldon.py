"""WELDON: pooling against plain loops, and a ResNet turned into it."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet18, resnet50, resnet101

from course_lib import nets
from course_lib.methods import Shade
from course_lib.nets import MaxMinPooling, Weldon, weldon_from_resnet

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def maps(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(shape, generator=generator, dtype=torch.float64)
    return h + 0.4 * h**2 - 0.3


def small_resnet(classes=5, seed=0, **options):
    torch.manual_seed(seed)
    net = resnet18(num_classes=classes, **options).double()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return net.eval()


def literal_score(values, highest, lowest):
    """The sentence of §2.3.4.2 for one map, its positions in a list."""
    values = sorted(values)
    chosen = values[::-1][:highest] + values[:lowest]
    return sum(chosen) / len(chosen)


@pytest.mark.parametrize(
    "highest, lowest", [(50, 50), (3, 2), (1, 0), (0, 1), (0, 4), (12, 12), (8, 7), (500, 1)]
)
@pytest.mark.parametrize("size", [(3, 4), (14, 14), (1, 1)])
def test_score_is_the_mean_of_the_highest_and_lowest(highest, lowest, size):
    h = maps(2, 3, *size)
    expected = [[literal_score(m.flatten().tolist(), highest, lowest) for m in image] for image in h]
    torch.testing.assert_close(MaxMinPooling(highest, lowest)(h), torch.tensor(expected, dtype=torch.float64))


def test_limits():
    h = maps(2, 3, 4, 5)
    torch.testing.assert_close(MaxMinPooling(20, 0)(h), h.mean((2, 3)))
    torch.testing.assert_close(MaxMinPooling(0, 20)(h), h.mean((2, 3)))
    torch.testing.assert_close(MaxMinPooling(20, 20)(h), h.mean((2, 3)))
    torch.testing.assert_close(MaxMinPooling(10, 10)(h), h.mean((2, 3)))
    torch.testing.assert_close(MaxMinPooling()(h), h.mean((2, 3)))  # fewer positions than 50
    torch.testing.assert_close(MaxMinPooling(1, 0)(h), h.amax((2, 3)))
    torch.testing.assert_close(MaxMinPooling(1, 1)(h), (h.amax((2, 3)) + h.amin((2, 3))) / 2)
    torch.testing.assert_close(MaxMinPooling(1, 0)(h[:, :1]), h[:, :1].amax((2, 3)))  # one class
    assert (MaxMinPooling().highest, MaxMinPooling().lowest) == (50, 50)
    whole = MaxMinPooling(np.int64(3), np.int64(2))
    assert type(whole.highest) is type(whole.lowest) is int and (whole.highest, whole.lowest) == (3, 2)
    assert "highest=50, lowest=50" in repr(MaxMinPooling())


def test_places_have_no_order_and_the_signs_mirror():
    h = maps(2, 3, 4, 5)
    shuffled = h.flatten(2)[:, :, torch.randperm(20)].unflatten(2, (5, 4))
    torch.testing.assert_close(MaxMinPooling(4, 3)(shuffled), MaxMinPooling(4, 3)(h))
    torch.testing.assert_close(MaxMinPooling(4, 3)(-h), -MaxMinPooling(3, 4)(h))


def test_only_what_was_chosen_gets_a_gradient():
    h = maps(2, 3, 3, 3).requires_grad_()
    kept = h.detach().clone()
    for highest, lowest in ((2, 1), (9, 9), (7, 4)):
        assert torch.autograd.gradcheck(MaxMinPooling(highest, lowest), h)
    MaxMinPooling(2, 1)(h).sum().backward()
    assert ((h.grad != 0).flatten(2).sum(2) == 3).all() and torch.equal(h.detach(), kept)
    torch.testing.assert_close(h.grad[h.grad != 0], torch.full((18,), 1 / 3, dtype=torch.float64))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_type_and_place_stay(dtype, device):
    h = maps(2, 3, 8, 8).to(device, dtype)
    score = MaxMinPooling(5, 5)(h)
    assert score.dtype == dtype and score.device == h.device
    torch.testing.assert_close(score.double(), MaxMinPooling(5, 5)(h.double()), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "numbers, words",
    [((-1, 2), "highest is -1"), ((2, 1.5), "lowest is 1.5"), ((0, 0), "both 0")],
)
def test_impossible_numbers_are_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        MaxMinPooling(*numbers)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3), (2, 3, 0, 4)])
def test_what_are_no_maps_is_refused(shape):
    with pytest.raises(ValueError, match=r"needed is \(B, K, H, W\)"):
        MaxMinPooling()(torch.zeros(shape))


# --- from a ResNet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 96])
def test_with_all_positions_it_is_the_resnet(size):
    resnet, x = small_resnet(), maps(2, 3, size, size)
    positions = (size // 32) ** 2
    with torch.no_grad():
        expected = resnet(x)
        torch.testing.assert_close(weldon_from_resnet(resnet, positions, 0)(x), expected)
        torch.testing.assert_close(weldon_from_resnet(resnet)(x), expected)  # fewer positions than 50
        assert not torch.allclose(weldon_from_resnet(resnet, 1, 0)(x), expected)


def test_class_maps_are_the_dense_layer_at_each_position():
    resnet, x = small_resnet(), maps(2, 3, 96, 64)
    weldon = weldon_from_resnet(resnet, 2, 1)
    with torch.no_grad():
        found, features = weldon.class_maps(x), weldon.body(x)
        assert found.shape == (2, 5, 3, 2)
        for row in range(3):
            for column in range(2):
                expected = resnet.fc(features[:, :, row, column])
                torch.testing.assert_close(found[:, :, row, column], expected)
        torch.testing.assert_close(weldon(x), MaxMinPooling(2, 1)(found))


def test_fifty_and_fifty_where_nothing_is_said():
    plain = Weldon(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1))
    for pool in (plain.pool, weldon_from_resnet(small_resnet()).pool):
        assert (pool.highest, pool.lowest) == (50, 50)
    assert (Weldon(nn.Identity(), nn.Conv2d(4, 2, 1), 3, 2).pool.highest) == 3


def test_it_has_the_resnets_parameters():
    assert nets.count_parameters(weldon_from_resnet(resnet18())) == 11_689_512
    with torch.device("meta"):
        for make, number in ((resnet50, 25_557_032), (resnet101, 44_549_160)):
            weldon = weldon_from_resnet(make())
            assert nets.count_parameters(weldon) == number
            assert weldon.class_maps(torch.empty(1, 3, 448, 448)).shape == (1, 1000, 14, 14)


def test_the_resnet_is_left_as_found_and_shares_nothing():
    resnet = small_resnet().train()
    resnet.layer1.eval()
    resnet.conv1.weight.requires_grad_(False)
    resnet.fc.weight.requires_grad_(False)
    state, random = copy.deepcopy(resnet.state_dict()), torch.get_rng_state()
    weldon = weldon_from_resnet(resnet, 2, 2)
    assert torch.equal(random, torch.get_rng_state())
    assert weldon.training and weldon.head.training and weldon.body.layer2.training
    assert not weldon.body.layer1.training
    frozen = {name for name, p in weldon.named_parameters() if not p.requires_grad}
    assert frozen == {"body.conv1.weight", "head.weight"}
    ours = {p.data_ptr() for p in weldon.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in resnet.parameters())
    with torch.no_grad():
        for parameter in weldon.parameters():
            parameter.add_(1)
    assert all(torch.equal(state[name], value) for name, value in resnet.state_dict().items())
    assert not weldon_from_resnet(small_resnet()).training


def test_state_goes_through_a_file(tmp_path):
    weldon, other = weldon_from_resnet(small_resnet(), 2, 1), weldon_from_resnet(small_resnet(seed=1), 2, 1)
    torch.save(weldon.state_dict(), tmp_path / "weldon.pt")
    other.load_state_dict(torch.load(tmp_path / "weldon.pt"))
    x = maps(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(weldon(x), other(x))


def test_a_dense_layer_without_bias():
    resnet = small_resnet()
    resnet.fc = nn.Linear(512, 4, bias=False).double()
    weldon, x = weldon_from_resnet(resnet, 4, 0), maps(1, 3, 64, 64)
    assert isinstance(weldon, Weldon) and weldon.head.bias is None
    assert (weldon.head.in_channels, weldon.head.out_channels, weldon.head.kernel_size) == (512, 4, (1, 1))
    with torch.no_grad():
        torch.testing.assert_close(weldon(x), resnet(x))


def test_it_trains_with_shade():
    weldon = weldon_from_resnet(small_resnet().float(), 2, 1).train()
    with Shade(weldon, include_logits=True) as shade:
        logits = weldon(maps(2, 3, 64, 64).float())
        (logits.square().mean() + 0.1 * shade.penalty()).backward()
    assert all(parameter.grad is not None for parameter in weldon.parameters())


def test_other_nets_are_refused():
    for net in (nets.MLP(), nn.Linear(3, 2), resnet18().layer1):
        with pytest.raises(TypeError, match="needed is a ResNet of torchvision"):
            weldon_from_resnet(net)
    headless = resnet18()
    headless.fc = nn.Identity()
    with pytest.raises(TypeError, match="dense `fc`"):
        weldon_from_resnet(headless)
