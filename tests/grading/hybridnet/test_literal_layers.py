"""The layers that the oracles write out place by place, against torch's own."""

import pytest
import torch
from torch.nn import functional as F

from course_lib.grading.tasks.hybridnet import known_weights as known
from course_lib.grading.tasks.hybridnet import literal_layers as literal

X = known.drawn("x", (2, 3, 6, 4))


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 1, 0), (3, 2, 1), (1, 1, 0), (1, 2, 0)]
)
def test_convolutions(size, stride, padding):
    weight = known.weights("w", (5, 3, size, size))
    assert torch.allclose(
        literal.convolution(X, weight, stride, padding), F.conv2d(X, weight, None, stride, padding)
    )


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 1, 0), (3, 2, 1), (1, 1, 0), (1, 2, 0)]
)
def test_transposed_convolutions(size, stride, padding):
    weight = known.weights("w", (3, 5, size, size))
    torchs = F.conv_transpose2d(X, weight, None, stride, padding, output_padding=stride - 1)
    assert torch.allclose(literal.transposed(X, weight, stride, padding), torchs)


@pytest.mark.parametrize("training", [False, True])
def test_batch_norm(training):
    k = known.norm("n", 3)
    mean, var = k["running_mean"].clone(), k["running_var"].clone()
    torchs = F.batch_norm(X, mean, var, k["weight"], k["bias"], training)
    assert torch.allclose(literal.normalised(X, k, training), torchs)


def test_pooling_and_its_two_ways_back():
    found, places = literal.pooled(X)
    torchs, where = F.max_pool2d(X, 2, return_indices=True)
    assert torch.equal(found, torchs)
    assert torch.equal(literal.unpooled(found, places), F.max_unpool2d(torchs, where, 2))
    assert torch.equal(literal.repeated(found), F.interpolate(torchs, scale_factor=2))


def test_known_weights_depend_on_the_key_alone_and_reach_layers_in_the_order_of_their_work():
    first, second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 3)
    model = torch.nn.ModuleList([second, first]).double()
    x = torch.zeros(1, 3, dtype=torch.float64)
    order = known.in_order(model, lambda: second(first(x)))
    assert order == [first, second]
    state = torch.get_rng_state()
    known.put(first, "a")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.weight, known.weights("a", (4, 3)))
    assert not torch.equal(first.weight, known.weights("b", (4, 3)))
    known.put(first, "a", biased=False)
    assert first.bias.abs().max() == 0
