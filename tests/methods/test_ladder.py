"""The ladder network against Algorithm 1 of its source, and its loss."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from course_lib.methods.ladder import LadderLoss, denoising_costs
from course_lib.methods.ladder_steps import EPS, Dense
from tests.methods.literal_ladder import algorithm_1
from tests.methods.partly_labelled import partly_labelled, reached, slopes_along
from tests.methods.small_ladders import conv_ladder, dense_ladder, small_batch


def drawn_noises(net, n, seed):
    """What the noisy pass draws after this seed: first for the image, then rung by rung."""
    torch.manual_seed(seed)
    return [net.noise * torch.randn(n, *shape, dtype=torch.float64) for shape in net.shapes]


@pytest.mark.parametrize("layers", [(Dense(4), Dense(3)), (Dense(5), Dense(4), Dense(2), Dense(3))])
def test_a_dense_ladder_is_algorithm_1(layers):
    net, batch, costs = dense_ladder(0.5, layers=layers), small_batch(), (7.0, 0.6, 0.3, 0.2, 0.9)
    costs = costs[: len(layers) + 1]
    expected = algorithm_1(net, batch, [e.tolist() for e in drawn_noises(net, 5, 8)], costs)
    torch.manual_seed(8)
    found = net.ladder(batch.x)
    for name in ("z", "z_noisy", "z_hat"):
        for mine, theirs in zip(getattr(found, name), getattr(expected, name), strict=True):
            torch.testing.assert_close(mine, torch.tensor(theirs, dtype=torch.float64), msg=name)
    for name in ("logits", "clean_logits"):
        theirs = torch.tensor(getattr(expected, name), dtype=torch.float64)
        torch.testing.assert_close(getattr(found, name), theirs)
    torch.manual_seed(8)
    loss = LadderLoss(costs)(net, batch)
    assert loss.keys() == {"loss", "cls", "denoising"}
    assert loss["cls"].item() == pytest.approx(expected.cls, rel=1e-9)
    assert loss["denoising"].item() == pytest.approx(expected.denoising, rel=1e-9)
    assert loss["loss"].item() == pytest.approx(expected.cls + expected.denoising, rel=1e-9)


def test_a_ladder_of_convolutions_goes_up_and_down_the_same_way():
    """The same algorithm with torch's own functions for each layer."""
    net, x = conv_ladder(0.5), partly_labelled().x
    noises = drawn_noises(net, len(x), 9)
    ways_up = (
        lambda h: F.conv2d(h, net.rungs[0].up.weight, padding=1),
        lambda h: F.max_pool2d(h, 2),
        lambda h: F.conv2d(h, net.rungs[2].up.weight),
        lambda h: h.mean((2, 3), keepdim=True),
        lambda h: h.flatten(1) @ net.rungs[4].up[1].weight.T,
    )
    ways_down = (
        lambda z: F.conv_transpose2d(z, net.rungs[0].down.weight, padding=1),
        lambda z: z.repeat_interleave(2, 2).repeat_interleave(2, 3),
        lambda z: F.conv_transpose2d(z, net.rungs[2].down.weight),
        lambda z: z.expand(-1, -1, 2, 2),
        lambda z: (z @ net.rungs[4].down[0].weight.T)[:, :, None, None],
    )

    def along(c, values):
        return c.reshape(1, -1, *[1] * (values.ndim - 2))

    def encode(noises):
        h = x + noises[0]
        zs, stats = [h], [(0.0, 1.0)]
        for rung, way, noise in zip(net.rungs, ways_up, noises[1:], strict=True):
            raw = way(h)
            axes = [axis for axis in range(raw.ndim) if axis != 1]
            mean, std = raw.mean(axes), (raw.var(axes, correction=0) + EPS).sqrt()
            z = F.batch_norm(raw, None, None, training=True, eps=EPS) + noise
            h = z if rung.gain is None else along(rung.gain, z) * (z + along(rung.shift, z))
            h = F.relu(h) if rung.gain is not None and h.ndim == 4 else h
            zs.append(z), stats.append((along(mean, raw), along(std, raw)))
        return h, zs, stats

    logits, noisy, _ = encode(noises)
    clean_logits, clean, stats = encode([0 * noise for noise in noises])
    u, z_hat = logits.softmax(1), []
    for l in reversed(range(6)):
        guess = net.combinators[l](noisy[l], F.batch_norm(u, None, None, training=True, eps=EPS))
        z_hat.insert(0, (guess - stats[l][0]) / stats[l][1])
        u = ways_down[l - 1](guess) if l else None

    torch.manual_seed(9)
    found = net.ladder(x)
    torch.testing.assert_close(found.logits, logits)
    torch.testing.assert_close(found.clean_logits, clean_logits)
    for mine, theirs in zip((found.z, found.z_noisy, found.z_hat), (clean, noisy, z_hat)):
        for one, other in zip(mine, theirs, strict=True):
            torch.testing.assert_close(one, other)


