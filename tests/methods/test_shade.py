"""SHADE attached to a model: against the loop over units, and through the life of a training run."""

import copy
import gc
import io
import pickle
import weakref

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from course_lib import nets
from course_lib.methods import Shade, ShadeUnit, shade_penalty
from course_lib.training import fit
from tests.methods.literal import LiteralUnit, layer_penalty, mu_of, p_of

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def dense_net(dtype=torch.float64):
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2)).to(dtype)


def conv_net(dtype=torch.float64):
    torch.manual_seed(6)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5)
    ).to(dtype)


def batch_for(net, seed=0, n=7):
    generator = torch.Generator().manual_seed(seed)
    weight = next(net.parameters())
    shape = (n, 4) if weight.ndim == 2 else (n, 2, 6, 6)
    x = 2 * torch.randn(shape, generator=generator, dtype=weight.dtype) + 0.5
    return x, torch.arange(n) % 2


def inputs_of_relus(net, x):
    """What enters each ReLU, by hand."""
    found = []
    for module in net:
        if isinstance(module, nn.ReLU):
            found.append(x)
        x = module(x)
    return [*found, x]


# --- the loop over units ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [dense_net, conv_net])
@pytest.mark.parametrize("statistics", ["channel", "location"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("update_first", [False, True])
def test_training_with_shade_is_training_with_the_loop(make, statistics, reduction, update_first):
    net = make()
    shade = Shade(
        net,
        statistics=statistics,
        reduction=reduction,
        update_first=update_first,
        decay=0.7,
        include_logits="4" if make is dense_net else "5",
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    loops = None
    for step in range(4):
        x, y = batch_for(net, step)
        logits = net(x)
        penalty = shade.penalty()
        with torch.no_grad():
            layers = inputs_of_relus(net, x)
        if statistics == "location":
            layers = [h.flatten(1) for h in layers]
        loops = loops or [[LiteralUnit(0.7) for _ in range(h.shape[1])] for h in layers]
        expected = sum(layer_penalty(loop, h, reduction, update_first) for loop, h in zip(loops, layers))
        assert penalty.item() == pytest.approx(expected, abs=1e-10, rel=1e-12)
        for units, loop in zip(shade.units.values(), loops):
            torch.testing.assert_close(units.mu, mu_of(loop), atol=1e-10, rtol=0)
            torch.testing.assert_close(units.p, p_of(loop), atol=1e-10, rtol=0)
        (cross_entropy(logits, y) + 0.01 * penalty).backward()
        optimizer.step()
        optimizer.zero_grad()


def test_sum_is_samples_times_units_times_mean():
    net = conv_net()
    x, _ = batch_for(net)
    for layer, statistics, samples, units in (
        ("1", "channel", 7 * 4 * 4, 3),
        ("3", "channel", 7 * 2 * 2, 4),
        ("1", "location", 7, 3 * 4 * 4),
    ):
        mean, total = (
            Shade(net, layer, statistics=statistics, reduction=reduction) for reduction in ("mean", "sum")
        )
        net(x)
        assert total.penalty().item() == pytest.approx(samples * units * mean.penalty().item(), rel=1e-12)


def test_channel_is_the_mean_over_locations_when_the_averages_are_equal():
    net = conv_net()
    channel, location = Shade(net), Shade(net, statistics="location")
    net(batch_for(net, 1)[0])
    channel.penalty(), location.forget()
    for name, positions in (("1", 16), ("3", 4)):
        location.unit(name).mu = channel.unit(name).mu.repeat_interleave(positions, dim=1)
    net(batch_for(net, 2)[0])
    mu = channel.unit("3").mu
    assert channel.penalty().item() == pytest.approx(location.penalty().item(), rel=1e-12)
    assert location.unit("3").mu.shape == (2, 16) and channel.unit("3").mu.shape == (2, 4)
    assert not torch.equal(channel.unit("3").mu, mu)


def test_the_means_before_the_batch_are_used():
    net = dense_net()
    shade = Shade(net, "3")
    for seed in range(3):
        x, _ = batch_for(net, seed)
        before = shade.unit("3").mu.clone()
        h = net[:3](x)
        net(x)
        assert shade.penalty().item() == pytest.approx(shade_penalty(h, before).mean().item(), rel=1e-12)
        assert not torch.allclose(shade.unit("3").mu, before.double())


def test_detach_p_reaches_the_units():
    for detach_p in (False, True):
        net = dense_net()
        shade = Shade(net, "1", detach_p=detach_p)
        x, _ = batch_for(net)
        net(x)
        (gradient,) = torch.autograd.grad(shade.penalty(), net[0].bias)
        h = net[0](x)
        mu = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
        (expected,) = torch.autograd.grad(shade_penalty(h, mu, detach_p=detach_p).mean(), net[0].bias)
        torch.testing.assert_close(gradient, expected)


def test_default_hyperparameters_are_those_of_the_thesis():
    shade = Shade(dense_net())
    assert (shade.statistics, shade.reduction, shade.update_first) == ("channel", "mean", False)
    unit = shade.unit("1")
    assert (unit.decay, unit.detach_p) == (0.8, False)
    assert "statistics=channel, reduction=mean, update_first=False" in repr(shade)


# --- what is penalised -----------------------------------------------------------------------------------


def test_every_weight_below_a_relu_gets_a_gradient_and_no_average_does():
    net = conv_net()
    shade = Shade(net)
    net(batch_for(net)[0])
    penalty = shade.penalty()
    assert penalty.item() > 0
    penalty.backward()
    assert net[0].weight.grad.abs().sum() > 0 and net[2].weight.grad.abs().sum() > 0
    assert net[5].weight.grad is None
    assert list(shade.parameters()) == [] and not any(b.requires_grad for b in shade.buffers())
    assert set(dict(shade.named_buffers())) == {"units.1.mu", "units.1.p", "units.3.mu", "units.3.p"}


def test_before_batch_norm_is_another_matter_than_after_it():
    """After it, the scale of the convolution does not matter; before it, the penalty only shrinks weights."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, eps=1e-12), nn.ReLU()).double()
    x = torch.randn(5, 2, 6, 6, dtype=torch.float64)

    def penalty(layers):
        with Shade(net, layers) as shade:
            net(x)
            return shade.penalty().item()

    after, before = penalty(None), penalty("1")
    with torch.no_grad():
        net[0].weight.mul_(10), net[0].bias.mul_(10)
    assert penalty(None) == pytest.approx(after, rel=1e-9)
    assert penalty("1") > 5 * before


# --- training and evaluation -----------------------------------------------------------------------------


def averages(shade):
    return {name: buffer.clone() for name, buffer in shade.named_buffers()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_evaluation_mode_measures_but_moves_nothing():
    net = dense_net()
    shade = Shade(net)
    net(batch_for(net)[0])
    shade.penalty()
    before = averages(shade)
    net.eval()
    net(batch_for(net, 1)[0])
    in_evaluation = shade.penalty().item()
    assert same(before, averages(shade))
    net.train()
    shade.eval()
    net(batch_for(net, 1)[0])
    assert shade.penalty().item() == in_evaluation
    assert same(before, averages(shade))
    shade.train()
    net(batch_for(net, 1)[0])
    assert shade.penalty().item() == in_evaluation
    assert not same(before, averages(shade))


def test_evaluation_mode_with_update_first_moves_nothing():
    net = dense_net().eval()
    shade = Shade(net, update_first=True)
    before = averages(shade)
    net(batch_for(net)[0])
    shade.penalty()
    assert same(before, averages(shade))


def test_measure_is_the_penalty_of_each_unit_and_leaves_no_trace():
    net = dense_net()
    shade = Shade(net)
    net(batch_for(net)[0])
    shade.penalty()
    net(batch_for(net, 1)[0])
    before = averages(shade)
    x, _ = batch_for(net, 2)
    measured = shade.measure(x)
    assert list(measured) == ["1", "3"] and not measured["1"].requires_grad
    with torch.no_grad():
        expected = shade_penalty(net[:3](x), shade.unit("3").mu)
        recorded = inputs_of_relus(net, batch_for(net, 1)[0])
    torch.testing.assert_close(measured["3"], expected)
    assert same(before, averages(shade))
    expected = sum(shade_penalty(h, shade.unit(name).mu).mean() for name, h in zip(("1", "3"), recorded))
    torch.testing.assert_close(shade.penalty().detach(), expected)
    by_location = Shade(conv := conv_net(), statistics="location")
    assert by_location.measure(batch_for(conv)[0])["1"].shape == (48,)


def test_an_evaluation_between_forward_and_penalty_changes_nothing():
    values = []
    for disturbed in (False, True):
        net = dense_net()
        shade = Shade(net)
        net(batch_for(net)[0])
        if disturbed:
            net.eval()
            with torch.no_grad():
                net(batch_for(net, 1)[0])
            net(batch_for(net, 2)[0])
            net.train()
        values.append((shade.penalty().item(), averages(shade)))
    assert values[0][0] == values[1][0] and same(values[0][1], values[1][1])


def test_penalty_without_a_forward_pass_is_one_sentence():
    net = dense_net()
    shade = Shade(net)
    with pytest.raises(RuntimeError, match=r"^No forward pass in training mode .*: call model\(x\) first\.$"):
        shade.penalty()
    with torch.no_grad():
        net(batch_for(net)[0])
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()
    net(batch_for(net)[0])
    shade.penalty()
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()
    net(batch_for(net)[0])
    shade.forget()
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()


def test_two_views_are_one_batch_and_micro_batches_are_two():
    (one, _), (two, _) = batch_for(dense_net(), 1), batch_for(dense_net(), 2, n=3)
    net = dense_net()
    together = Shade(net)
    net(torch.cat([one, two]))
    expected = together.penalty().item()
    views = Shade(net)
    net(one), net(two)
    assert views.penalty().item() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(views.unit("1").mu, together.unit("1").mu)
    micro = Shade(net)
    for x in (one, two):
        net(x)
        micro.penalty()
    assert not torch.allclose(micro.unit("1").mu, together.unit("1").mu)


def test_steps_without_the_penalty_leave_nothing_behind():
    net = dense_net()
    shade = Shade(net)
    for seed in range(3):
        x, y = batch_for(net, seed)
        cross_entropy(net(x), y).backward()
    x, _ = batch_for(net, 9)
    net(x)
    fresh = Shade(net)
    net_again = fresh.recorder.model
    net_again(x)
    expected = fresh.penalty().item()
    shade.forget()
    for seed in range(3):
        x, y = batch_for(net, seed)
        cross_entropy(net(x), y).backward()
    x, _ = batch_for(net, 9)
    net(x)
    penalty = shade.penalty()
    assert penalty.item() == pytest.approx(expected, rel=1e-12)
    penalty.backward()


def test_no_graph_and_no_tensor_outlives_a_step():
    net = dense_net()
    shade = Shade(net)
    for step in range(3):
        net(batch_for(net, step)[0])
        h = weakref.ref(shade.recorder.take()["1"]) if step == 1 else None
        if h is not None:
            gc.collect()
            assert h() is None
            continue
        shade.penalty().backward()
    assert all(b.grad_fn is None for b in shade.buffers())


# --- state -----------------------------------------------------------------------------------------------


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


# --- with the other rooms --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", nets.names())
def test_the_nets_of_the_course(name):
    torch.manual_seed(0)
    net = nets.build(name)
    relus = [module for module in net.modules() if isinstance(module, nn.ReLU)]
    shade = Shade(net, include_logits=True)
    assert len(shade.layers) == len(relus) + 1
    net(torch.randn(2, 3, 28, 28))
    shade.penalty().backward()
    missing = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert missing == []
    assert all(unit.mu.shape[1] > 1 for unit in shade.units.values())


def test_training_with_it_shrinks_it_and_a_stopped_run_goes_on(tmp_path):
    x = torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    batches = [(x[i : i + 10], torch.arange(10) % 3) for i in range(0, 40, 10)]

    def run(weight, epochs, checkpoint=None, every_epoch=None):
        torch.manual_seed(1)
        net = nets.build("convnet", in_shape=(3, 8, 8), num_classes=3, width=6)
        with Shade(net) as shade:

            def loss(model, batch, step):
                return cross_entropy(model(batch.x), batch.y) + weight * shade.penalty()

            fit(
                net,
                batches,
                loss,
                lr=1e-2,
                epochs=epochs,
                checkpoint=checkpoint,
                stateful={"shade": shade},
                evaluate=every_epoch,
                progress=False,
            )
            return net, shade, {name: units.mean().item() for name, units in shade.measure(x).items()}

    _, _, plain = run(0.0, 6)
    net, shade, penalised = run(0.5, 6)
    assert sum(penalised.values()) < 0.5 * sum(plain.values())

    def stop(model):
        stop.epochs += 1
        if stop.epochs == 3:
            raise KeyboardInterrupt
        return {}

    stop.epochs = 0
    with pytest.raises(KeyboardInterrupt):
        run(0.5, 6, tmp_path / "run.pt", stop)
    stop.epochs = 10
    again, shade_again, _ = run(0.5, 6, tmp_path / "run.pt", stop)
    assert same(averages(shade), averages(shade_again))
    assert same(net.state_dict(), again.state_dict())


def test_units_stand_alone():
    assert isinstance(Shade(dense_net()).unit("1"), ShadeUnit)
