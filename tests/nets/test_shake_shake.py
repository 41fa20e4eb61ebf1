"""The Shake-Shake ResNet: its shaken sum, its blocks against sums written out, and Table B.5."""

import pytest
import torch
from torch import nn

from course_lib.nets import count_parameters, mirrored
from course_lib.nets.mirrored import Shake, ShakeShakeBlock, ShakeShakeDecoder, ShakeShakeEncoder
from tests.nets.mirrored_nets import convolution, dense, images, normed, parts, steps


def pair(batch, *shape):
    """A branch of ones and one of zeros, so that what comes out is the weight of the first."""
    a = torch.ones(batch, *shape, dtype=torch.float64, requires_grad=True)
    return a, torch.zeros_like(a, requires_grad=True)


# --- the shaken sum --------------------------------------------------------------------------------------


def test_each_image_has_a_weight_of_its_own():
    a, b = pair(400, 2, 3, 3)
    alpha = Shake()(a, b)
    assert torch.equal(alpha, alpha[:, :1, :1, :1].expand_as(alpha))
    alpha = alpha[:, 0, 0, 0]
    assert alpha.unique().numel() > 390 and alpha.min() > 0 and alpha.max() < 1
    assert abs(alpha.mean() - 1 / 2) < 0.05 and abs(alpha.var() - 1 / 12) < 0.01
    a, b = (torch.randn(400, 2, 3, 3, dtype=torch.float64) for _ in "ab")
    torch.manual_seed(0)
    mixed = Shake()(a, b)
    weight = (mixed - b) / (a - b)
    torch.testing.assert_close(weight, weight[:, :1, :1, :1].expand_as(weight))
    assert (weight > 0).all() and (weight < 1).all()


def test_weights_add_up_to_one():
    a = torch.randn(8, 2, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(Shake()(a, a), a)


def test_the_gradient_has_weights_of_its_own():
    a, b = pair(400, 2, 3, 3)
    alpha = Shake()(a, b)
    upstream = torch.randn_like(alpha)
    alpha.backward(upstream)
    beta = a.grad / upstream
    torch.testing.assert_close(beta, beta[:, :1, :1, :1].expand_as(beta))
    torch.testing.assert_close(a.grad + b.grad, upstream)
    beta, alpha = beta[:, 0, 0, 0], alpha[:, 0, 0, 0].detach()
    assert beta.unique().numel() > 390 and beta.min() > 0 and beta.max() < 1
    assert abs(beta.mean() - 1 / 2) < 0.05 and abs(beta.var() - 1 / 12) < 0.01
    assert abs(torch.corrcoef(torch.stack((alpha, beta)))[0, 1]) < 0.15
    assert (alpha - beta).abs().min() > 0


def test_both_are_drawn_anew_each_time_and_follow_the_seed():
    a, b = pair(5, 2, 3, 3)
    runs = []
    for seed in (0, None, 0):
        if seed is not None:
            torch.manual_seed(seed)
        out = Shake()(a, b)
        if len(runs) == 2:
            torch.manual_seed(9)  # what happens before the backward pass does not matter
        runs.append((out.detach(), *torch.autograd.grad(out.sum(), (a, b))))
    assert not any(torch.equal(x, y) for x, y in zip(runs[0], runs[1]))
    assert all(torch.equal(x, y) for x, y in zip(runs[0], runs[2]))


def test_evaluation_is_the_mean_with_its_own_gradient():
    shake = Shake().eval()
    a, b = (torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True) for _ in "ab")
    random = torch.get_rng_state()
    torch.testing.assert_close(shake(a, b), 0.5 * a + 0.5 * b)
    assert torch.equal(random, torch.get_rng_state()) and torch.autograd.gradcheck(shake, (a, b))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "meta", *(["cuda"] if torch.cuda.is_available() else [])])
def test_type_and_place_stay(dtype, device):
    a = torch.randn(3, 2, 4, 4, device=device, dtype=dtype, requires_grad=True)
    out = Shake()(a, -a)
    out.sum().backward()
    assert out.dtype == a.grad.dtype == dtype and out.device == a.device == a.grad.device


# --- blocks ----------------------------------------------------------------------------------------------


def literal_branch(branch, x):
    """ReLU, convolution, norm, ReLU, convolution, norm."""
    relu1, conv1, norm1, relu2, conv2, norm2 = branch
    assert type(relu1) is type(relu2) is nn.ReLU
    return norm2(conv2(norm1(conv1(x.clamp(min=0))).clamp(min=0)))


