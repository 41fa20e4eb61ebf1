"""BinAct at its edges: nested layers, residual nets, batches that augment, units that are positive once."""

import pytest
import torch
from torch import nn

from course_lib import nets
from course_lib.methods import BinaryActivation, binarised, parameters_above, positive_means
from course_lib.training.batches import Pair


class Augmenting:
    """Batches that show other images in training than in evaluation, and must not be read in training."""

    def __init__(self, x):
        self.x = x

    def __iter__(self):
        raise AssertionError("the augmented batches were read")

    def evaluation(self):
        return [Pair(self.x, torch.zeros(len(self.x)))]


def row():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()


def test_batches_are_read_as_in_evaluation():
    net, x = row(), torch.randn(6, 4, dtype=torch.float64)
    plain = [(x, torch.zeros(6))]
    assert torch.equal(positive_means(net, "1", Augmenting(x)), positive_means(net, "1", plain))
    assert torch.equal(binarised(net, "1", Augmenting(x))(x), binarised(net, "1", plain)(x))


def test_a_unit_that_is_positive_once_says_this_value():
    net = nn.Sequential(nn.Identity(), nn.ReLU())
    x = torch.tensor([[-1.0, 2.0, -3.0], [-2.0, -4.0, -0.5], [-1.0, -4.0, 5.0]])
    assert positive_means(net, "1", [(x, torch.zeros(3))]).tolist() == [1, 2, 5]


@pytest.mark.parametrize("training", [True, False])
def test_the_copy_is_ready_to_be_tuned_whatever_mode_the_model_is_in(training):
    net, x = row().train(training), torch.randn(6, 4, dtype=torch.float64)
    binary = binarised(net, "1", [(x, torch.zeros(6))])
    assert [module.training for module in binary] == [False, True, True] and binary.training
    assert net.training is training and net[1].training is training


def test_a_nested_layer_is_replaced_in_its_place():
    torch.manual_seed(0)
    net, x = nets.SmallConvNet((3, 8, 8), 4, width=3), torch.randn(5, 3, 8, 8)
    batches = [(x, torch.zeros(5))]
    binary = binarised(net, "body.relu2", batches)
    assert isinstance(binary.body.relu2, BinaryActivation) and isinstance(net.body.relu2, nn.ReLU)
    assert [name for name, _ in binary.named_modules()] == [name for name, _ in net.named_modules()]
    levels, h = positive_means(net, "body.relu2", batches), x
    for name, module in net.body.named_children():
        h = BinaryActivation(levels)(h) if name == "relu2" else module(h)
    torch.testing.assert_close(binary(x), net.head(h))


def test_in_a_residual_net_the_same_is_above_once_it_is_binary():
    """Nothing flows back through a binary activation, so its input must be asked, and not its output."""
    torch.manual_seed(0)
    net, x = nets.WideResNet((3, 8, 8), 3, depth=10, width=1), torch.randn(2, 3, 8, 8)
    above = list(parameters_above(net, "body.group1_block1.relu2", x))
    binary = binarised(net, "body.group1_block1.relu2", [(x, torch.zeros(2))])
    assert [name for name, p in binary.named_parameters() if p.requires_grad] == above
    binary.requires_grad_(True)
    assert list(parameters_above(binary, "body.group1_block1.relu2", x)) == above


def test_a_frozen_net_has_nothing_above_even_where_the_images_need_a_gradient():
    net = row().requires_grad_(False)
    assert parameters_above(net, "1", torch.randn(3, 4, dtype=torch.float64, requires_grad=True)) == {}


def test_levels_are_free_of_a_graph_and_finite():
    levels = torch.ones(3, requires_grad=True)
    act = BinaryActivation(2 * levels)
    assert not act.levels.requires_grad and act.levels.tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="levels has 1 in it, possible are finite numbers above 0"):
        BinaryActivation(torch.tensor([1.0, float("inf")]))
