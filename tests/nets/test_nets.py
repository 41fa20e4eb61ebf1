"""The nets: sizes against counts done by hand, the order of their ReLUs, and the shapes that they refuse."""

import pytest
import torch
from torch import nn

from course_lib import nets

CLASSES = {
    "mlp": nets.MLP,
    "alexnet": nets.AlexNetLike,
    "inception": nets.SmallInception,
    "wideresnet": nets.WideResNet,
    "convnet": nets.SmallConvNet,
}


def dense(inputs, outputs):
    return inputs * outputs + outputs


def conv(inputs, outputs, size, bias):
    return inputs * outputs * size * size + (outputs if bias else 0)


def conv_norm(inputs, outputs, size):  # no bias; scale and shift of the norm
    return conv(inputs, outputs, size, bias=False) + 2 * outputs


def test_names_build_their_classes():
    assert nets.names() == list(CLASSES)
    for name, kind in CLASSES.items():
        assert type(nets.build(name)) is kind


@pytest.mark.parametrize("channels", [1, 3])
def test_mlp_has_the_parameters_of_its_formula(channels):
    by_hand = dense(channels * 28 * 28, 512) + 2 * dense(512, 512) + dense(512, 10)
    assert nets.count_parameters(nets.MLP((channels, 28, 28))) == by_hand
    deep = nets.MLP((channels, 8, 8), 7, width=5, depth=1)
    assert nets.count_parameters(deep) == dense(channels * 64, 5) + dense(5, 7)


def test_mlp_is_as_large_as_published():
    assert nets.count_parameters(nets.MLP()) == 1_735_178  # Zhang et al. 2017, Table 1, "MLP 3x512"
    assert nets.count_parameters(nets.MLP(depth=1)) == 1_209_866  # "MLP 1x512"


@pytest.mark.parametrize("size, side", [(28, 7), (32, 8), (16, 4), (30, 8), (5, 2)])
def test_alexnet_has_the_parameters_of_its_formula(size, side):
    convolutions = conv(3, 64, 5, True) + conv(64, 64, 5, True) + conv(64, 128, 3, True)
    by_hand = convolutions + dense(128 * side * side, 384) + dense(384, 192) + dense(192, 10)
    assert nets.count_parameters(nets.AlexNetLike((3, size, size))) == by_hand
    assert nets.count_parameters(nets.AlexNetLike((3, size, size), response_norm=True)) == by_hand


def test_alexnet_without_its_third_convolution_is_as_large_as_published():
    third = conv(64, 128, 3, True) + (128 - 64) * 7 * 7 * 384
    assert nets.count_parameters(nets.AlexNetLike()) - third == 1_387_786  # Zhang et al. 2017, Table 1


def test_inception_has_the_parameters_of_its_formula():
    by_hand, channels = conv_norm(3, 96, 3), 96
    plan = [(32, 32), (32, 48), 80, (112, 48), (96, 64), (80, 80), (48, 96), 96, (176, 160), (176, 160)]
    for part in plan:
        if isinstance(part, tuple):
            by_hand += conv_norm(channels, part[0], 1) + conv_norm(channels, part[1], 3)
            channels = sum(part)
        else:
            by_hand += conv_norm(channels, part, 3)
            channels += part
    assert channels == 336
    assert nets.count_parameters(nets.SmallInception()) == by_hand + dense(336, 10)


def test_inception_modules_stand_in_the_order_of_the_figure():
    plan = [
        [conv.out_channels for conv in part.modules() if isinstance(conv, nn.Conv2d)]
        for part in nets.SmallInception().body
    ]
    first, middle = [[96], [32, 32], [32, 48], [80]], [[112, 48], [96, 64], [80, 80], [48, 96], [96]]
    assert [sizes for sizes in plan if sizes] == [*first, *middle, [176, 160], [176, 160]]


def test_inception_without_norm_scales_is_as_large_as_published():
    model = nets.SmallInception()
    scales = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert nets.count_parameters(model) - scales == 1_649_402  # Zhang et al. 2017, Table 1


