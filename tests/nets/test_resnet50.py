"""ResNet-50 and its mirror image: against torchvision's, weights from files, counts done by hand."""

import collections

import pytest
import torch
from torch import nn
from torchvision.models import resnet50 as torchvisions

from course_lib.nets import count_parameters, mirrored
from course_lib.nets.mirrored import ResNetDecoder, ResNetEncoder
from course_lib.nets.mirrored.resnet50 import MirroredBottleneck, read_weights
from tests.nets.mirrored_nets import convolution, dense, images, normed, parts, steps

NARROW = {"width": 4, "blocks": (1, 1, 1, 1)}


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    net = torchvisions(num_classes=6).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.weight, 0.5, 1)
    return net


# --- the encoder -----------------------------------------------------------------------------------------


def test_it_is_torchvisions_with_another_pooling(resnet, tmp_path):
    torch.save(resnet.state_dict(), tmp_path / "weights.pt")
    encoder = mirrored.resnet50(pretrained=tmp_path / "weights.pt").make_encoder().eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected, h = [], nn.functional.max_pool2d(resnet.relu(resnet.bn1(resnet.conv1(x))), 2)
        for stage in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            expected.append(h)
            h = stage(h)
        e = encoder(x)
    torch.testing.assert_close(e.h, h)
    for tap, other in zip(e.taps, expected, strict=True):
        torch.testing.assert_close(tap, other)
    assert [tuple(where.shape) for where in e.switches] == [(1, 64, 16, 16)]


def test_shapes_at_the_size_of_the_thesis():
    with torch.device("meta"):
        family = mirrored.resnet50()
        encoder, x = family.make_encoder(), torch.empty(2, 3, 224, 224)
        h, taps, switches = encoder(x)
        assert tuple(h.shape) == (2, 2048, 7, 7) and family.latent == 2048 and family.name == "resnet50"
        sides = [(64, 56), (256, 56), (512, 28), (1024, 14)]
        assert [(tap.shape[1], tap.shape[2]) for tap in taps] == sides
        assert [tuple(where.shape) for where in switches] == [(2, 64, 56, 56)]
        for up in ("nearest", "unpool"):
            decoder = family.make_decoder(up)
            picture, redrawn = decoder(h, switches)
            assert picture.shape == x.shape and [t.shape for t in redrawn] == [t.shape for t in taps]
            (_, pooled), (last, shape) = steps(decoder, h, switches)[-2:]
            assert pooled == (64, 112, 112) and shape == (3, 224, 224)
            assert (type(last), last.kernel_size, last.stride) == (nn.ConvTranspose2d, (7, 7), (2, 2))
        assert family.make_classifier()(h).shape == (2, 10)


def bottleneck(maps, inner, out):
    return normed(maps, inner, 1) + normed(inner, inner, 3) + normed(inner, out, 1)


def by_hand(width=64, blocks=(3, 4, 6, 3), channels=3):
    """Parameters of encoder and decoder: the stem, then four stages with one block that changes the maps."""
    encoder = normed(channels, width, 7)
    decoder = convolution(width, channels, 7, bias=True)
    maps = width
    for times, number in zip((1, 2, 4, 8), blocks):
        inner, out = width * times, 4 * width * times
        rest = (number - 1) * bottleneck(out, inner, out)
        encoder += bottleneck(maps, inner, out) + normed(maps, out, 1) + rest
        decoder += bottleneck(out, inner, maps) + normed(out, maps, 1) + rest
        maps = out
    return encoder, decoder


@pytest.mark.parametrize(
    "channels, options", [(3, {}), (1, NARROW), (3, {"width": 8, "blocks": (2, 1, 3, 2)})]
)
def test_it_has_the_parameters_of_its_plan(channels, options):
    with torch.device("meta"):
        family = mirrored.resnet50(7, channels, **options)
        nets = family.make_encoder(), family.make_decoder("unpool"), family.make_classifier()
        counted = tuple(count_parameters(net) for net in nets)
    width = options.get("width", 64)
    assert counted == (*by_hand(**options, channels=channels), dense(32 * width, 7))


def test_it_is_as_large_as_published():
    """ResNet-50 has 25,557,032 parameters, 2,049,000 of them in its dense layer for 1000 classes."""
    encoder, decoder = by_hand()
    with torch.device("meta"):
        assert count_parameters(ResNetEncoder()) == encoder == 25_557_032 - dense(2048, 1000)
        assert count_parameters(ResNetDecoder()) == decoder == 23_499_971
        assert count_parameters(torchvisions()) == 25_557_032
    assert encoder + dense(2048, 10) == 23_528_522
    assert 2 * encoder + 2 * decoder + dense(2048, 10) == 94_036_496