# --- the loss --------------------------------------------------------------------------------------------


def test_the_last_cost_is_for_all_layers_above():
    net, batch = conv_ladder(), partly_labelled()
    torch.manual_seed(3)
    each = denoising_costs(net.ladder(batch.x))
    assert len(each) == 6 and all(cost.ndim == 0 and cost > 0 for cost in each)
    weights = {(2.0, 0.5): (2.0, *[0.5] * 5), (0, 0, 0, 0, 0, 1): (0, 0, 0, 0, 0, 1), (3,): (3,) * 6}
    for costs, all_costs in weights.items():
        torch.manual_seed(3)
        found = LadderLoss(costs)(net, batch)["denoising"].item()
        assert found == pytest.approx(sum(w * cost.item() for w, cost in zip(all_costs, each, strict=True)))
    torch.manual_seed(3)
    by_default = LadderLoss()(net, batch)["denoising"]
    torch.manual_seed(3)
    torch.testing.assert_close(
        by_default, LadderLoss((1000, 10, 0.1, 0.1, 0.1, 0.1))(net, batch)["denoising"]
    )


def test_a_denoising_cost_is_a_mean_over_units_and_samples():
    z, z_hat = (torch.randn(3, 4, 2, 2, dtype=torch.float64) for _ in range(2))
    out = SimpleNamespace(z=(z,), z_hat=(z_hat,))
    total = sum((p - q) ** 2 for p, q in zip(z.flatten().tolist(), z_hat.flatten().tolist()))
    assert [cost.item() for cost in denoising_costs(out)] == [pytest.approx(total / (3 * 16))]


@pytest.mark.parametrize("make, batch", [(dense_ladder, small_batch), (conv_ladder, partly_labelled)])
def test_slopes_are_those_of_the_loss(make, batch):
    net, batch = make().train(), batch()

    def loss():
        torch.manual_seed(5)
        return LadderLoss((2.0, 0.7, 0.4))(net, batch)["loss"]

    by_autograd, by_steps = slopes_along(loss, net.parameters())
    assert by_autograd == pytest.approx(by_steps, rel=1e-5) and abs(by_steps) > 0.1


def test_which_term_trains_what():
    net, batch = dense_ladder(), small_batch()
    found = LadderLoss()(net, batch)
    of_encoder = {f"rungs.{l}.{name}" for l in (0, 1) for name in ("up.1.weight", "gain", "shift")}
    assert reached(found["cls"], net) == of_encoder
    decoder = {"rungs.0.down.0.weight", "rungs.1.down.0.weight", *(f"combinators.{l}.a" for l in range(3))}
    assert reached(found["denoising"], net) == of_encoder | decoder


def test_images_without_a_label_only_denoise():
    net, batch = dense_ladder(), small_batch()
    batch.y.fill_(-1)
    found = LadderLoss((1.0,))(net, batch)
    assert found["cls"] == 0 and found["loss"] == found["denoising"] > 0