@pytest.mark.parametrize("depth, width", [(16, 4), (10, 1), (22, 2)])
def test_wideresnet_has_the_parameters_of_its_formula(depth, width):
    by_hand, channels = conv(3, 16, 3, False), 16
    for maps in (16 * width, 32 * width, 64 * width):
        for _ in range((depth - 4) // 6):
            by_hand += 2 * channels + conv(channels, maps, 3, False)
            by_hand += 2 * maps + conv(maps, maps, 3, False)
            by_hand += 0 if channels == maps else channels * maps
            channels = maps
    by_hand += 2 * channels + dense(channels, 10)
    assert nets.count_parameters(nets.WideResNet(depth=depth, width=width)) == by_hand


@pytest.mark.parametrize("depth, width, millions", [(40, 4, 8.9), (16, 8, 11.0), (28, 10, 36.5)])
def test_wideresnet_is_as_large_as_published(depth, width, millions):
    """Zagoruyko & Komodakis 2016, the table of results on CIFAR."""
    with torch.device("meta"):
        model = nets.WideResNet(depth=depth, width=width)
    assert round(nets.count_parameters(model) / 1e6, 1) == millions


@pytest.mark.parametrize("size, side", [(16, 2), (28, 3), (32, 4)])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_convnet_has_the_parameters_of_its_formula(size, side, batch_norm):
    if batch_norm:
        body = conv_norm(3, 24, 5) + 2 * conv_norm(24, 24, 3)
    else:
        body = conv(3, 24, 5, True) + 2 * conv(24, 24, 3, True)
    model = nets.SmallConvNet((3, size, size), batch_norm=batch_norm)
    assert nets.count_parameters(model) == body + dense(24 * side * side, 10)


RELUS = {"mlp": 3, "alexnet": 5, "inception": 1 + 2 * 8 + 2, "wideresnet": 2 * 6 + 1, "convnet": 3}
MAPS = {  # channels and sides of what enters the ReLUs, first and last, for (3, 28, 28)
    "mlp": ((512,), (512,)),
    "alexnet": ((64, 28, 28), (192,)),
    "inception": ((96, 28, 28), (160, 7, 7)),
    "wideresnet": ((16, 28, 28), (256, 7, 7)),
    "convnet": ((24, 28, 28), (24, 7, 7)),
}


@pytest.mark.parametrize("name", CLASSES)
def test_each_relu_is_used_once_in_the_order_of_the_modules(name):
    model = nets.build(name).eval()
    relus = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    entered = []
    for relu in relus:
        relu.register_forward_pre_hook(lambda module, args: entered.append((module, args[0].shape)))
    model(torch.zeros(2, 3, 28, 28))
    assert [module for module, _ in entered] == relus
    assert len(relus) == RELUS[name]
    assert not any(relu.inplace for relu in relus)
    assert (tuple(entered[0][1][1:]), tuple(entered[-1][1][1:])) == MAPS[name]


@pytest.mark.parametrize("name", CLASSES)
def test_no_other_rectifier_hides_in_the_forward_pass(name):
    """With the identity for each ReLU module and a mean for each maximum, the net has to be affine."""
    torch.manual_seed(0)
    model = nets.build(name).eval()
    for parent in list(model.modules()):
        for child, module in list(parent.named_children()):
            if isinstance(module, nn.ReLU | nn.MaxPool2d):
                setattr(parent, child, nn.Identity() if isinstance(module, nn.ReLU) else nn.AvgPool2d(
                    module.kernel_size, module.stride, module.padding))  # fmt: skip
    x, y = torch.randn(2, 1, 3, 28, 28).double()
    model.double()
    # What is left is affine: f(x + y) + f(0) = f(x) + f(y).
    zero = torch.zeros_like(x)
    torch.testing.assert_close(model(x + y) + model(zero), model(x) + model(y), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("in_shape", [(1, 28, 28), (3, 32, 32), (3, 16, 20)])
def test_logits_are_the_head_of_the_features(name, in_shape):
    torch.manual_seed(0)
    model = nets.build(name, in_shape=in_shape, num_classes=7).eval()
    x = torch.randn(3, *in_shape)
    features = model.features(x)
    assert features.shape == (3, model.head.in_features)
    assert model.head is list(model.modules())[-1]
    torch.testing.assert_close(model(x), features @ model.head.weight.T + model.head.bias)
    assert model(x).shape == (3, 7)


@pytest.mark.parametrize("name", ["inception", "wideresnet"])
def test_nets_with_a_mean_at_the_end_take_other_sizes(name):
    model = nets.build(name).eval()
    assert model(torch.zeros(1, 3, 32, 40)).shape == (1, 10)


@pytest.mark.parametrize("name", CLASSES)
def test_dropout_acts_where_it_is_told_and_in_training_only(name):
    torch.manual_seed(0)
    plain = nets.build(name, num_classes=4)
    model = nets.build(name, num_classes=4, dropout=0.5)
    model.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 28, 28)
    torch.testing.assert_close(model.eval()(x), plain.eval()(x))
    dropped = (model.train().features(x) == 0).float().mean() - (
        plain.train().features(x) == 0
    ).float().mean()
    assert dropped > 0.1
    assert sum(isinstance(m, nn.Dropout) for m in model.modules()) == {"mlp": 3, "alexnet": 2}.get(name, 1)


def test_wideresnet_block_is_the_sum_of_the_text():
    """The block written out: x + conv(relu(bn(conv(relu(bn(x)))))), the shortcut from the first ReLU."""
    torch.manual_seed(0)
    model = nets.WideResNet(width=1).eval()
    same, changed = model.body.group1_block1, model.body.group2_block1
    x = torch.randn(2, 16, 8, 8)
    assert same.shortcut is None
    branch = same.conv2(torch.relu(same.norm2(same.conv1(torch.relu(same.norm1(x))))))
    torch.testing.assert_close(same(x), x + branch)
    first = torch.relu(changed.norm1(x))
    branch = changed.conv2(torch.relu(changed.norm2(changed.conv1(first))))
    torch.testing.assert_close(changed(x), changed.shortcut(first) + branch)
    assert changed(x).shape == (2, 32, 4, 4)


def test_batch_norm_stands_before_the_relu():
    layers = [type(m).__name__ for m in nets.SmallConvNet(batch_norm=True).body]
    assert layers[:4] == ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]


