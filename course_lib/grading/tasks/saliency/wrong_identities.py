"""Wrong answers to saliency.virtual_identity in what they insert: other weights, other places."""

import torch
from torch import nn

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.identity_pieces import BeforeTheLayer, Hidden, Pieces, WithBias


class RandomKernel(Pieces):
    def kernel(self):
        return nn.Conv2d(self.channels, self.channels, self.n, bias=False).weight.detach()


class ScalingOfZero(Pieces):
    def number(self):
        return torch.tensor(0.0)


class BiasOfOne(Pieces):
    def number(self):
        return torch.tensor(1.0)


class Corner(Pieces):
    def kernel(self):
        return super().kernel().roll((-(self.n // 2),) * 2, (2, 3))


class AllToAll(Pieces):
    def kernel(self):
        return super().kernel().amax(1, keepdim=True).expand(-1, self.channels, -1, -1).clone()


class WholeWindow(Pieces):
    def kernel(self):
        return super().kernel().amax((2, 3), keepdim=True).expand(-1, -1, self.n, self.n).clone()


class Unpadded(Pieces):
    def padding(self):
        return 0


class Depthwise(Pieces):
    def kernel(self):
        return super().kernel().amax(1, keepdim=True)

    def groups(self):
        return self.channels


class Before(Pieces):
    layer_with_identity = BeforeTheLayer


class Biased(Pieces):
    layer_with_identity = WithBias


class NoParameter(Pieces):
    layer_with_identity = Hidden


class InTheModel(Pieces):
    def copied(self):
        return self.model


IDENTITIES = (
    Misconception(
        "random kernel",
        RandomKernel,
        "The kernel is drawn at random, so the layer is no identity. "
        "It is 1 where a channel meets itself in the middle of the kernel, and 0 elsewhere.",
    ),
    Misconception(
        "scaling of zero",
        ScalingOfZero,
        "The scaling begins at 0, which erases the layer. An identity multiplies with 1.",
    ),
    Misconception(
        "bias of one",
        BiasOfOne,
        "The bias begins at 1, which moves all activations. An identity adds 0.",
    ),
    Misconception(
        "one in the corner",
        Corner,
        "The 1 stands in the corner of the kernel, which moves the maps. It belongs in the middle, [N//2, "
        "N//2].",
    ),
    Misconception(
        "every channel to every channel",
        AllToAll,
        "Each output channel is the sum of all channels. The 1 stands only where a channel meets itself.",
    ),
    Misconception(
        "whole window",
        WholeWindow,
        "The kernel is 1 in its whole window, so each pixel becomes a sum over its neighbours. "
        "Only the middle, [N//2, N//2], is 1.",
    ),
    Misconception(
        "no padding",
        Unpadded,
        "The convolution has no padding, so it loses the border. With N//2 zeros around, the size stays.",
    ),
    Misconception(
        "depthwise",
        Depthwise,
        "The kernel is depthwise, (K, 1, N, N). This identity is an ordinary convolution, (K, K, N, N): "
        "its zeros between different channels have gradients too.",
    ),
    Misconception(
        "before the layer",
        Before,
        "The identity stands before the layer. It belongs behind it, where x is the output of the layer.",
    ),
    Misconception(
        "a bias besides",
        Biased,
        "The convolution has a bias too. The weight is all that the identity has: bias=False.",
    ),
    Misconception(
        "no parameter of the net",
        NoParameter,
        "The weight is not among net.parameters(). Make it an nn.Parameter and register it in the net.",
    ),
    Misconception(
        "into the model itself",
        InTheModel,
        "You put the identity into the model that you were given. Put it into a copy: copy.deepcopy(model).",
    ),
)
