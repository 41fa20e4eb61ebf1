"""Class sensitivity, one image at a time with SciPy; which classes, what is left out, the model as found."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from course_lib.methods.saliency.aggregation import linear_approximation, normgrad
from course_lib.methods.saliency.capture import capture, class_score
from course_lib.methods.saliency.sensitivity import class_sensitivity, extreme_classes
from course_lib.nets import TinyVGG
from tests.methods.small_nets import DEVICES


class Pooled(nn.Module):
    """Logits by a linear layer on the mean colours: 3 channels, 4 classes."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 4).double()
        generator = torch.Generator().manual_seed(0)
        self.head.weight.data = torch.randn(4, 3, generator=generator, dtype=torch.float64)

    def forward(self, x):
        return self.head(x.mean((2, 3)))


def images(n=6, seed=1, size=(4, 5)):
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def coloured(model, x, y):
    """A map that depends on the class and has signs: the class's weights on the colours."""
    return torch.einsum("bk,bkhw->bhw", model.head.weight[y], x)[:, None]


def literal(fn, model, x, size):
    found = []
    for image in x:
        logits = model(image[None])[0].tolist()
        first, last = logits.index(max(logits)), logits.index(min(logits))
        large = [
            F.interpolate(
                fn(model, image[None], torch.tensor([c])), size, mode="bilinear", align_corners=False
            )
            for c in (first, last)
        ]
        found.append(stats.spearmanr(*(m.detach().flatten().numpy() for m in large)).statistic)
    return found


# --- the classes -----------------------------------------------------------------------------------------


def test_the_likeliest_and_the_least_likely_of_all_classes():
    logits = torch.tensor([[0.1, -4.0, 3.0, 2.0], [5.0, 1.0, 1.0, 0.9], [-3.0, -2.0, -9.0, -9.0]])
    c_max, c_min = extreme_classes(logits)
    assert c_max.tolist() == [2, 0, 1] and c_min.tolist() == [1, 3, 2]
    assert c_max.dtype == c_min.dtype == torch.int64


def test_logits_and_probabilities_agree():
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for found, expected in zip(extreme_classes(logits.softmax(1)), extreme_classes(logits), strict=True):
        assert torch.equal(found, expected)


def test_a_convolutional_net_is_judged_by_the_score_that_is_explained():
    logits = torch.tensor([[[0.0, 0.0, 0.0], [2.0, -9.0, -9.0], [1.5, 1.5, -6.0], [-1.0, -1.0, -1.0]]])
    logits = logits[:, :, None]  # (1, 4, 1, 3)
    scores = [class_score(logits, torch.tensor([c])).item() for c in range(4)]
    c_max, c_min = extreme_classes(logits)
    assert c_max.item() == scores.index(max(scores)) == 2  # though class 1 has the highest single logit
    assert c_min.item() == scores.index(min(scores)) == 3
    assert logits.mean((2, 3)).argmax().item() == 0 and logits.mean((2, 3)).argmin().item() == 1


# --- the measure -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, (9, 7)])
def test_it_is_the_correlation_between_classes_image_by_image(size):
    model, x = Pooled(), images()
    expected = literal(coloured, model, x, size or (4, 5))
    found = class_sensitivity(coloured, model, x, size)
    assert found.each.tolist() == pytest.approx(expected, abs=1e-12)
    assert found.mean == pytest.approx(np.mean(expected)) and found.n_valid == 6
    assert min(expected) < -0.1  # signs of maps count


def test_small_maps_are_ranked_at_the_images_size():
    model, x = Pooled(), images(size=(12, 16))

    def small(model, x, y):
        return F.avg_pool2d(coloured(model, x, y), 4)

    found = class_sensitivity(small, model, x)
    # Along the borders a resized map has equal values, but for rounding.
    assert found.each.tolist() == pytest.approx(literal(small, model, x, (12, 16)), abs=1e-4)
    assert found.mean != pytest.approx(class_sensitivity(small, model, x, (3, 4)).mean, abs=1e-3)
    assert class_sensitivity(small, model, x, 8).mean == class_sensitivity(small, model, x, (8, 8)).mean


def test_blind_and_opposite_methods():
    model, x = Pooled(), images()
    blind = class_sensitivity(lambda model, x, y: x[:, :1], model, x)
    assert blind.mean == 1.0 and blind.each.tolist() == [1.0] * 6
    c_max = extreme_classes(model(x))[0]

    def turned_over(model, x, y):
        return torch.where(y == c_max, 1.0, -1.0)[:, None, None, None] * x[:, :1]

    assert class_sensitivity(turned_over, model, x).mean == -1.0


