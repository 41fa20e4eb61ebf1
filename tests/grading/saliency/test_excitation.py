"""The task saliency.excitation: five ways to send probabilities back pass, and each slip is told apart."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.grading.tasks.saliency.excitation import TASK, oracle, use
from course_lib.grading.tasks.saliency.excitation_pieces import exciting
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def share(p, z):
    return (p / z).nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def with_matrices(layers, x, y, stop, contrastive=False):
    """Every layer that sums becomes a matrix, column by column; no autograd at all."""
    modes = {layer: layer.training for layer in layers}
    with torch.no_grad():
        inputs = []
        for layer in layers:
            inputs.append(x.clone())
            x = layer.train(False)(x.clone())
        for layer, mode in modes.items():
            layer.train(mode)

        def matrix(layer, shape, sign):
            units = torch.eye(shape.numel(), dtype=x.dtype, device=x.device).reshape(-1, *shape)
            if isinstance(layer, nn.Conv2d):
                weight = torch.relu(sign * layer.weight)
                columns = torch.conv2d(units, weight, stride=layer.stride, padding=layer.padding)
            else:
                columns = layer(units)
            return columns.flatten(1).T  # (out, in)

        def back(n, p, sign):
            layer, given = layers[n], inputs[n]
            if isinstance(layer, nn.MaxPool2d):
                _, places = F.max_pool2d(given, layer.kernel_size, layer.stride, return_indices=True)
                to = torch.zeros_like(given).flatten(2)
                return to.scatter_add(2, places.flatten(2), p.flatten(2)).reshape(given.shape)
            if isinstance(layer, nn.Linear):
                w = (sign * layer.weight).clamp(min=0)
            elif isinstance(layer, nn.Conv2d | nn.AvgPool2d):
                w = matrix(layer, given.shape[1:], sign)
            else:
                return p.reshape(given.shape)
            flat = given.flatten(1)
            return (flat * (share(p.flatten(1), flat @ w.T) @ w)).reshape(given.shape)

        def run(sign):
            p = torch.eye(layers[-1].out_features, dtype=x.dtype, device=x.device)[y]
            p = back(len(layers) - 1, p, sign)
            for n in range(len(layers) - 2, stop, -1):
                p = back(n, p, 1)
            return p

        signal = run(1) - run(-1) if contrastive else run(1)
        total = signal.sum(1, keepdim=True)
        return signal, total.relu() if contrastive else total


def with_transposed_layers(layers, x, y, stop, contrastive=False):
    """The transposed convolution does it, and the difference is taken two layers down."""
    layers = [copy.deepcopy(layer).eval().requires_grad_(False) for layer in layers]
    inputs = [x]
    for layer in layers:
        inputs.append(layer(inputs[-1].clone()))

    def conv_back(given, p, w, stride, padding, groups=1):
        z = F.conv2d(given, w, None, stride, padding, groups=groups)
        rest = [
            size - ((out - 1) * stride[i] - 2 * padding[i] + w.shape[2 + i])
            for i, (size, out) in enumerate(zip(given.shape[2:], z.shape[2:]))
        ]
        return given * F.conv_transpose2d(share(p, z), w, None, stride, padding, rest, groups)

    def step(n, p, sign=1):
        layer, given = layers[n], inputs[n]
        if isinstance(layer, nn.Linear):
            w = F.relu(layer.weight * sign)
            return given * (share(p, F.linear(given, w)) @ w)
        if isinstance(layer, nn.Conv2d):
            return conv_back(given, p, F.relu(layer.weight), layer.stride, layer.padding)
        if isinstance(layer, nn.AvgPool2d):
            size, stride = (v if isinstance(v, tuple) else (v, v) for v in (layer.kernel_size, layer.stride))
            ones = given.new_ones(given.shape[1], 1, *size)
            return conv_back(given, p, ones, stride, (0, 0), groups=given.shape[1])
        if isinstance(layer, nn.MaxPool2d):
            leaf = given.clone().requires_grad_()
            (layer(leaf) * p).sum().backward()
            return leaf.grad
        return p.view(given.shape)

    n = len(layers) - 1
    p = F.one_hot(y, inputs[-1].shape[1]).to(x.dtype)
    p, against = step(n, p), step(n, p, -1)
    apart = min(2, n - 1 - stop)
    for m in range(n - 1, n - 1 - apart, -1):
        p, against = step(m, p), step(m, against)
    p = p - contrastive * against
    for m in range(n - 1 - apart, stop, -1):
        p = step(m, p)
    total = p.sum(dim=1).unsqueeze(1)
    return p, torch.where(total > 0, total, 0 * total) if contrastive else total


def weights_changed_and_put_back(layers, x, y, stop, contrastive=False):
    """Writes positive weights into the layers for the way back, and afterwards what was there."""
    net = nn.Sequential(*layers)
    modes = [m.training for m in net.modules()][1:]
    kept = [(p, p.detach().clone()) for p in net.parameters()]
    net.eval()
    inputs = [x.detach()]
    with torch.no_grad():
        for layer in layers:
            inputs.append(layer(inputs[-1].clone()))

    def down(sign):
        p = torch.zeros_like(inputs[-1])
        p[range(len(y)), y] = 1.0
        for n in reversed(range(stop + 1, len(layers))):
            layer, leaf = layers[n], inputs[n].clone().requires_grad_()
            if isinstance(layer, nn.Linear | nn.Conv2d):
                with torch.no_grad():
                    layer.weight.copy_((layer.weight * (sign if n == len(layers) - 1 else 1)).clamp(min=0))
                    if layer.bias is not None:
                        layer.bias.zero_()
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.AvgPool2d):
                z = layer(leaf)
                safe = torch.where(z > 0, z, torch.ones_like(z)).detach()
                p = leaf.detach() * torch.autograd.grad((z * (p / safe)).sum(), leaf)[0]
            elif isinstance(layer, nn.MaxPool2d | nn.Flatten):
                p = torch.autograd.grad((layer(leaf) * p).sum(), leaf)[0]
            else:
                p = p.reshape_as(leaf)
        with torch.no_grad():
            for place, numbers in kept:
                place.copy_(numbers)
        return p

    signal = down(1) - (down(-1) if contrastive else 0)
    for m, mode in zip(layers, modes):
        m.training = mode
    total = signal.sum(1, keepdim=True)
    return [signal, total.clamp_min(0) if contrastive else total]


def one_sample_after_the_other(layers, x, y, stop, contrastive=False):
    parts = [exciting()(layers, x[b : b + 1], y[b : b + 1], stop, contrastive) for b in range(len(x))]
    return tuple(torch.cat(part) for part in zip(*parts))


RIGHT = [
    exciting(),
    with_matrices,
    with_transposed_layers,
    weights_changed_and_put_back,
    one_sample_after_the_other,
]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"zero by zero": "finite", "one layer too far": "shape"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def contrast_left_out(layers, x, y, stop, contrastive=False):
        signal, _ = with_matrices(layers, x, y, stop)
        return signal, signal.sum(1, keepdim=True)

    def turned(layers, x, y, stop, contrastive=False):
        found = with_transposed_layers(layers, x, y, stop, contrastive)
        for layer in layers:
            layer.eval()
        return found

    assert verdict(contrast_left_out).misconception == "no contrast"
    assert verdict(turned).misconception == "left in evaluation mode"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda layers, x, y, stop, contrastive=False: x, "must be a tuple of two, the signal and the map"),
        (lambda layers, x, y, stop, contrastive=False: (x, 1.0), "they are Tensor and float"),
        (lambda layers, x, y, stop, contrastive=False: print(x), "its result is None"),
        (lambda layers, x, y: x, "takes 3 positional arguments but 4 were given"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(layers, x, y, stop, contrastive=False):
        raise NotImplementedError("saliency.excitation")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number, **other):
    return dict(zip(TASK.gives, oracle(**(TASK.cases[number].exact() | other))))


@pytest.mark.parametrize("number", [0, 2, 4])
def test_the_signal_is_a_probability_at_every_depth(number):
    for stop in range(TASK.cases[number].exact()["stop"], 4):
        found = results(number, stop=stop)
        assert found["signal"].min() >= 0
        assert found["map"].flatten(1).sum(1).tolist() == pytest.approx([1.0] * len(found["map"]))


@pytest.mark.parametrize("number", [1, 3, 5])
def test_for_and_against_weigh_the_same(number):
    found = results(number)
    assert found["signal"].flatten(1).sum(1).tolist() == pytest.approx([0] * len(found["map"]), abs=1e-12)
    assert found["signal"].min() < -0.01 and found["map"].min() >= 0
    assert found["map"].max() > 0.01 or number == 5  # whose samples have one location


def test_by_hand():
    """Two inputs, two units, one logit: p' = x ⊙ W⁺ᵀ (p ⊘ W⁺ x), twice."""
    given = TASK.cases[4].exact()
    first = torch.zeros(6, 4, dtype=torch.float64)
    first[0, 0], first[1, 1] = 1.0, 1.0  # units 0 and 1 are the inputs 0 and 1
    second = torch.zeros(5, 6, dtype=torch.float64)
    second[0, :2] = torch.tensor([1.0, 3.0])
    second[1, :2] = torch.tensor([2.0, -5.0])
    third = torch.zeros(3, 5, dtype=torch.float64)
    third[0, :2] = torch.tensor([1.0, 2.0])
    parts = [(first, 6), (second, 5), (third, 3)]
    weights = torch.cat([t for w, out in parts for t in (w.flatten(), torch.zeros(out).double())])
    x = torch.tensor([[2.0, 1.0, 0.5, 0.5]], dtype=torch.float64)
    found = dict(zip(TASK.gives, oracle(**given | {"weights": weights, "x": x, "y": torch.tensor([0])})))
    # units: 2·1 + 1·3 = 5 and 2·2 - 1·5 < 0, so all of p goes through the first unit: 2/5 and 3/5
    assert found["signal"][0].tolist() == pytest.approx([2 / 5, 3 / 5, 0, 0, 0, 0])


def test_a_class_without_a_positive_weight_sends_nothing():
    found, y = results(6), TASK.cases[6].exact()["y"]
    assert not found["signal"][y == 1].any() and found["signal"][y != 1].any()
    against = results(6, contrastive=True)
    assert against["signal"][y == 1].max() == 0 > against["signal"][y == 1].min()


def test_where_the_maps_are_zero_the_signal_ends():
    assert not results(7)["signal"].any()
    assert results(7, stop=6)["signal"].any()


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[1].inputs()
    use(exciting(), **given)
    for name, value in TASK.cases[1].inputs().items():
        assert torch.equal(value, given[name]) if isinstance(value, torch.Tensor) else value == given[name]