def test_convolutions_start_as_torchvisions_do():
    torch.manual_seed(0)
    nets = ResNetEncoder(width=16, blocks=(1, 1, 1, 1)), ResNetDecoder(width=16, blocks=(1, 1, 1, 1))
    for net in nets:
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module is not getattr(
                net, "last", None
            ):
                std = (2 / (module.kernel_size[0] ** 2 * module.out_channels)) ** 0.5
                assert abs(module.weight.std() / std - 1) < 4 / (2 * module.weight.numel()) ** 0.5
    bound = 1 / (49 * 3) ** 0.5
    assert 0.9 * bound < nets[1].last.weight.abs().max() <= bound


# --- the decoder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("maps, out, stride", [(8, 8, 1), (8, 4, 1), (8, 4, 2)])
def test_a_mirrored_bottleneck_is_the_sum_of_its_parts(maps, out, stride):
    block = MirroredBottleneck(maps, out, stride).double()
    x = torch.randn(3, maps, 5, 5, dtype=torch.float64)
    conv1, norm1, _, conv2, norm2, _, conv3, norm3 = block.branch
    h = norm1(conv1(x)).clamp(min=0)
    h = norm2(conv2(h)).clamp(min=0)
    kept = x if maps == out else block.skip[1](block.skip[0](x))
    torch.testing.assert_close(block(x), (kept + norm3(conv3(h))).clamp(min=0))
    assert block(x).shape == (3, out, 5 * stride, 5 * stride)
    assert [conv.kernel_size[0] for conv in (conv1, conv2, conv3)] == [1, 3, 1]
    assert [conv.stride[0] for conv in (conv1, conv2, conv3)] == [1, stride, 1]
    assert (conv2.in_channels, conv2.out_channels) == (maps // 4, maps // 4)
    assert all(type(conv) is nn.ConvTranspose2d and conv.bias is None for conv in (conv1, conv2, conv3))
    assert isinstance(block.skip, nn.Identity) == (maps == out)


def test_only_the_last_block_of_a_stage_changes_the_shape():
    decoder = ResNetDecoder(width=4, blocks=(2, 1, 3, 2))
    h = torch.randn(2, 128, 2, 2)
    shapes = []
    for stage in decoder.stages:
        for block in stage:
            h = block(h)
            shapes.append(tuple(h.shape[1:3]))
    assert shapes == [(128, 2), (64, 4), (64, 4), (64, 4), (32, 8), (16, 16), (16, 16), (4, 16)]


@pytest.mark.parametrize("up", ["nearest", "unpool"])
def test_taps_are_what_the_stages_make(up):
    encoder, decoder, _ = (part.eval() for part in parts("resnet50", up))
    with torch.no_grad():
        e = encoder(images("resnet50"))
        drawn, h = decoder(e.h, e.switches), e.h
        assert [type(kept) for kept in (e.taps, e.switches, drawn.taps)] == [tuple] * 3
        for stage, tap in zip(decoder.stages, reversed(drawn.taps), strict=True):
            h = stage(h)
            assert torch.equal(h, tap)
        h = nn.functional.max_unpool2d(h, *e.switches, 2) if up == "unpool" else h.repeat_interleave(
            2, 2).repeat_interleave(2, 3)  # fmt: skip
        torch.testing.assert_close(decoder.last(h), drawn.x)


def test_windows_of_the_torchvision_stem_overlap():
    """Why the pooling is another one: with 3x3 windows one place is the maximum of several."""
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 3, 3] = 1
    torchvision_pool = nn.MaxPool2d(3, 2, 1, return_indices=True)
    assert (torchvision_pool(x)[1] == 21).sum() == 4
    assert (parts("resnet50")[0].maxpool(x)[1] == 21).sum() == 1


# --- weights from a file ---------------------------------------------------------------------------------


