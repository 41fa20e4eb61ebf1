"""SHADE attached to a model: against the loop over units, and with the other rooms."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from course_lib import nets
from course_lib.methods import Shade, ShadeUnit, shade_penalty
from course_lib.training import fit
from tests.methods.literal import LiteralUnit, layer_penalty, mu_of, p_of
from tests.methods.small_nets import averages, batch_for, conv_net, dense_net, inputs_of_relus, same

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
