"""The state of SHADE: saved, loaded, copied, moved, removed; and what is refused."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from course_lib.methods import Shade
from tests.methods.small_nets import DEVICES, averages, batch_for, conv_net, dense_net, same


def trained(make=conv_net, steps=3, **options):
    net = make()
    shade = Shade(net, **options)
    for step in range(steps):
        net(batch_for(net, step)[0])
        shade.penalty()
    return net, shade


@pytest.mark.parametrize("statistics", ["channel", "location"])
def test_state_goes_into_a_fresh_shade_and_on_as_if_nothing_had_been(statistics):
    net, shade = trained(statistics=statistics)
    file = io.BytesIO()
    torch.save(shade.state_dict(), file)
    file.seek(0)
    with torch.no_grad():
        net[0].bias += 1
    resumed = Shade(net, statistics=statistics)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert same(averages(shade), averages(resumed))
    net(batch_for(net, 7)[0])
    assert shade.penalty().item() == resumed.penalty().item()
    assert same(averages(shade), averages(resumed))


def test_state_from_before_the_first_batch():
    net, shade = trained()
    fresh = Shade(conv_net())
    start = copy.deepcopy(fresh.state_dict())
    fresh.load_state_dict(start)
    shade.load_state_dict(start)
    assert same(averages(shade), averages(fresh))
    net(batch_for(net)[0])
    shade.penalty()
    assert same(averages(shade), averages(trained(steps=1)[1]))


def test_state_of_other_layers_is_refused():
    _, shade = trained()
    with pytest.raises(RuntimeError, match="size mismatch"):
        trained(statistics="location")[1].load_state_dict(shade.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):
        Shade(conv_net()).load_state_dict({})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        Shade(conv_net()).load_state_dict({**shade.state_dict(), "units.1.width": torch.zeros(2, 3)})
    fresh, odd = Shade(conv_net()), {**shade.state_dict(), "width": torch.zeros(2, 3)}
    with pytest.raises(RuntimeError, match="Unexpected key"):
        fresh.load_state_dict(odd)
    fresh.load_state_dict(odd, strict=False)
    assert same(averages(fresh), averages(shade))
    wide = nn.Sequential(nn.Conv2d(2, 9, 3), nn.ReLU()).double()
    other = Shade(wide)
    other.unit("1").load_state_dict(shade.unit("1").state_dict())
    wide(batch_for(wide)[0])
    with pytest.raises(ValueError, match=r"mu has shape \(2, 3\), needed is \(2, 9\)"):
        other.penalty()


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(8)
        self.first, self.second, self.relu = nn.Linear(4, 5), nn.Linear(5, 3), nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.second(self.relu(self.first(x))))


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage = nn.Sequential(Block())
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.stage(x))


def test_a_shared_relu_has_averages_for_each_use():
    net, x = Blocks(), torch.randn(6, 4)
    shade = Shade(net, include_logits=True)
    net(x)
    shade.penalty()
    net(x)
    penalty = shade.penalty()
    assert set(shade.units) == {"stage/0/relu", "stage/0/relu#2", "head:output"}
    assert shade.unit("stage.0.relu").mu.shape == (2, 5) and shade.unit("stage.0.relu#2").mu.shape == (2, 3)
    fresh = Shade(net, include_logits=True)
    fresh.load_state_dict(shade.state_dict())
    assert same(averages(shade), averages(fresh))
    assert penalty.item() > 0 and list(shade.measure(x)) == ["stage.0.relu", "stage.0.relu#2", "head:output"]
    holder = nn.ModuleDict({"net": Blocks(), "shade": Shade(net, include_logits=True)})
    holder.load_state_dict(nn.ModuleDict({"net": net, "shade": shade}).state_dict())
    assert same(averages(shade), averages(holder["shade"]))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda thing: pickle.loads(pickle.dumps(thing))], ids=["deepcopy", "pickle"]
)
def test_copies(copied):
    net, shade = trained()
    net(batch_for(net)[0])
    twin = copied(net)
    twin(batch_for(net, 1)[0])
    record = copied(shade)
    assert same(averages(record), averages(shade)) and record.layers == shade.layers
    with pytest.raises(RuntimeError, match="attached to no model"):
        record.penalty()
    before = averages(shade)
    own = Shade(twin)
    own.load_state_dict(record.state_dict())
    twin(batch_for(net)[0])
    assert own.penalty().item() == shade.penalty().item()
    assert not same(before, averages(shade)) and same(before, averages(record))


def test_removed_shade_leaves_the_model_free_and_keeps_its_averages():
    net, shade = trained()
    before = averages(shade)
    with shade as inside:
        assert inside is shade
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in net.modules())
    assert same(before, averages(shade))
    with pytest.raises(RuntimeError, match="attached to no model any more"):
        shade.penalty()


def test_the_model_itself_is_not_changed():
    net, plain = conv_net(), conv_net()
    shade = Shade(net)
    assert list(net.state_dict()) == list(plain.state_dict())
    x, _ = batch_for(net)
    assert torch.equal(net(x), plain(x))
    assert len(list(shade.modules())) == 4  # itself, the dictionary, two layers of units: not the model


@pytest.mark.parametrize("device", DEVICES)
def test_averages_follow_the_model(device):
    net = conv_net(torch.float32)
    shade = Shade(net)
    net.to(device)
    x = batch_for(net)[0].to(device)
    for _ in range(2):
        net(x)
        penalty = shade.penalty()
        assert penalty.device == x.device and penalty.dtype == torch.float32
        assert {b.device for b in shade.buffers()} == {x.device}
        assert {b.dtype for b in shade.buffers()} == {torch.float32}
    fresh = Shade(net).to(device)
    fresh.load_state_dict(shade.state_dict())
    assert same(averages(shade), averages(fresh))


@pytest.mark.parametrize("device", DEVICES)
def test_under_autocast_the_penalty_is_float32(device):
    net = conv_net(torch.float32).to(device)
    shade, exact = Shade(net), Shade(net)
    x = batch_for(net)[0].to(device)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert net(x).dtype == torch.bfloat16
        penalty = shade.penalty()
    exact.forget()
    net(x)
    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(exact.penalty().item(), rel=0.02)
    assert {b.dtype for b in shade.buffers()} == {torch.float32}
    penalty.backward()
    assert net[0].weight.grad.dtype == torch.float32


def test_impossible_options():
    for options, words in (
        ({"statistics": "pixel"}, "statistics is 'pixel', possible are channel, location."),
        ({"reduction": "max"}, "reduction is 'max', possible are mean, sum."),
        ({"decay": 1.5}, "decay is 1.5, possible is 0 to 1."),
        ({"layers": "9"}, "Sequential has no layer '9'"),
    ):
        net = dense_net()
        with pytest.raises(ValueError) as refusal:
            Shade(net, **options)
        assert words in str(refusal.value)
        assert not any(m._forward_pre_hooks for m in net.modules())
