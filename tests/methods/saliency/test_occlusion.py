"""Occlusion against loops over squares and pixels, its sign, and its cost."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods.saliency.occlusion import occlusion
from tests.methods.saliency.masked_nets import image_net, images, left_as_found, linear_net, passes


def starts(side, size, stride):
    found = list(range(0, side - size + 1, stride))
    return found if found[-1] == side - size else [*found, side - size]


def literal(net, x, y, size, stride, score):
    """Each square on a copy of one image, each fall added to the pixels that it covers, one at a time."""

    def of(image, k):
        logits = net.eval()(image[None])[0].tolist()
        if score == "logit":
            return logits[k]
        return math.exp(logits[k]) / sum(math.exp(value) for value in logits)

    maps = torch.zeros(len(x), 1, *x.shape[2:], dtype=torch.float64)
    for i, (image, k) in enumerate(zip(x, y.tolist())):
        total, count = torch.zeros(7, 9, dtype=torch.float64), torch.zeros(7, 9)
        colour = [float(channel.mean()) for channel in image]
        for top in starts(7, size, stride):
            for left in starts(9, size, stride):
                covered = image.clone()
                for row in range(top, top + size):
                    for column in range(left, left + size):
                        for channel in range(2):
                            covered[channel, row, column] = colour[channel]
                fall = of(image, k) - of(covered, k)
                total[top : top + size, left : left + size] += fall
                count[top : top + size, left : left + size] += 1
        maps[i, 0] = total / count
    return maps


@pytest.mark.parametrize("score", ["probability", "logit"])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (3, 3), (2, 1), (7, 2)])
def test_it_is_the_mean_fall_of_the_squares_that_cover_a_pixel(size, stride, score):
    net, (x, y) = image_net(), images(2)
    with torch.no_grad():
        expected = literal(image_net(), x, y, size, stride, score)
        found = occlusion(net, x, y, size, stride, score=score)
    torch.testing.assert_close(found, expected)


def test_single_pixels_of_a_linear_net_are_weight_times_pixel():
    weight = torch.randn(2, 7, 9, dtype=torch.float64)
    x, _ = images(2)
    found = occlusion(linear_net(weight, bias=3.0), x, 0, 1, 1, fill="zero", score="logit")
    torch.testing.assert_close(found, (weight * x).sum(1, keepdim=True))
    towards_a_colour = occlusion(linear_net(weight), x, 0, 1, 1, fill=0.7, score="logit")
    torch.testing.assert_close(towards_a_colour, (weight * (x - 0.7)).sum(1, keepdim=True))


def test_what_speaks_against_a_class_is_negative():
    weight = torch.zeros(2, 7, 9, dtype=torch.float64)
    weight[:, 1, 2], weight[:, 5, 7] = 1, -1
    found = occlusion(linear_net(weight), torch.ones(1, 2, 7, 9).double(), 0, 2, 1, fill="zero")[0, 0]
    assert found[1, 2] > 0 > found[5, 7] and found[1, 2] == found.max() and found[5, 7] == found.min()
    other_class = occlusion(linear_net(weight), torch.ones(1, 2, 7, 9).double(), 1, 2, 1, fill="zero")[0, 0]
    assert other_class[1, 2] < 0 < other_class[5, 7]


def test_a_batch_is_one_image_after_the_other():
    net, (x, y) = image_net(), images(4)
    together = occlusion(net, x, y, 3, 2)
    for batch_size in (1, 5, 1000):
        torch.testing.assert_close(occlusion(net, x, y, 3, 2, batch_size=batch_size), together)
    one_by_one = [occlusion(net, x[i : i + 1], y[i : i + 1], 3, 2) for i in range(4)]
    torch.testing.assert_close(torch.cat(one_by_one), together)
    assert together.shape == (4, 1, 7, 9) and together.dtype == torch.float64


def test_the_defaults_and_their_cost():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    sizes = passes(net)
    found = occlusion(net, torch.rand(1, 3, 48, 48), 0, batch_size=100)
    assert found.shape == (1, 1, 48, 48) and sum(sizes) == 1 + 441 and max(sizes) == 100
    sizes.clear()
    occlusion(net, torch.rand(1, 3, 24, 60), 0)  # the shorter side decides
    assert sum(sizes) == 1 + 21 * 57
    sizes.clear()
    occlusion(net, torch.rand(1, 3, 224, 224), 0)
    assert sum(sizes) == 1 + 484


@pytest.mark.parametrize(("size", "square"), [((2, 5), 1), ((20, 30), 3), ((30, 20), 3), ((26, 47), 4)])
def test_a_square_is_a_sixth_of_the_shorter_side_by_itself(size, square):
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(occlusion(net, x, 1), occlusion(net, x, 1, square, 1))
    assert not torch.equal(occlusion(net, x, 1), occlusion(net, x, 1, square + 1, 1))


def test_everything_is_as_before():
    net, (x, y) = image_net(), images()
    net[1].eval()
    with left_as_found(net, x):
        occlusion(net, x, y, 3, 2)
        with pytest.raises(ValueError, match=r"y has classes from 0 to 5"):
            occlusion(net, x, torch.tensor([0, 1, 5]), 3, 2)


def test_fully_convolutional_logits_and_own_scores():
    net = nn.Conv2d(2, 3, 1).double()
    x, y = images()
    found = occlusion(net, x, y, 3, 2, score="logit")
    own = occlusion(net, x, y, 3, 2, score=lambda out, y: out.flatten(2).logsumexp(2)[range(len(y)), y])
    torch.testing.assert_close(found, own)


def test_impossible_input():
    net, (x, y) = image_net(), images()
    for size in (0, 8):
        with pytest.raises(ValueError, match=rf"size is {size}, possible are 1 to 7"):
            occlusion(net, x, y, size)
    with pytest.raises(ValueError, match="size is 8, possible are 1 to 7"):
        occlusion(net, x.transpose(2, 3), y, 8)
    for stride in (0, 4):
        with pytest.raises(ValueError, match=rf"stride is {stride}, possible are 1 to 3"):
            occlusion(net, x, y, 3, stride)
    with pytest.raises(ValueError, match="score is 'loss', possible are probability, logit"):
        occlusion(net, x, y, 3, score="loss")
    with pytest.raises(ValueError, match="The degradation is 'grey', possible are blur, mean, zero, noise"):
        occlusion(net, x, y, 3, fill="grey")
    with pytest.raises(ValueError, match="x is torch.int64"):
        occlusion(net, x.long(), y)
