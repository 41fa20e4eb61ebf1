"""The ladder network without noise, with a combinator that only passes its skip on, and within the course."""

import pytest
import torch

from course_lib import data
from course_lib.methods.ladder import Ladder, LadderLoss, denoising_costs
from course_lib.methods.ladder_steps import EPS, Conv, Dense, Mean, Pool
from course_lib.training import accuracy_of, fit
from tests.methods.partly_labelled import partly_labelled, state_of
from tests.methods.small_ladders import conv_ladder, dense_ladder, small_batch
from tests.methods.small_nets import DEVICES


def same_state(before, net):
    return all(torch.equal(before[name], value) for name, value in net.state_dict().items())


# --- limits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [dense_ladder(0.0), conv_ladder(0.0)])
@pytest.mark.parametrize("training", [True, False])
def test_without_noise_both_passes_agree(net, training):
    net.train(training)
    state = torch.get_rng_state()
    out = net.ladder(partly_labelled(5, net.in_shape).x)
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(out.logits, out.clean_logits)
    for z, z_noisy in zip(out.z, out.z_noisy, strict=True):
        torch.testing.assert_close(z, z_noisy)
    net.noise = 0.3
    out = net.ladder(partly_labelled(5, net.in_shape).x)
    for z, z_noisy in zip(out.z, out.z_noisy, strict=True):
        assert (z - z_noisy).abs().max() > 0.01
    net.noise = 0.0


def test_a_combinator_that_returns_its_skip():
    """Then the image's estimate is the noisy image, and every other one the noisy z, normalised."""
    net, x = dense_ladder(), small_batch().x
    with torch.no_grad():
        for combinator in net.combinators:
            combinator.a.zero_()
            combinator.a[9] = 1
    net.eval()
    for l, rung in enumerate(net.rungs):
        rung.norm.mean.fill_(0.5 + l)
        rung.norm.var.fill_(2.0 + l)
    out = net.ladder(x)
    torch.testing.assert_close(out.z_hat[0], out.z_noisy[0])
    for l in (1, 2):
        torch.testing.assert_close(out.z_hat[l], (out.z_noisy[l] - l + 0.5) / (1.0 + l + EPS) ** 0.5)
    net.noise = 0.0
    assert denoising_costs(net.ladder(x))[0] == 0


# --- as a part of the course -----------------------------------------------------------------------------


@pytest.mark.parametrize("net", [dense_ladder(), conv_ladder()])
def test_it_classifies_by_the_clean_pass(net):
    x = partly_labelled(5, net.in_shape).x
    net.train()
    torch.testing.assert_close(net(x), net.ladder(x).clean_logits)
    net.eval()
    state = torch.get_rng_state()
    together, alone = net(x), torch.cat([net(one[None]) for one in x])
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(together, alone)
    assert together.shape == (5, 3)


def test_the_noisy_pass_moves_no_average():
    net, x = dense_ladder(), small_batch().x
    first = state_of(net)
    net.climb(x, 0.3, moves=False)
    assert same_state(first, net)
    net.ladder(x)
    norms = {name: value for name, value in state_of(net).items() if "rungs" in name}
    net.load_state_dict(first)
    net.climb(x)
    assert all(torch.equal(norms[name], net.state_dict()[name]) for name in norms)
    assert not same_state(first, net)


def test_modes_stay_and_evaluation_moves_no_state():
    net, batch = conv_ladder(), partly_labelled()
    net.rungs[0].norm.eval()
    modes = [module.training for module in net.modules()]
    LadderLoss()(net, batch)["loss"].backward()
    assert [module.training for module in net.modules()] == modes
    net.eval()
    before = state_of(net)
    LadderLoss()(net, batch)
    assert same_state(before, net)


@pytest.mark.parametrize("device", DEVICES)
def test_low_precision_and_devices(device):
    net, batch = conv_ladder(0.0).float().to(device), partly_labelled(dtype=torch.float32)
    batch.x, batch.y = batch.x.to(device), batch.y.to(device)
    exact = LadderLoss((1.0,))(net, batch)
    with torch.autocast(device, torch.bfloat16):
        found = LadderLoss((1.0,))(net, batch)
    assert all(found[name].dtype == torch.float32 and found[name].device == batch.x.device for name in exact)
    assert found["loss"].item() == pytest.approx(exact["loss"].item(), rel=0.05)


@pytest.mark.parametrize(
    "layers", [(Dense(40), Dense(20), Dense(10)), (Conv(8), Pool(), Conv(12), Mean(), Dense(10))]
)
def test_it_learns_a_few_digits(layers):
    digits = data.load("digits_m", "train", strength=0.0).subset(torch.arange(64))
    batches = data.Batches(digits, 32)
    torch.manual_seed(0)
    net = Ladder(layers, (3, 16, 16))
    history = fit(net, batches, LadderLoss((10.0, 1.0, 0.1)), lr=1e-2, steps=100, progress=False)
    assert accuracy_of(net, batches) > 0.8
    assert history.losses["denoising"][-1] < 0.7 * history.losses["denoising"][0]


def test_impossible_options():
    with pytest.raises(ValueError, match="noise is -0.1, possible are numbers from 0"):
        Ladder((Dense(3),), (1, 2, 3), noise=-0.1)
    for costs in ((), (1.0, -2.0)):
        with pytest.raises(ValueError, match="needed are one or more numbers from 0"):
            LadderLoss(costs)
    with pytest.raises(ValueError, match="costs are 4, but the ladder has 3 layers"):
        LadderLoss((1, 1, 1, 1))(dense_ladder(), small_batch())
    for shape in ((5, 1, 3, 2), (5, 6), (1, 2, 3)):
        with pytest.raises(ValueError, match=r"this ladder takes \(B, 1, 2, 3\)"):
            dense_ladder()(torch.zeros(shape, dtype=torch.float64))
    assert Ladder((Dense(3),), (1, 2, 3)).noise == 0.3
    assert LadderLoss((0,)).costs == (0,)


def test_a_shape_and_costs_may_be_any_sequence():
    net = Ladder((Dense(3),), [1, 2, 3])
    loss = LadderLoss([1.0])
    assert loss.costs == (1.0,) and loss(net, small_batch(torch.float32))["denoising"] > 0
    assert net(torch.zeros(5, 1, 2, 3)).shape == (5, 3) and net.in_shape == (1, 2, 3)