def test_response_norm_follows_its_formula():
    norm = nets.AlexNetLike(response_norm=True).body.norm1
    x = torch.randn(1, 64, 2, 2, dtype=torch.float64)
    expected = torch.empty_like(x)
    for c in range(64):
        window = x[:, max(c - 4, 0) : c + 5]
        expected[:, c] = x[:, c] / (1 + 0.001 / 9 * (window**2).sum(1)) ** 0.75
    torch.testing.assert_close(norm(x), expected)


def test_gradients_reach_every_parameter():
    for name in CLASSES:
        model = nets.build(name, in_shape=(3, 16, 16))
        model(torch.randn(4, 3, 16, 16)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters()), name


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: nets.build("resnet"), "'resnet'.*mlp, alexnet"),
        (lambda: nets.WideResNet(depth=17), "17.*6n \\+ 4"),
        (lambda: nets.WideResNet(depth=4), "depth is 4"),
        (lambda: nets.WideResNet(width=0), "width is 0"),
        (lambda: nets.SmallConvNet((3, 7, 28)), "at least 8x8"),
        (lambda: nets.AlexNetLike((3, 3, 3)), "at least 4x4"),
        (lambda: nets.SmallInception((3, 3, 3)), "at least 4x4"),
        (lambda: nets.SmallInception(width=0.03), "width is 0.03"),
        (lambda: nets.WideResNet((3, 3, 3)), "at least 4x4"),
        (lambda: nets.MLP((28, 28)), "height, width"),
        (lambda: nets.MLP((0, 28, 28)), "whole numbers from 1"),
        (lambda: nets.MLP(num_classes=0), "num_classes is 0"),
        (lambda: nets.MLP(depth=0), "depth is 0"),
        (lambda: nets.MLP()(torch.zeros(2, 1, 28, 28)), r"\(2, 1, 28, 28\).*\(B, 3, 28, 28\)"),
        (lambda: nets.SmallConvNet()(torch.zeros(3, 28, 28)), r"takes \(B, 3, 28, 28\)"),
        (lambda: nets.WideResNet()(torch.zeros(2, 1, 28, 28)), r"takes \(B, 3, H, W\)"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_count_leaves_buffers_out_and_counts_shared_parameters_once():
    layer = nn.Linear(3, 3, bias=False)
    assert nets.count_parameters(nn.Sequential(layer, nn.BatchNorm1d(3), layer)) == 9 + 6
