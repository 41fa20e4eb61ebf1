"""Cascading randomisation: the order, what changes and what stays, and the seed."""

import itertools

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.randomisation import cascade
from tests.methods.saliency.masked_nets import image_net, images, left_as_found

ORDER = ["head", "body.1.norm", "body.1.conv", "body.0"]  # of `nested`, last to first


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 3, 3), Block(), nn.Dropout(0.5))
        self.head = nn.Linear(80, 3)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


def nested():
    """A net whose weights and statistics are all far from what a new net has."""
    torch.manual_seed(1)
    net = Nested().double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(3)
    net.body[1].norm.running_mean.add_(5)
    net.body[1].norm.running_var.mul_(7)
    net.body[1].norm.num_batches_tracked += 9
    return net


def layer(model, name):
    return model.get_submodule(name).state_dict()


def equal(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_it_goes_from_the_last_to_the_first_and_what_was_made_new_stays_new():
    net = nested()
    steps = list(cascade(net))
    assert [name for name, _ in steps] == ORDER
    for i, (_, model) in enumerate(steps):
        for done in ORDER[: i + 1]:
            assert not equal(layer(model, done), layer(net, done)), f"{done} at step {i}"
            if i:
                assert equal(layer(model, done), layer(steps[-1][1], done)), (
                    f"{done} changed again at step {i}"
                )
        for untouched in ORDER[i + 1 :]:
            assert equal(layer(model, untouched), layer(net, untouched)), f"{untouched} at step {i}"


def test_batch_norm_loses_its_affine_part_and_its_statistics():
    model = dict(cascade(nested()))["body.1.norm"].body[1].norm
    assert torch.equal(model.weight, torch.ones(4).double()) and torch.equal(
        model.bias, torch.zeros(4).double()
    )
    assert torch.equal(model.running_mean, torch.zeros(4).double())
    assert torch.equal(model.running_var, torch.ones(4).double())
    assert model.num_batches_tracked == 0


def test_batch_norm_without_weights_is_a_layer_too():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, affine=False))
    net[1].running_mean.add_(5)
    steps = list(cascade(net))
    assert [name for name, _ in steps] == ["1", "0"]
    assert torch.equal(steps[0][1][1].running_mean, torch.zeros(2))


class Named(nn.Module):
    """Holds layers, a constant and a statistic; the container has something to reset, but nothing learned."""

    def __init__(self):
        super().__init__()
        self.register_buffer("constant", torch.ones(3))
        self.inner = nn.Sequential(nn.BatchNorm2d(2, affine=False), nn.InstanceNorm2d(2))
        self.inner.reset_parameters = lambda: pytest.fail("a container is no layer")
        self.last = nn.Linear(2, 2)


def test_only_what_holds_something_learned_is_a_layer():
    assert [name for name, _ in cascade(Named())] == ["last", "inner.0"]


def test_new_weights_have_the_distribution_of_a_new_layer():
    net = nn.Sequential(nn.Linear(400, 300), nn.Conv2d(20, 30, 5))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(0).add_(9)
    model = [model for _, model in cascade(net)][-1]
    for module, fan_in in ((model[0], 400), (model[1], 500)):
        bound = fan_in**-0.5
        assert module.weight.abs().max() <= bound and abs(module.weight.mean()) < 0.02 * bound
        assert module.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.03)


def test_the_copies_are_independent_of_each_other_and_of_the_model():
    net = nested()
    intact = [layer(model, name) for name, model in cascade(net)]
    seen = []
    for (name, model), expected in zip(cascade(net), intact):
        assert equal(layer(model, name), expected)
        seen.append(model)
        with torch.no_grad():
            for value in [*model.parameters(), *model.buffers()]:
                value.fill_(7)  # must not reach the next copy
    everywhere = [p.data_ptr() for model in [net, *seen] for p in [*model.parameters(), *model.buffers()]]
    assert len(set(everywhere)) == len(everywhere)


def test_the_model_and_the_random_state_are_as_before():
    net = nested()
    net.eval()
    net.body[2].train()
    with left_as_found(net):
        for _, model in cascade(net):
            assert [m.training for m in model.modules()] == [m.training for m in net.modules()]
            assert next(model.parameters()).dtype == torch.float64
        next(cascade(net))
    net(torch.rand(2, 2, 8, 9).double()).sum().backward()
    assert all(p.grad is None for _, model in cascade(net) for p in model.parameters())
    assert all(p.grad is not None for p in net.parameters())


def test_the_seed_decides_and_nothing_else():
    net = nested()
    first = [layer(model, name) for name, model in cascade(net, seed=3)]
    torch.manual_seed(99)
    again = []
    for name, model in cascade(net, seed=3):
        again.append(layer(model, name))
        torch.randn(7)  # what the caller draws between two steps changes nothing
        torch.manual_seed(5)
    other = [layer(model, name) for name, model in cascade(net, seed=4)]
    assert all(equal(a, b) for a, b in zip(first, again))
    for name, a, b in zip(ORDER, first, other):
        assert name == "body.1.norm" or not equal(a, b)
    assert all(
        equal(layer(model, name), layer(zero, name))
        for (name, model), (_, zero) in zip(cascade(net), cascade(net, seed=0))
    )
    different = nested()
    with torch.no_grad():
        different.head.weight.mul_(2)
    assert equal(first[0], layer(next(cascade(different, seed=3))[1], "head"))


def test_the_net_still_runs_and_says_something_else():
    net, (x, _) = image_net().eval(), images()
    outputs = [net(x)] + [model(x) for _, model in cascade(net)]
    for one, other in itertools.pairwise(outputs):
        assert not torch.allclose(one, other)


def test_a_weight_that_two_layers_share_stays_shared():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    net[2].weight = net[0].weight
    for _, model in cascade(net):
        assert model[2].weight is model[0].weight


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))


def test_what_cannot_be_made_anew_is_named_at_once():
    with pytest.raises(
        ValueError, match=r"The layer '1.0' \(Scale\) has parameters .* no `reset_parameters`"
    ):
        cascade(nn.Sequential(nn.Linear(2, 3), nn.Sequential(Scale())))
    with pytest.raises(ValueError, match=r"The model \(Scale\) has parameters of its own"):
        cascade(Scale())
    with pytest.raises(ValueError, match="Sequential has no parameters, so there is nothing to randomise"):
        cascade(nn.Sequential(nn.ReLU()))
    assert [name for name, _ in cascade(nn.Linear(2, 3))] == [""]
