"""The copy of a model with one binary activation, ready to be tuned above it."""

import copy

import pytest
import torch
from torch import nn

from course_lib.methods import BinaryActivation, binarised, parameters_above, positive_means
from course_lib.training import fit
from tests.methods.small_nets import batches_for, conv_net, dense_net, net_with_norms

LEVELS = torch.tensor([0.7, 2.0, 1.3, 5.5], dtype=torch.float64)


def test_the_copy_is_the_model_with_one_other_activation():
    net = conv_net()
    batches = batches_for(net)
    binary = binarised(net, "1", batches)
    x = batches[1][0]
    h = net[0](x)
    expected = BinaryActivation(torch.tensor(positive_means(net, "1", batches).tolist()).double())(h)
    torch.testing.assert_close(binary(x), net[2:](expected), rtol=1e-6, atol=1e-6)
    assert [p.requires_grad for p in binary.parameters()] == [False, False, True, True, True, True]
    assert list(parameters_above(binary, "1", x)) == ["2.weight", "2.bias", "5.weight", "5.bias"]
    fresh = copy.deepcopy(binary)
    fresh[1].levels.fill_(9)
    fresh.load_state_dict(binary.state_dict())
    assert torch.equal(fresh(x), binary(x))


def test_fine_tuning_moves_only_what_is_above():
    net = net_with_norms()
    batches = batches_for(net, (8, 8))
    binary = binarised(net, "3", batches)
    assert [m.training for m in binary] == [False] * 3 + [True] * 6
    before = copy.deepcopy(binary.state_dict())
    with torch.no_grad():
        h = net.eval()[:3](batches[0][0])
    seen = []
    binary[3].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    fit(binary, batches, epochs=2, lr=0.1, progress=False)
    assert torch.equal(seen[0], h) and torch.equal(seen[2], h)
    moved = {name for name, value in binary.state_dict().items() if not torch.equal(value, before[name])}
    above = {name for name, _ in binary.named_parameters() if int(name[0]) > 3}
    statistics = {f"5.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}
    assert moved == above | statistics


def test_a_relu_reached_by_two_names_is_replaced_under_both():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.relu, self.last = nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)
            self.alias = self.relu

        def forward(self, x):
            return self.last(self.alias(self.first(x)))

    binary = binarised(Plain(), "relu", [(torch.randn(5, 4), torch.zeros(5))])
    assert isinstance(binary.relu, BinaryActivation) and isinstance(binary.alias, BinaryActivation)


@pytest.mark.parametrize(
    "layer, words", [("0", "'0' is a Linear"), ("7", "no layer '7'"), ("4", "'4' is a Linear")]
)
def test_what_is_no_relu_is_refused(layer, words):
    net = dense_net()
    for call in (positive_means, binarised):
        with pytest.raises(ValueError, match=words):
            call(net, layer, batches_for(net))


def test_a_relu_that_is_used_twice_and_no_batches_are_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.relu, self.second = nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)

        def forward(self, x):
            return self.relu(self.second(self.relu(self.first(x))))

    with pytest.raises(ValueError, match="'relu' is used 2 times"):
        binarised(Twice(), "relu", [(torch.randn(5, 4), torch.zeros(5))])
    with pytest.raises(ValueError, match="batches gave no batch"):
        positive_means(dense_net(), "1", [])
