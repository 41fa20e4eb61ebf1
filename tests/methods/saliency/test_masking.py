"""What stands where an image is hidden, and what is scored."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.masking import (
    blended,
    degraded,
    gaussian_blur,
    grid_of,
    scored,
    with_constant_weights,
)
from tests.methods.saliency.masked_nets import image_net, images, left_as_found


def literal_blur(plane, sigma):
    """Each pixel as a sum over all others within three sigmas, the border repeated."""
    radius = math.ceil(3 * sigma)
    height, width = plane.shape
    values, found = plane.tolist(), torch.zeros_like(plane)
    weights = {d: math.exp(-0.5 * (d / sigma) ** 2) for d in range(-radius, radius + 1)}
    total = sum(weights.values())
    for i in range(height):
        for j in range(width):
            at = 0.0
            for di, a in weights.items():
                for dj, b in weights.items():
                    row, column = min(max(i + di, 0), height - 1), min(max(j + dj, 0), width - 1)
                    at += a * b / total**2 * values[row][column]
            found[i, j] = at
    return found


@pytest.mark.parametrize("sigma", [0.4, 1.1, 2.2])
def test_the_blur_is_the_sum_over_neighbours(sigma):
    x, _ = images(2)
    found = gaussian_blur(x, sigma)
    for image, blurred in zip(x, found):
        for channel in range(2):
            torch.testing.assert_close(blurred[channel], literal_blur(image[channel], sigma))
    assert gaussian_blur(x, 0) is x


def test_what_the_degradations_are():
    x, _ = images()
    torch.testing.assert_close(degraded(x, "blur", 0.2), gaussian_blur(x, 0.2 * 9))
    mean = degraded(x, "mean")
    assert mean.shape == x.shape
    for image, grey in zip(x, mean):
        for channel in range(2):
            expected = torch.full((7, 9), float(image[channel].mean()), dtype=torch.float64)
            torch.testing.assert_close(grey[channel], expected)
    assert torch.equal(degraded(x, "zero"), torch.zeros_like(x))
    assert torch.equal(degraded(x, 0.25), torch.full_like(x, 0.25))
    colour = torch.tensor([0.5, -1.0]).view(2, 1, 1)
    found = degraded(x, colour)
    assert torch.equal(found, colour.double().expand(3, 2, 7, 9)) and found.dtype == torch.float64
    assert degraded(x.float(), colour.double()).dtype == torch.float32


@pytest.mark.parametrize("size", [(7, 9), (9, 7)])
def test_by_itself_it_is_a_blur_by_a_part_of_the_longer_side(size):
    x = torch.randn(20, 12, *size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.equal(degraded(x), gaussian_blur(x, 10 / 224 * 9))
    assert torch.equal(degraded(x, sigma=0.3), gaussian_blur(x, 0.3 * 9))


def test_noise_has_the_images_mean_and_deviation_and_its_own_seed():
    x = 3 + 2 * torch.randn(2, 3, 60, 60, dtype=torch.float64)
    x[1] *= 5
    state = torch.get_rng_state()
    noise = degraded(x, "noise", seed=4)
    assert torch.equal(state, torch.get_rng_state())
    torch.testing.assert_close(noise.mean((2, 3)), x.mean((2, 3)), rtol=0.1, atol=0)
    torch.testing.assert_close(noise.std((2, 3)), x.std((2, 3)), rtol=0.1, atol=0)
    assert torch.equal(noise, degraded(x, "noise", seed=4))
    assert not torch.equal(noise, degraded(x, "noise", seed=5))
    torch.testing.assert_close(degraded(x[1:], "noise", seed=4), noise[1:])
    assert torch.equal(degraded(x, "noise"), degraded(x, "noise", seed=0))


def test_noise_is_one_pattern_scaled_for_each_image_and_channel():
    x, _ = images()
    pattern = torch.randn(2, 7, 9, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    for image, noise in zip(x, degraded(x, "noise", seed=4)):
        for channel in range(2):
            values = image[channel].flatten().tolist()
            mean = sum(values) / len(values)
            deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
            torch.testing.assert_close(noise[channel], mean + deviation * pattern[channel])
    small = degraded(x.float(), "noise", seed=4)
    torch.testing.assert_close(small, degraded(x, "noise", seed=4).float())


def test_a_mask_keeps_where_it_is_one():
    x, _ = images()
    hidden = torch.zeros_like(x) + 7
    assert torch.equal(blended(x, hidden, torch.zeros(3, 1, 7, 9).double()), hidden)
    torch.testing.assert_close(blended(x, hidden, torch.ones(3, 1, 7, 9).double()), x)
    keep = torch.rand(3, 1, 7, 9).double()
    torch.testing.assert_close(blended(x, hidden, keep), keep * x + (1 - keep) * hidden)


def test_a_grid_has_about_square_cells():
    assert grid_of((48, 48), 28) == (28, 28)
    assert grid_of((100, 200), 28) == (14, 28)
    assert grid_of((300, 100), 28) == (28, 9)
    assert grid_of((1, 400), 28) == (1, 28)


def test_scores():
    logits = torch.tensor([[1.0, -2.0, 0.5], [3.0, 3.0, -1.0]], dtype=torch.float64)
    y = torch.tensor([2, 0])
    assert torch.equal(scored(logits, y, "logit"), torch.tensor([0.5, 3.0], dtype=torch.float64))
    expected = [
        math.exp(row[k]) / sum(math.exp(value) for value in row)
        for row, k in zip(logits.tolist(), y.tolist())
    ]
    torch.testing.assert_close(scored(logits, y, "probability"), torch.tensor(expected).double())
    assert scored(1e4 * logits, y, "probability").tolist() == pytest.approx([0, 0.5])
    assert scored(logits.bfloat16(), y, "probability").dtype == torch.float32
    half = (10 * logits).bfloat16()
    for score in ("probability", "logit"):
        assert torch.equal(scored(half, y, score), scored(half.float(), y, score))
        positions = half[:, :, None, None].repeat(1, 1, 2, 2)
        assert torch.equal(scored(positions, y, score), scored(positions.float(), y, score))
    assert torch.equal(scored(logits, y, lambda out, y: out.sum(1) * y), logits.sum(1) * y)
    with pytest.raises(ValueError, match="score is 'loss', possible are probability, logit, or a function.$"):
        scored(logits, y, "loss")


def test_positions_are_pooled_before_the_softmax():
    logits = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    y = torch.tensor([1, 2])
    for i in range(2):
        pooled = [sum(math.exp(value) for value in plane.flatten().tolist()) for plane in logits[i]]
        assert scored(logits, y, "logit")[i].item() == pytest.approx(math.log(pooled[y[i]]))
        assert scored(logits, y, "probability")[i].item() == pytest.approx(pooled[y[i]] / sum(pooled))


def test_constant_weights_leave_a_gradient_for_the_input_alone():
    net, (x, _) = image_net(), images()
    with left_as_found(net), torch.no_grad(), with_constant_weights(net) as f:
        assert not net.training and not f(x).requires_grad
        x.requires_grad_()
        f(x).sum().backward()
        assert x.grad.abs().sum() > 0
    with torch.inference_mode(), with_constant_weights(nn.Flatten()) as f:
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_impossible_degradations():
    x, _ = images()
    with pytest.raises(ValueError, match="The degradation is 'black', possible are blur"):
        degraded(x, "black")
    with pytest.raises(ValueError, match="sigma is 0, possible are fractions"):
        degraded(x, "blur", 0)