def test_a_checkpoint_of_places(tmp_path):
    """It holds the weights under "state_dict", with "module." before each name and 365 classes."""
    family = mirrored.resnet50(**NARROW)
    source = family.make_encoder()
    with torch.no_grad():
        source.bn1.running_mean.fill_(3)
    named = {f"module.{name}": value for name, value in source.state_dict().items()}
    named |= {"module.fc.weight": torch.zeros(365, 128), "module.fc.bias": torch.zeros(365)}
    torch.save({"arch": "resnet50", "epoch": 9, "state_dict": named}, tmp_path / "places.pth.tar")
    random = torch.get_rng_state()
    family = mirrored.resnet50(pretrained=str(tmp_path / "places.pth.tar"), **NARROW)
    assert torch.equal(random, torch.get_rng_state())
    for encoder in (family.make_encoder(), family.make_encoder()):
        assert encoder is not source
        for name, value in source.state_dict().items():
            assert torch.equal(value, encoder.state_dict()[name]), name
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(1)  # the other one keeps the file's
    assert set(read_weights(tmp_path / "places.pth.tar")) == set(source.state_dict())


def test_weights_without_counters(tmp_path):
    """Files of before 2018 lack the norms' numbers of batches."""
    source = mirrored.resnet50(**NARROW).make_encoder()
    named = {name: value for name, value in source.state_dict().items() if "num_batches" not in name}
    named = collections.OrderedDict(named)
    torch.save(named, tmp_path / "old.pt")
    encoder = mirrored.resnet50(pretrained=tmp_path / "old.pt", **NARROW).make_encoder()
    assert torch.equal(encoder.layer4[0].conv3.weight, source.layer4[0].conv3.weight)


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "file.pt"
    with pytest.raises(FileNotFoundError):
        mirrored.resnet50(pretrained=path)
    for content in (b"", b"no weights at all"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="file.pt is no file of weights that torch can read"):
            mirrored.resnet50(pretrained=path)
    for content in ([torch.zeros(2)], {"a": 1}, {"state_dict": [1]}, torch.zeros(2)):
        torch.save(content, path)
        with pytest.raises(ValueError, match="file.pt does not hold weights by their names"):
            mirrored.resnet50(pretrained=path)
    torch.save(mirrored.resnet50(width=8, blocks=(1, 1, 1, 1)).make_encoder().state_dict(), path)
    with pytest.raises(ValueError, match="file.pt do not fit this encoder: .*size mismatch") as told:
        mirrored.resnet50(pretrained=path, **NARROW).make_encoder()
    assert "\n" not in str(told.value)
    torch.save({"conv1.weight": torch.zeros(4, 3, 7, 7)}, path)
    with pytest.raises(ValueError, match="do not fit .*Missing key"):
        mirrored.resnet50(pretrained=path, **NARROW).make_encoder()


class Trap:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_a_file_cannot_run_code(tmp_path):
    torch.save({"conv1.weight": Trap(tmp_path / "mark")}, tmp_path / "trap.pt")
    with pytest.raises(ValueError, match="trap.pt is no file of weights that torch can read"):
        mirrored.resnet50(pretrained=tmp_path / "trap.pt")
    assert not (tmp_path / "mark").exists()


# --- what cannot be --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"width": 0}, "width is 0"),
        ({"blocks": (3, 4, 6)}, r"blocks is \(3, 4, 6\)"),
        ({"blocks": (3, 4, 6, 0)}, "blocks is 0"),
        ({"blocks": [3, 4, 6, 3, 3]}, "blocks is"),
    ],
)
def test_impossible_numbers_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        mirrored.resnet50(**wrong)


@pytest.mark.parametrize("shape", [(2, 127, 2, 2), (2, 128, 2), (128, 2, 2)])
def test_what_is_no_latent_is_refused(shape):
    with pytest.raises(ValueError, match=r"h has shape .* takes \(B, 128, h, w\)"):
        ResNetDecoder(**NARROW)(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (3, 32, 32), (2, 3, 48, 32), (2, 3, 32, 48)])
def test_what_are_no_images_is_refused(shape):
    says = "takes multiples of 32" if shape[:2] == (2, 3) else r"takes \(B, 3, H, W\)"
    with pytest.raises(ValueError, match=says):
        ResNetEncoder(**NARROW)(torch.zeros(shape))


def test_switches_are_those_of_the_stem():
    encoder, decoder, _ = parts("resnet50", "unpool")
    e = encoder(images("resnet50"))
    for wrong in ((), e.switches * 2):
        with pytest.raises(ValueError, match=f"switches are {len(wrong)}, needed is one"):
            decoder(e.h, wrong)
    with pytest.raises(ValueError, match="up is 'stride', possible are nearest, unpool"):
        mirrored.resnet50(**NARROW).make_decoder("stride")