@pytest.mark.parametrize("mirrored_", [False, True])
@pytest.mark.parametrize("maps, out, stride", [(4, 4, 1), (4, 6, 1), (4, 6, 2), (4, 4, 2), (6, 4, 2)])
def test_a_block_is_the_sum_of_the_figure(maps, out, stride, mirrored_):
    block = ShakeShakeBlock(maps, out, stride, mirrored=mirrored_).double()
    x = torch.randn(5, maps, 8, 8, dtype=torch.float64)
    side = 8 * stride if mirrored_ else 8 // stride
    kind = nn.ConvTranspose2d if mirrored_ else nn.Conv2d
    for branch in (block.branch1, block.branch2):
        first, second = branch[1], branch[4]
        assert type(first) is type(second) is kind and first.kernel_size == second.kernel_size == (3, 3)
        assert first.bias is second.bias is None
        middle = maps if mirrored_ else out
        assert (first.in_channels, first.out_channels) == (maps, middle)
        assert (second.in_channels, second.out_channels) == (middle, out)
        assert (second if mirrored_ else first).stride == (stride, stride)
        assert (first if mirrored_ else second).stride == (1, 1)
    if maps == out and stride == 1:
        kept = x
        assert not list(block.skip.parameters())
    else:
        conv, norm = block.skip
        assert type(conv) is kind and conv.kernel_size == (1, 1) and conv.bias is None
        kept = norm(conv(x))
    one, two = literal_branch(block.branch1, x), literal_branch(block.branch2, x)
    assert one.shape == two.shape == kept.shape == (5, out, side, side)
    assert block(x).shape == (5, out, side, side)
    block.shake.eval()
    torch.testing.assert_close(block(x), kept + one / 2 + two / 2)
    block.shake.train()
    weight = ((block(x) - kept - two) / (one - two)).flatten(1)
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight), rtol=1e-6, atol=1e-6)
    assert (weight > 0).all() and (weight < 1).all() and weight[:, 0].unique().numel() == 5
    assert not any(torch.equal(p, q) for p, q in zip(block.branch1.parameters(), block.branch2.parameters())
                   if p.ndim == 4)  # fmt: skip


@pytest.mark.parametrize("size", [1, 3])
def test_a_transposed_convolution_is_the_gradient_of_its_convolution(size):
    """The mirror rule: with the same weights, one is the transpose of the other, strides included."""
    block, back = (ShakeShakeBlock(*maps, 2, mirrored=m).double() for maps, m in (((4, 6), 0), ((6, 4), 1)))
    conv, tconv = (block.skip[0], back.skip[0]) if size == 1 else (block.branch1[1], back.branch1[4])
    with torch.no_grad():
        tconv.weight.copy_(conv.weight)
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 6, 4, 4, dtype=torch.float64)
    (expected,) = torch.autograd.grad((conv(x) * y).sum(), x)
    torch.testing.assert_close(tconv(y), expected)


# --- Table B.5 -------------------------------------------------------------------------------------------


def stages(net, *inputs):
    """What comes out of each block, (kind, maps, side), one list for each stage."""
    found, hooks = [], []
    for stage in net.stages:
        found.append([])
        for block in stage:
            hooks.append(
                block.register_forward_hook(
                    lambda _, __, out, row=found[-1]: row.append((out.shape[1], out.shape[2]))
                )
            )
    net(*inputs)
    return found


def test_stages_stand_as_printed():
    """The decoder's rows print the side before a stage, and lack the layer from 16 maps to the picture."""
    with torch.device("meta"):
        family = mirrored.shake_shake()
        encoder, decoder, classifier = (
            family.make_encoder(),
            family.make_decoder("stride"),
            family.make_classifier(),
        )
        x = torch.empty(2, 3, 32, 32)
        h, taps, switches = encoder(x)
        assert stages(encoder, x) == [[(96, 32)] * 4, [(192, 16)] * 4, [(384, 8)] * 4]
        first, shape = steps(encoder, x)[0]
        assert (first.kernel_size, first.bias, shape) == ((3, 3), None, (16, 32, 32))
        assert [tuple(tap.shape[1:]) for tap in taps] == [(16, 32, 32), (96, 32, 32), (192, 16, 16)]
        assert tuple(h.shape[1:]) == (384, 8, 8) and switches == () and classifier(h).shape == (2, 10)
        drawn = stages(decoder, h)
        assert drawn[0] == [(384, 8)] * 3 + [(192, 16)]  # printed: 384 filters, 8x8x192
        assert drawn[1] == [(192, 16)] * 3 + [(96, 32)]  # printed: 192 filters, 16x16x96
        assert drawn[2] == [(96, 32)] * 3 + [(16, 32)]  # printed: 96 filters, 32x32x16
        last, shape = steps(decoder, h)[-1]
        assert (type(last), last.kernel_size, shape) == (nn.ConvTranspose2d, (3, 3), (3, 32, 32))
        picture, redrawn = decoder(h)
        assert picture.shape == x.shape and [t.shape for t in redrawn] == [t.shape for t in taps]
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in encoder.modules()) == 1 + 2 * 24
    assert family.latent == 384 and family.ups == ("stride",) and family.name == "shake_shake"