def test_constant_maps_are_left_out_and_are_no_zeros():
    model, x = Pooled(), images()

    def sometimes_flat(model, x, y):
        maps = coloured(model, x, y).clone()
        maps[1], maps[4, 0, 0, 0] = 0.1, math.nan
        return maps

    every, some = class_sensitivity(coloured, model, x), class_sensitivity(sometimes_flat, model, x)
    kept = [0, 2, 3, 5]
    assert some.n_valid == 4 and some.each.isnan().tolist() == [False, True, False, False, True, False]
    assert some.mean == pytest.approx(every.each[kept].mean().item())
    nothing = class_sensitivity(lambda model, x, y: torch.full((6, 1, 2, 3), 0.1), model, x)
    assert math.isnan(nothing.mean) and nothing.n_valid == 0  # 0.1 everywhere, also once it is resized


def test_layers_by_name_and_batches():
    model, x = Pooled(), images()

    def layers(model, x, y):
        return {"whole": coloured(model, x, y), "half": F.avg_pool2d(coloured(model, x, y), 2)}

    found = class_sensitivity(layers, model, x)
    assert list(found) == ["whole", "half"]
    assert torch.equal(found["whole"].each, class_sensitivity(coloured, model, x).each)
    sizes = []

    def counted(model, x, y):
        sizes.append(len(x))
        return layers(model, x, y)

    for name, at in class_sensitivity(counted, model, x, batch_size=4).items():
        assert torch.allclose(at.each, found[name].each) and at.n_valid == 6
        assert at.mean == pytest.approx(found[name].mean)
    assert sizes == [4, 4, 2, 2]


def test_normgrad_below_a_global_average_pooling_is_blind():
    torch.manual_seed(0)
    net, x = TinyVGG((3, 16, 16)).double(), images(5, size=(16, 16))

    def last(model, x, y):
        at = capture(model, x, y, "body.relu4")["body.relu4"]
        return normgrad(at.x, at.g)

    def approximation(model, x, y):
        at = capture(model, x, y, "body.relu4")["body.relu4"]
        return linear_approximation(at.x, at.g)

    at_its_size = class_sensitivity(last, net, x, (4, 4))
    assert at_its_size.each.tolist() == [1.0] * 5
    assert class_sensitivity(last, net, x).mean == pytest.approx(1, abs=1e-3)
    assert class_sensitivity(approximation, net, x).mean < 0.5


# --- the model as found, refusals ------------------------------------------------------------------------


def test_the_model_is_judged_in_evaluation_mode_and_left_as_found():
    torch.manual_seed(0)
    net = TinyVGG((3, 16, 16)).double()
    net.body.norm2.eval()
    x = images(4, size=(16, 16))
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    asked = []

    def ask(model, x, y):
        asked.append(y)
        return x[:, :1] * (1 + y[:, None, None, None])

    class_sensitivity(ask, net, x, batch_size=3)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    expected = extreme_classes(net.eval()(x))
    assert torch.cat(asked[::2]).tolist() == expected[0].tolist()
    assert torch.cat(asked[1::2]).tolist() == expected[1].tolist()


@pytest.mark.parametrize("device", DEVICES)
def test_devices_and_half_precision(device):
    model, x = Pooled().to(device), images().to(device)
    found = class_sensitivity(lambda *args: coloured(*args).half(), model, x)
    assert found.each.device.type == device and found.each.dtype == torch.float64
    assert found.mean == pytest.approx(class_sensitivity(coloured, model, x).mean, abs=0.02)
    assert not found.each.requires_grad


def short_of_every_second():
    """A method that has a map too few every second time it is asked."""
    asked = []

    def fn(model, x, y):
        asked.append(y)
        return x[len(asked) % 2 == 0 :, :1]

    return fn


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: extreme_classes(torch.zeros(3)), r"logits have shape \(3,\), needed is \(B, C\)"),
        (lambda: extreme_classes(torch.zeros(3, 1)), "with C at least 2"),
        (lambda: extreme_classes(torch.zeros(3, 1, 2, 2)), "with C at least 2"),
        (lambda: extreme_classes(torch.tensor([[0.0, math.nan]])), "logits contain NaN"),
        (lambda: class_sensitivity(coloured, Pooled(), images()[0]), r"x has shape \(3, 4, 5\)"),
        (lambda: class_sensitivity(coloured, Pooled(), images()[:0]), "at least one"),
        (
            lambda: class_sensitivity(lambda model, x, y: x[:2, :1], Pooled(), images()),
            "fn gives 2 maps for 6 images, needed is one for each",
        ),
        (
            lambda: class_sensitivity(short_of_every_second(), Pooled(), images()),
            "fn gives 5 maps for 6 images, needed is one for each",
        ),
        (
            lambda: class_sensitivity(lambda model, x, y: x, Pooled(), images()),
            r"maps have shape \(6, 3, 4, 5\)",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, says):
    with pytest.raises(ValueError, match=says):
        call()
