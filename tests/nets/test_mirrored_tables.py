"""The mirrored nets that are lists of convolutions, held layer by layer to the tables that print them.

Rows are (kind, maps, filter, padding, side that comes out), as in Robert 2019, Tables B.1 and B.3 and
Fig. 3.7. Two things differ from the print: 1x1 convolutions have no padding where Table 3.3 says 1, and the
last layer of a decoder, as that of Table B.3's classifier, has neither batch norm nor activation.
"""

import pytest
import torch
from torch import nn

from course_lib.nets import count_parameters, mirrored
from course_lib.nets.mirrored.convs import Conv, Pool
from tests.nets.mirrored_nets import convolution, dense, normed, parts, small, steps

CONV, TCONV, POOL, DROP, UP = "conv", "tconv", "pool", "drop", "up"
KINDS = {nn.Conv2d: CONV, nn.ConvTranspose2d: TCONV, nn.MaxPool2d: POOL, nn.Dropout: DROP,
         nn.Upsample: UP, nn.MaxUnpool2d: UP, nn.AdaptiveAvgPool2d: "mean", nn.Linear: "dense"}  # fmt: skip


def same(kind, maps, side, size=3):
    return (kind, maps, size, size // 2, side)


def plain(kind, maps, side):
    return (kind, maps, side)


PRINTED = {
    "conv_large": (32, [
        *[same(CONV, 128, 32)] * 3, plain(POOL, 128, 16), plain(DROP, 128, 16),
        *[same(CONV, 256, 16)] * 3, plain(POOL, 256, 8), plain(DROP, 256, 8),
        (CONV, 512, 3, 0, 6), same(CONV, 256, 6, 1), same(CONV, 128, 6, 1),
    ], [
        same(TCONV, 256, 6, 1), same(TCONV, 512, 6, 1), (TCONV, 256, 3, 0, 8), plain(UP, 256, 16),
        same(TCONV, 256, 16), same(TCONV, 256, 16), same(TCONV, 128, 16), plain(UP, 128, 32),
        same(TCONV, 128, 32), same(TCONV, 128, 32), same(TCONV, 3, 32),
    ], [plain("mean", 128, 1), ("dense", 10)]),
    "conv_stl": (96, [
        *[same(CONV, 64, 96)] * 2, plain(POOL, 64, 48), *[same(CONV, 128, 48)] * 2, plain(POOL, 128, 24),
        *[same(CONV, 256, 24)] * 2, plain(POOL, 256, 12), same(CONV, 256, 12), plain(POOL, 256, 6),
    ], [
        plain(UP, 256, 12), same(TCONV, 256, 12), plain(UP, 256, 24), same(TCONV, 256, 24),
        same(TCONV, 128, 24), plain(UP, 128, 48), same(TCONV, 128, 48), same(TCONV, 64, 48),
        plain(UP, 64, 96), same(TCONV, 64, 96), same(TCONV, 3, 96),
    ], [
        (CONV, 512, 4, 0, 3), plain(DROP, 512, 3), same(CONV, 512, 3, 1), plain(DROP, 512, 3),
        same(CONV, 10, 3, 1), plain("mean", 10, 1),
    ]),
    "conv_shade": (32, [
        same(CONV, 64, 32, 5), plain(POOL, 64, 16), same(CONV, 64, 16), plain(POOL, 64, 8),
        same(CONV, 64, 8), plain(POOL, 64, 4),
    ], [
        plain(UP, 64, 8), same(TCONV, 64, 8), plain(UP, 64, 16), same(TCONV, 64, 16), plain(UP, 64, 32),
        same(TCONV, 3, 32, 5),
    ], [("dense", 10)]),
    "conv_small": (16, [
        same(CONV, 16, 16), plain(POOL, 16, 8), plain(DROP, 16, 8), same(CONV, 32, 8), plain(POOL, 32, 4),
        plain(DROP, 32, 4), same(CONV, 32, 4),
    ], [
        same(TCONV, 32, 4), plain(UP, 32, 8), same(TCONV, 16, 8), plain(UP, 16, 16), same(TCONV, 3, 16),
    ], [plain("mean", 32, 1), ("dense", 10)]),
}  # fmt: skip
NORM = {"conv_large": nn.LeakyReLU, "conv_small": nn.LeakyReLU, "conv_stl": nn.ELU, "conv_shade": None}


def rows(net, *inputs):
    """What stands in a table: the layers, without batch norms and activations."""
    found = []
    for module, shape in steps(net, *inputs):
        kind = KINDS.get(type(module))
        if kind in (CONV, TCONV):
            assert module.stride == (1, 1) and module.groups == 1
            found.append((kind, shape[0], module.kernel_size[0], module.padding[0], shape[1]))
        elif kind == "dense":
            found.append((kind, *shape))
        elif kind:
            found.append((kind, shape[0], shape[1]))
        assert len(shape) == 1 or shape[1] == shape[2]
    return found


@pytest.mark.parametrize("up", ["nearest", "unpool"])
@pytest.mark.parametrize("name", PRINTED)
def test_layers_stand_as_printed(name, up):
    side, encoder, decoder, classifier = PRINTED[name]
    with torch.device("meta"):
        family = mirrored.build(name)
        e, d, c = family.make_encoder(), family.make_decoder(up), family.make_classifier()
        x = torch.empty(2, 3, side, side)
        h, taps, switches = e(x)
        assert (family.name, family.latent, family.ups) == (name, h.shape[1], ("nearest", "unpool"))
        assert rows(e, x) == encoder and rows(d, h, switches) == decoder and rows(c, h) == classifier
        assert c(h).shape == (2, 10)
    # A tap is what leaves a pooling, and what enters its counterpart; an end that is h itself is none.
    pools = [row[1:] for row in encoder if row[0] == POOL]
    wanted = pools[:-1] if encoder[-1][0] == POOL else pools
    assert [(tap.shape[1], tap.shape[2]) for tap in taps] == wanted
    assert [tuple(where.shape[1:3]) for where in switches] == pools


@pytest.mark.parametrize("name", PRINTED)
def test_what_follows_a_convolution(name):
    encoder, decoder, classifier = parts(name, "unpool", dtype=torch.float32)
    for net, linear_end in ((encoder, False), (decoder, True), (classifier, True)):
        kinds = [type(m) for m in net.modules() if not list(m.children())]
        convs = [m for m in net.modules() if type(m) in (nn.Conv2d, nn.ConvTranspose2d)]
        places = [i for i, kind in enumerate(kinds) if kind in (nn.Conv2d, nn.ConvTranspose2d)]
        activation = NORM[name]
        after = [nn.BatchNorm2d, activation] if activation else [nn.ReLU]
        for conv, place in zip(convs, places):
            if linear_end and conv is convs[-1]:
                assert conv.bias is not None
                assert not {nn.BatchNorm2d, nn.ReLU, nn.ELU, nn.LeakyReLU} & set(kinds[place:])
            else:
                assert kinds[place + 1 : place + 1 + len(after)] == after
                assert (conv.bias is None) == bool(activation)
        for module in net.modules():
            if isinstance(module, nn.LeakyReLU):
                assert module.negative_slope == 0.1
    drops = [m.p for net in (encoder, classifier) for m in net.modules() if isinstance(m, nn.Dropout)]
    assert drops == {"conv_shade": [], "conv_small": [0.3, 0.3]}.get(name, [0.5, 0.5])
    assert not any(isinstance(m, nn.Dropout) for m in decoder.modules())


def counts(name, channels=3, **options):
    with torch.device("meta"):
        family = mirrored.build(name, in_channels=channels, **options)
        made = family.make_encoder(), family.make_decoder("nearest"), family.make_classifier()
    return tuple(count_parameters(part) for part in made)


def test_conv_large_has_the_parameters_of_its_table():
    first = normed(3, 128, 3) + 2 * normed(128, 128, 3)
    second = normed(128, 256, 3) + 2 * normed(256, 256, 3)
    encoder = first + second + normed(256, 512, 3) + normed(512, 256, 1) + normed(256, 128, 1)
    back = normed(128, 256, 1) + normed(256, 512, 1) + normed(512, 256, 3)
    back += 2 * normed(256, 256, 3) + normed(256, 128, 3)
    decoder = back + 2 * normed(128, 128, 3) + convolution(128, 3, 3, bias=True)
    assert counts("conv_large") == (encoder, decoder, dense(128, 10))
    assert counts("conv_large") == (3_120_512, 3_120_259, 1_290)
    assert 2 * encoder + 2 * decoder + dense(128, 10) == 12_482_832


def test_conv_stl_has_the_parameters_of_its_table():
    pairs = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    encoder = sum(normed(a, b, 3) for a, b in pairs)
    decoder = sum(normed(b, a, 3) for a, b in pairs[1:]) + convolution(64, 3, 3, bias=True)
    classifier = normed(256, 512, 4) + normed(512, 512, 1) + convolution(512, 10, 1, bias=True)
    assert counts("conv_stl") == (encoder, decoder, classifier) == (1_736_640, 1_736_131, 2_366_474)
    assert 2 * encoder + 2 * decoder + classifier == 9_312_016


def test_conv_shade_has_the_parameters_of_its_figure():
    middle = 2 * convolution(64, 64, 3, bias=True)
    encoder = convolution(3, 64, 5, bias=True) + middle
    decoder = middle + convolution(64, 3, 5, bias=True)
    assert counts("conv_shade") == (encoder, decoder, dense(1024, 10))
    assert counts("conv_shade", side=16)[2] == dense(256, 10)
    assert counts("conv_shade", side=40, num_classes=7)[2] == dense(64 * 25, 7)


@pytest.mark.parametrize("channels, width, classes", [(3, 16, 10), (1, 5, 4)])
def test_conv_small_has_the_parameters_of_its_plan(channels, width, classes):
    w = 2 * width
    encoder = normed(channels, width, 3) + normed(width, w, 3) + normed(w, w, 3)
    decoder = normed(w, w, 3) + normed(w, width, 3) + convolution(width, channels, 3, bias=True)
    found = counts("conv_small", channels, width=width, num_classes=classes)
    assert found == (encoder, decoder, dense(w, classes))


@pytest.mark.parametrize("name, latent", [("conv_large", 128), ("conv_stl", 256)])
def test_width_is_a_factor_and_leaves_a_map_at_least(name, latent):
    for width, expected in ((1.0, latent), (0.25, latent // 4), (0.7, round(0.7 * latent)), (1e-4, 1)):
        family = mirrored.build(name, width=width)
        with torch.device("meta"):
            h = family.make_encoder()(torch.empty(1, 3, 32, 32)).h
            d = family.make_decoder("nearest")(h)
        assert family.latent == h.shape[1] == expected and d.x.shape[1] == 3


def test_dropout_is_a_choice_of_the_small_one():
    drops = [
        m for m in small("conv_small", dropout=0.6).make_encoder().modules() if isinstance(m, nn.Dropout)
    ]
    assert [drop.p for drop in drops] == [0.6, 0.6]


def test_a_tap_stands_before_the_dropout():
    torch.manual_seed(0)
    encoder = mirrored.build("conv_small", dropout=0.99).make_encoder()
    e = encoder(torch.randn(8, 3, 16, 16))
    assert all((tap != 0).float().mean() > 0.9 for tap in e.taps)


def test_a_list_of_layers_may_change_afterwards():
    layers = [Conv(4), Pool(), Conv(6)]
    encoder, decoder = mirrored.ConvEncoder(layers), mirrored.ConvDecoder(layers)
    layers.clear()
    e = encoder(torch.zeros(1, 3, 8, 8))
    assert e.h.shape == (1, 6, 4, 4) and decoder(e.h).x.shape == (1, 3, 8, 8)


@pytest.mark.parametrize("name", ["conv_shade", "conv_small"])
@pytest.mark.parametrize("width", [0, 1.5])
def test_impossible_widths_are_refused(name, width):
    with pytest.raises(ValueError, match=f"width is {width}"):
        mirrored.build(name, width=width)


def test_the_sentence_names_the_multiple():
    for name, multiple in (("conv_large", 4), ("conv_stl", 16), ("conv_shade", 8), ("conv_small", 4)):
        with pytest.raises(ValueError, match=f"maps of .*multiples of {multiple}\\."):
            small(name).make_encoder()(torch.zeros(1, 3, 22, 22))
