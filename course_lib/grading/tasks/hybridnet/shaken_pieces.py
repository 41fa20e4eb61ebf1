"""A right answer to hybridnet.shake_shake in pieces, and wrong ones, each of which replaces one or two."""

import torch
from torch import nn


class Pieces(nn.Module):
    """All of it right."""

    def __init__(self, maps, out, stride=1, mirrored=False):
        super().__init__()
        self.mirrored = mirrored
        same = maps == out and stride == 1
        self.skip = self.same_shape() if same else self.new_shape(maps, out, stride)
        self.first = self.branch(maps, out, stride)
        self.second = self.branch(maps, out, stride)

    def conv(self, maps, out, size, stride=1):
        if self.mirrored:
            return nn.ConvTranspose2d(maps, out, size, stride, size // 2, stride - 1, bias=False)
        return nn.Conv2d(maps, out, size, stride, size // 2, bias=False)

    def same_shape(self):
        return nn.Identity()

    def new_shape(self, maps, out, stride):
        return nn.Sequential(self.conv(maps, out, 1, stride), nn.BatchNorm2d(out))

    def branch(self, maps, out, stride):
        middle = maps if self.mirrored else out
        strides = (1, stride) if self.mirrored else (stride, 1)
        return nn.Sequential(
            nn.ReLU(),
            self.conv(maps, middle, 3, strides[0]),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            self.conv(middle, out, 3, strides[1]),
            nn.BatchNorm2d(out),
        )

    def forward(self, x):
        return self.skip(x) + self.mixed(self.first(x), self.second(x))

    def mixed(self, first, second):
        if not self.training:
            return self.calm(first, second)
        alpha, beta = self.numbers(first)
        value = self.sum(first, second, alpha)
        gradient = self.gradient_sum(first, second, beta)
        return gradient + (value - gradient).detach()

    def calm(self, first, second):
        return (first + second) / 2

    def numbers(self, like):
        return self.draw(like), self.draw(like)

    def draw(self, like):
        return torch.rand(len(like), 1, 1, 1, device=like.device).to(like.dtype)

    def sum(self, first, second, weight):
        return weight * first + (1 - weight) * second

    def gradient_sum(self, first, second, weight):
        return self.sum(first, second, weight)


class OneForTheBatch(Pieces):
    def draw(self, like):
        return torch.rand((), device=like.device).to(like.dtype)


class OneBetaForTheBatch(Pieces):
    def numbers(self, like):
        return self.draw(like), torch.rand((), device=like.device).to(like.dtype)


class ForEachPlace(Pieces):
    def draw(self, like):
        return torch.rand_like(like)


class SameBackward(Pieces):
    def numbers(self, like):
        return (self.draw(like),) * 2


class Turned(Pieces):
    def numbers(self, like):
        alpha = self.draw(like)
        return alpha, 1 - alpha


class CalmBackward(Pieces):
    def numbers(self, like):
        return self.draw(like), 0.5


class CalmForward(Pieces):
    def numbers(self, like):
        return 0.5, self.draw(like)


class NeverShakes(Pieces):
    def numbers(self, like):
        return 0.5, 0.5


class ShakesInEvaluation(Pieces):
    def calm(self, first, second):
        return self.sum(first, second, self.draw(first))


class DrawnOnce(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.alpha, self.beta = torch.rand(2).tolist()

    def numbers(self, like):
        return self.alpha, self.beta


class TwoNumbers(Pieces):
    def sum(self, first, second, weight):
        return weight * first + self.draw(first) * second


class Sum(Pieces):
    def calm(self, first, second):
        return first + second

    def sum(self, first, second, weight):
        return first + second


class SumInEvaluation(Pieces):
    def calm(self, first, second):
        return first + second


class BothScaledByBeta(Pieces):
    def gradient_sum(self, first, second, weight):
        return weight * (first + second)


class GradientOfTheSum(Pieces):
    def gradient_sum(self, first, second, weight):
        return first + second


class OneOrTheOther(Pieces):
    def draw(self, like):
        return super().draw(like).round()


class Normal(Pieces):
    def draw(self, like):
        return torch.randn(len(like), 1, 1, 1, device=like.device).to(like.dtype)


class FirstAlone(Pieces):
    def mixed(self, first, second):
        return first


class NoSkip(Pieces):
    def forward(self, x):
        return self.mixed(self.first(x), self.second(x))


class SharedReLU(Pieces):
    def forward(self, x):
        return super().forward(x.relu())


class ReLULast(Pieces):
    def forward(self, x):
        return super().forward(x).relu()


class NoFirstReLU(Pieces):
    def branch(self, maps, out, stride):
        return super().branch(maps, out, stride)[1:]


class NoLastNorm(Pieces):
    def branch(self, maps, out, stride):
        return super().branch(maps, out, stride)[:-1]


class NoNorm(Pieces):
    def branch(self, maps, out, stride):
        steps = super().branch(maps, out, stride)
        return nn.Sequential(*(step for step in steps if not isinstance(step, nn.BatchNorm2d)))


class ConvBNReLU(Pieces):
    def branch(self, maps, out, stride):
        relu, conv1, norm1, _, conv2, norm2 = super().branch(maps, out, stride)
        return nn.Sequential(conv1, norm1, relu, conv2, norm2, relu)


class SkipWithoutNorm(Pieces):
    def new_shape(self, maps, out, stride):
        return super().new_shape(maps, out, stride)[0]


class SkipAlwaysConvolves(Pieces):
    def same_shape(self):
        return self.new_shape(self.width, self.width, 1)

    def __init__(self, maps, *given, **options):
        object.__setattr__(self, "width", maps)
        super().__init__(maps, *given, **options)


class LateStride(Pieces):
    """The order of the encoder's convolutions turned, and the decoder's too."""

    def branch(self, maps, out, stride):
        middle = out if self.mirrored else maps
        strides = (stride, 1) if self.mirrored else (1, stride)
        return nn.Sequential(
            nn.ReLU(),
            self.conv(maps, middle, 3, strides[0]),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            self.conv(middle, out, 3, strides[1]),
            nn.BatchNorm2d(out),
        )


class NotTurned(LateStride):
    """Mirrored blocks change maps and side in their first convolution, as the others do."""

    def branch(self, maps, out, stride):
        return (super() if self.mirrored else super(LateStride, self)).branch(maps, out, stride)


class NoOutputPadding(Pieces):
    def conv(self, maps, out, size, stride=1):
        made = super().conv(maps, out, size, stride)
        if self.mirrored:
            made.output_padding = (0, 0)
        return made


class NeverMirrored(Pieces):
    def __init__(self, maps, out, stride=1, mirrored=False):
        super().__init__(maps, out, stride, False)
