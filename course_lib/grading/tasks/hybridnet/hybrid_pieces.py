"""A right answer to hybridnet.conv_large, in pieces that wrong ones replace."""

from types import SimpleNamespace

from torch import nn
from torch.nn import functional as F


class Pieces(nn.Module):
    """All of it right."""

    default = (128, 256, 512)

    def __init__(self, num_classes=10, maps=None):
        super().__init__()
        a, b, c = maps or self.default
        self.encoder_c, self.encoder_u = self.encoder(a, b, c), self.encoder(a, b, c)
        self.decoder_c, self.decoder_u = self.decoder(a, b, c), self.decoder(a, b, c)
        self.classifier = self.head(a, num_classes)
        self.drop = nn.Dropout(0.5)

    def encoder(self, a, b, c):
        top = [
            self.conv(b, c, 3, 0),
            self.conv(c, b, 1, self.padding_1x1()),
            self.conv(b, a, 1, self.padding_1x1()),
        ]
        first = [self.conv(3, a), self.conv(a, a), self.conv(a, a)]
        second = [self.conv(a, b), self.conv(b, b), self.conv(b, b)]
        return nn.ModuleList(nn.Sequential(*each) for each in (first, second, top))

    def decoder(self, a, b, c):
        q = self.padding_1x1()
        top = [self.back(a, b, 1, q), self.back(b, c, 1, q), self.back(c, b, 3, 0)]
        second = [self.back(*io) for io in self.second(a, b)]
        first = [self.back(a, a), self.back(a, a), self.last(a)]
        return nn.ModuleList(nn.Sequential(*each) for each in (top, second, first))

    def second(self, a, b):
        return (b, b), (b, b), (b, a)

    def padding_1x1(self):
        return 0

    def conv(self, i, o, size=3, padding=1):
        return self.finished(nn.Conv2d(i, o, size, padding=padding, bias=False), o)

    def back(self, i, o, size=3, padding=1):
        return self.finished(nn.ConvTranspose2d(i, o, size, padding=padding, bias=False), o)

    def finished(self, conv, maps):
        return nn.Sequential(conv, nn.BatchNorm2d(maps), self.activation())

    def activation(self):
        return nn.LeakyReLU(0.1)

    def last(self, a):
        return nn.ConvTranspose2d(a, 3, 3, padding=1)

    def head(self, a, classes):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(a, classes))

    def encode(self, stages, x):
        taps, switches = [], []
        for stage in stages[:-1]:
            x, where = self.pool(stage(x))
            taps.append(x)
            switches.append(where)
            x = self.drop(x)
        return stages[-1](x), taps, switches

    def pool(self, x):
        return F.max_pool2d(x, 2, return_indices=True)

    def decode(self, stages, h, up):
        taps, x = [], stages[0](h)
        for number, stage in ((1, stages[1]), (0, stages[2])):
            taps.insert(0, x)
            x = stage(up(x, number))
        return x, taps

    def repeat(self, x, switches=None):
        return F.interpolate(x, scale_factor=2)

    def unpool(self, x, where):
        return F.max_unpool2d(x, where, 2)

    def ups(self, switches_c, switches_u):
        """How the two decoders make the maps of a pooling larger."""
        return lambda x, n: self.repeat(x), lambda x, n: self.unpool(x, switches_u[n])

    def forward(self, x):
        h_c, taps_c, switches_c = self.encode(self.encoder_c, x)
        h_u, taps_u, switches_u = self.encode(self.encoder_u, x)
        up_c, up_u = self.ups(switches_c, switches_u)
        x_c, mirrored_c = self.decode(self.decoder_c, h_c, up_c)
        x_u, mirrored_u = self.decode(self.decoder_u, h_u, up_u)
        return SimpleNamespace(
            logits=self.logits(h_c, h_u), h_c=h_c, h_u=h_u,
            x_c=x_c, x_u=x_u, x_hat=self.fused(x_c, x_u),
            taps_c=self.pairs(taps_c, mirrored_c), taps_u=self.pairs(taps_u, mirrored_u),
        )  # fmt: skip

    def fused(self, x_c, x_u):
        return x_c + x_u

    def pairs(self, taps, mirrored):
        return list(zip(taps, mirrored))

    def logits(self, h_c, h_u):
        return self.classifier(h_c)

    def classify(self, x):
        return self.classifier(self.encode(self.encoder_c, x)[0])
