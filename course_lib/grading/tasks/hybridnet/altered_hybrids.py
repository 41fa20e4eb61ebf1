"""HybridNets made of ConvLarge that are wrong: each replaces a piece or two of a right one."""

from torch import nn
from torch.nn import functional as F

from course_lib.grading.tasks.hybridnet.hybrid_pieces import Pieces


class TiedEncoders(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.encoder_u = self.encoder_c


class TiedDecoders(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.decoder_u = self.decoder_c


class UnpoolsBoth(Pieces):
    def ups(self, switches_c, switches_u):
        return lambda x, n: self.unpool(x, switches_c[n]), lambda x, n: self.unpool(x, switches_u[n])


class UnpoolsInC(Pieces):
    def ups(self, switches_c, switches_u):
        return lambda x, n: self.unpool(x, switches_c[n]), lambda x, n: self.repeat(x)


class UnpoolsInCWithU(Pieces):
    def ups(self, switches_c, switches_u):
        up = lambda x, n: self.unpool(x, switches_u[n])
        return up, up


class OtherSwitches(Pieces):
    def ups(self, switches_c, switches_u):
        return lambda x, n: self.repeat(x), lambda x, n: self.unpool(x, switches_c[n])


class RepeatsBoth(Pieces):
    def ups(self, switches_c, switches_u):
        return lambda x, n: self.repeat(x), lambda x, n: self.repeat(x)


class Bilinear(Pieces):
    def repeat(self, x, switches=None):
        return F.interpolate(x, scale_factor=2, mode="bilinear")


class PaddedOnes(Pieces):
    def padding_1x1(self):
        return 1


class KeepsTheSide(Pieces):
    """The 3x3 convolutions to and from 512 maps keep the side too."""

    def conv(self, i, o, size=3, padding=1):
        return super().conv(i, o, size, size // 2)

    def back(self, i, o, size=3, padding=1):
        return super().back(i, o, size, size // 2)


class FinishedPicture(Pieces):
    def last(self, a):
        return self.back(a, 3)


class ActivatedPicture(Pieces):
    def last(self, a):
        return nn.Sequential(super().last(a), self.activation())


class SquashedPicture(Pieces):
    def last(self, a):
        return nn.Sequential(super().last(a), nn.Tanh())


class NoBias(Pieces):
    def last(self, a):
        return nn.ConvTranspose2d(a, 3, 3, padding=1, bias=False)


class Biased(Pieces):
    def conv(self, i, o, size=3, padding=1):
        return self.finished(nn.Conv2d(i, o, size, padding=padding), o)

    def back(self, i, o, size=3, padding=1):
        return self.finished(nn.ConvTranspose2d(i, o, size, padding=padding), o)


class PlainConvolutions(Pieces):
    def back(self, i, o, size=3, padding=1):
        return self.finished(nn.Conv2d(i, o, size, padding=size - 1 - padding, bias=False), o)

    def last(self, a):
        return nn.Conv2d(a, 3, 3, padding=1)


class ReLU(Pieces):
    def activation(self):
        return nn.ReLU()


class SmallSlope(Pieces):
    def activation(self):
        return nn.LeakyReLU()


class ActivationFirst(Pieces):
    def finished(self, conv, maps):
        return nn.Sequential(conv, self.activation(), nn.BatchNorm2d(maps))


class NoNorm(Pieces):
    def finished(self, conv, maps):
        return nn.Sequential(conv, self.activation())


class TooEarly(Pieces):
    """The decoder's second stage goes to a maps in its first convolution."""

    def second(self, a, b):
        return (b, a), (a, a), (a, a)


class NoDropout(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.drop = nn.Identity()


class WholeMaps(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.drop = nn.Dropout2d(0.5)


class DropoutFirst(Pieces):
    def encode(self, stages, x):
        stages = [nn.Sequential(stage, self.drop) for stage in stages[:-1]] + [stages[-1]]
        return Undropped.encode(self, stages, x)


class Undropped(Pieces):
    """An encoder without any dropout of its own."""

    def encode(self, stages, x):
        taps, switches = [], []
        for stage in stages[:-1]:
            x, where = self.pool(stage(x))
            taps.append(x)
            switches.append(where)
        return stages[-1](x), taps, switches


class TapsDropped(Pieces):
    def encode(self, stages, x):
        taps, switches = [], []
        for stage in stages[:-1]:
            x, where = self.pool(stage(x))
            x = self.drop(x)
            taps.append(x)
            switches.append(where)
        return stages[-1](x), taps, switches


class DecodersDrop(Pieces):
    def decode(self, stages, h, up):
        return super().decode(stages, h, lambda x, n: self.drop(up(x, n)))


class TapsAbove(Pieces):
    """The decoder's taps are what comes out of the upsampling."""

    def decode(self, stages, h, up):
        taps, x = [], stages[0](h)
        for number, stage in ((1, stages[1]), (0, stages[2])):
            x = up(x, number)
            taps.insert(0, x)
            x = stage(x)
        return x, taps


class TapsTurned(Pieces):
    def pairs(self, taps, mirrored):
        return super().pairs(taps, mirrored)[::-1]


class DecoderFirst(Pieces):
    def pairs(self, taps, mirrored):
        return list(zip(mirrored, taps))


class SumOfLatents(Pieces):
    def logits(self, h_c, h_u):
        return self.classifier(h_c + h_u)


class Probabilities(Pieces):
    def head(self, a, classes):
        return nn.Sequential(*super().head(a, classes), nn.Softmax(1))


class MaxHead(Pieces):
    def head(self, a, classes):
        return nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(a, classes))


class Mean(Pieces):
    def fused(self, x_c, x_u):
        return (x_c + x_u) / 2


class ClassifyRunsAll(Pieces):
    def classify(self, x):
        return self(x).logits