def by_hand(width, blocks, channels=3):
    """Parameters of encoder and decoder, block by block."""
    encoder = convolution(channels, 16, 3)
    decoder = convolution(16, channels, 3, bias=True)
    for maps, out in ((16, width), (width, 2 * width), (2 * width, 4 * width)):
        encoder += 2 * (normed(maps, out, 3) + normed(out, out, 3)) + normed(maps, out, 1)
        encoder += (blocks - 1) * 2 * 2 * normed(out, out, 3)
        decoder += 2 * (normed(out, out, 3) + normed(out, maps, 3)) + normed(out, maps, 1)
        decoder += (blocks - 1) * 2 * 2 * normed(out, out, 3)
    return encoder, decoder


@pytest.mark.parametrize("options", [{}, {"width": 5, "blocks": 2}, {"width": 32, "blocks": 1}])
def test_it_has_the_parameters_of_its_table(options):
    with torch.device("meta"):
        family = mirrored.shake_shake(7, 1, **options)
        counted = [count_parameters(family.make_encoder()), count_parameters(family.make_decoder("stride"))]
        classifier = count_parameters(family.make_classifier())
    options = {"width": 96, "blocks": 4, **options}
    assert tuple(counted) == by_hand(**options, channels=1) and classifier == dense(4 * options["width"], 7)


def test_it_is_as_large_as_published():
    """26.2 million for a 26 2x96d (Gastaldi 2017)."""
    encoder, decoder = by_hand(96, 4)
    classifier = dense(384, 10)
    with torch.device("meta"):
        assert count_parameters(ShakeShakeEncoder()) == encoder == 26_189_040
        assert count_parameters(ShakeShakeDecoder()) == decoder == 26_186_835
    assert encoder + classifier == 26_192_890 and 2 * encoder + 2 * decoder + classifier == 104_755_600


def test_taps_are_what_the_stages_make():
    encoder, decoder, _ = (part.eval() for part in parts("shake_shake", "stride", blocks=2))
    x = images("shake_shake")
    with torch.no_grad():
        h, taps, _ = encoder(x)
        expected = [encoder.first(x)]
        for stage in encoder.stages:
            expected.append(stage(expected[-1]))
        assert all(torch.equal(a, b) for a, b in zip((*taps, h), expected, strict=True))
        drawn = decoder(h)
        assert type(taps) is type(drawn.taps) is tuple
        for stage, tap in zip(decoder.stages, reversed(drawn.taps), strict=True):
            h = stage(h)
            assert torch.equal(h, tap)
        assert torch.equal(decoder.last(h), drawn.x)


def test_convolutions_start_as_he_says():
    """N(0, 2 / (size² · out)); the last layer, which has no norm after it, starts as torch does."""
    torch.manual_seed(0)
    encoder, decoder = ShakeShakeEncoder(width=32, blocks=1), ShakeShakeDecoder(width=32, blocks=1)
    for net in (encoder, decoder):
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module is not getattr(
                net, "last", None
            ):
                std = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
                tolerance = 4 / (2 * module.weight.numel()) ** 0.5  # four standard errors
                assert abs(module.weight.std() / std - 1) < tolerance
                assert abs(module.weight.mean() / std) < 4 / module.weight.numel() ** 0.5
                assert module.weight.abs().max() > 2 * std  # normal, not uniform
    bound = 1 / (9 * 3) ** 0.5
    assert 0.9 * bound < decoder.last.weight.abs().max() <= bound


def test_training_is_shaken_and_evaluation_is_not():
    encoder, *_ = parts("shake_shake", "stride")
    x = images("shake_shake")
    with torch.no_grad():
        assert not torch.allclose(encoder(x).h, encoder(x).h)
        encoder.eval()
        assert torch.equal(encoder(x).h, encoder(x).h)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"width": 2.5}, {"blocks": 0}])
def test_impossible_numbers_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        mirrored.shake_shake(**wrong)


@pytest.mark.parametrize("shape", [(2, 15, 4, 4), (2, 16, 4), (16, 4, 4), (2, 16, 4, 4, 1)])
def test_what_is_no_latent_is_refused(shape):
    with pytest.raises(ValueError, match=r"h has shape .* takes \(B, 16, h, w\)"):
        ShakeShakeDecoder(width=4, blocks=1)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (3, 8, 8), (2, 3, 8, 8, 1), (2, 3, 10, 8), (2, 3, 8, 10)])
def test_what_are_no_images_is_refused(shape):
    says = r"takes \(B, 3, H, W\)" if len(shape) != 4 or shape[1] != 3 else "takes multiples of 4"
    with pytest.raises(ValueError, match=f"x has s.*{says}"):
        ShakeShakeEncoder(width=4, blocks=1)(torch.zeros(shape))


def test_there_is_one_way_back():
    for up in ("nearest", "unpool"):
        with pytest.raises(ValueError, match=f"up is '{up}', possible are stride"):
            mirrored.shake_shake(width=4, blocks=1).make_decoder(up)
