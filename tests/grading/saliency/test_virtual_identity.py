"""The task saliency.virtual_identity: right answers pass in any form, wrong ones get their own message."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.grading.tasks.saliency.identity_pieces import Pieces
from course_lib.grading.tasks.saliency.residual_net import build
from course_lib.grading.tasks.saliency.virtual_identity import TASK, oracle
from course_lib.methods.saliency.capture import capture
from course_lib.methods.saliency.contributions import Identity, inserted_identity, spatial_contributions
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def contributing(kind, x, g, n):
    if kind == "bias":
        return g.clone()
    if kind == "scaling":
        return x * g
    windows = F.pad(x, [n // 2] * 4).unfold(2, n, 1).unfold(3, n, 1)  # (B, K, h, w, N, N)
    patches = windows.movedim((4, 5), (2, 3)).flatten(1, 3)
    return torch.einsum("bihw,bjhw->bijhw", g, patches)


class WithHooks:
    """Both by hooks; the weight is registered in the layer."""

    def __init__(self, model, layer, kind, channels, kernel_size=3):
        self.model, self.layer, self.kind, self.channels, self.n = model, layer, kind, channels, kernel_size

    def insert(self):
        net = copy.deepcopy(self.model)
        if self.kind == "conv":
            weight = torch.zeros(self.channels, self.channels, self.n**2)
            weight[:, :, self.n**2 // 2] = torch.eye(self.channels)
            weight = weight.unflatten(2, (self.n, self.n))
        else:
            weight = torch.zeros(self.channels) if self.kind == "bias" else torch.ones(self.channels)
        weight = nn.Parameter(weight.to(next(net.parameters())))
        place = net.get_submodule(self.layer)
        place.register_parameter("identity", weight)
        place.register_forward_hook(lambda module, inputs, output: self.applied(output, weight))
        return net, weight

    def applied(self, x, weight):
        if self.kind == "conv":
            return F.conv2d(x, weight, padding=self.n // 2)
        wide = weight.reshape(1, -1, 1, 1)
        return x + wide if self.kind == "bias" else x * wide

    def contributions(self, images, y):
        kept = {}

        def hook(module, inputs, output):
            kept["x"] = output.detach().clone().requires_grad_(True)
            return kept["x"] + 0

        handle = self.model.get_submodule(self.layer).register_forward_hook(hook)
        try:
            logits = self.model(images)
        finally:
            handle.remove()
        (g,) = torch.autograd.grad(logits.gather(1, y[:, None]).sum(), kept["x"])
        return contributing(self.kind, kept["x"].detach(), g, self.n)


class WithSequential(WithHooks):
    """A layer and an identity of torch's own in a Sequential; the gradient from a bias that is added."""

    def insert(self):
        net = copy.deepcopy(self.model)
        like = next(net.parameters())
        if self.kind == "conv":
            identity = nn.Conv2d(self.channels, self.channels, self.n, padding="same", bias=False)
            nn.init.dirac_(identity.weight)
        else:
            identity = Wide(self.kind, self.channels)
        identity.to(like)
        *above, name = self.layer.split(".")
        parent = net.get_submodule(".".join(above))
        setattr(parent, name, nn.Sequential(getattr(parent, name), identity))
        return net, identity.weight

    def contributions(self, images, y):
        added, kept = [], []

        def hook(module, inputs, output):
            kept.append(output.detach().clone())
            added.append(torch.zeros_like(output, requires_grad=True))
            return output + added[0]

        handle = self.model.get_submodule(self.layer).register_forward_hook(hook)
        logits = self.model(images)
        handle.remove()
        (g,) = torch.autograd.grad(sum(row[k] for row, k in zip(logits, y)), added)
        return contributing(self.kind, kept[0], g, self.n)


class Wide(nn.Module):
    def __init__(self, kind, channels):
        super().__init__()
        self.kind, self.weight = kind, nn.Parameter(torch.full((channels,), float(kind == "scaling")))

    def forward(self, x):
        wide = self.weight[:, None, None]
        return x + wide if self.kind == "bias" else x * wide


class AroundTheModel(WithSequential):
    """A net that lends the model an identity while it runs; image by image."""

    class Net(nn.Module):
        def __init__(self, model, layer, weight, applied):
            super().__init__()
            self.model, self.layer, self.applied = model, layer, applied
            self.weight = nn.Parameter(weight)

        def forward(self, x):
            hook = lambda module, inputs, output: self.applied(output, self.weight)
            handle = self.model.get_submodule(self.layer).register_forward_hook(hook)
            try:
                return self.model(x)
            finally:
                handle.remove()

    def insert(self):
        _, weight = super().insert()
        net = self.Net(self.model, self.layer, weight.detach(), self.applied)
        return net, net.weight

    def contributions(self, images, y):
        each = [
            super(AroundTheModel, self).contributions(images[b : b + 1], y[b : b + 1]) for b in range(len(y))
        ]
        return torch.cat(each)


class OfTheLibrary:
    def __init__(self, model, layer, kind, channels, kernel_size=3):
        self.model, self.layer, self.kind, self.n = model, layer, kind, kernel_size
        self.identity = Identity(kind, channels, kernel_size).to(next(model.parameters()))

    def insert(self):
        net = copy.deepcopy(self.model)
        net.get_submodule(self.layer).add_module("identity", self.identity)
        net.get_submodule(self.layer).register_forward_hook(
            lambda module, inputs, output: module.identity(output)
        )
        if isinstance(net.get_submodule(self.layer), nn.Sequential):  # it would run as one of its layers
            net = copy.deepcopy(self.model)
            branch = net.get_submodule(self.layer)
            branch.append(self.identity)
        return net, self.identity.weight

    def contributions(self, images, y):
        found = capture(self.model, images, y, self.layer)[self.layer]
        return spatial_contributions(self.kind, found.x, found.g, self.n)


RIGHT = [Pieces, WithHooks, WithSequential, AroundTheModel, OfTheLibrary]

# --- wrong answers ---------------------------------------------------------------------------

SHAPES = ("depthwise", "transposed", "summed over the locations", "pixel instead of patch")
CAUSES_OF = dict.fromkeys(SHAPES, "shape")


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    class FromTheCorner(WithSequential):
        def insert(self):
            net, weight = super().insert()
            if self.kind == "conv":
                weight.data.zero_()
                weight.data[:, :, 0, 0] = torch.eye(self.channels).to(weight)
            return net, weight

    assert verdict(FromTheCorner).misconception == "one in the corner"


@pytest.mark.parametrize(
    ("inserted", "words"),
    [
        (lambda self: Pieces.insert(self)[0], "must return two things"),
        (lambda self: (Pieces.insert(self)[0], self.start()), "needs no gradient"),
        (lambda self: (Pieces.insert(self)[0], self.start().requires_grad_()), "takes no part"),
        (lambda self: (lambda x: x, self.start().requires_grad_()), "must return two things"),
    ],
)
def test_what_is_not_inserted_is_told_in_one_sentence(inserted, words):
    outcome = verdict(type("Wrong", (Pieces,), {"insert": inserted}))
    assert outcome.cause == "unusable" and words in outcome.says


def test_a_hook_on_an_output_without_gradient_is_told_by_its_error():
    class Naive(Pieces):
        def seen(self, images, y):
            kept = []
            place = self.model.get_submodule(self.layer)
            handle = place.register_forward_hook(lambda module, inputs, output: kept.append(output))
            logits = self.model(images)
            handle.remove()
            return kept[0].detach(), torch.autograd.grad(self.score(logits, y), kept[0])[0]

    outcome = verdict(Naive)
    assert outcome.cause == "unusable" and "behind the image" in outcome.says


# --- the oracle ------------------------------------------------------------------------------

NAMES = list(TASK.gives)


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_an_identity_that_is_really_there_has_the_gradient_that_the_imagined_one_has(number):
    given = TASK.cases[number].exact()
    found = dict(zip(NAMES, oracle(**given)))
    model = build(given["net"], given["weights"], given["statistics"]).eval()
    plain = model(given["images"])
    options = given["layer"], given["kind"], given["channels"], given.get("kernel_size", 3)
    with inserted_identity(model, *options) as identity:
        logits = model(given["images"])
        (gradient,) = torch.autograd.grad(
            logits[torch.arange(len(logits)), given["y"]].sum(), identity.weight
        )
        assert torch.equal(found["weight of the identity"], identity.weight)
        identity.weight.data.copy_(torch.linspace(-0.6, 1.1, gradient.numel()).reshape(gradient.shape))
        assert torch.allclose(found["logits once that weight is changed"], model(given["images"]), rtol=1e-6)
    for name in ("logits of the net with the identity in it", "logits of the model afterwards"):
        assert torch.allclose(found[name], plain, rtol=1e-12)
    assert torch.allclose(logits, plain, rtol=1e-12)
    assert torch.allclose(
        found["gradient of the class scores in that weight"], gradient, rtol=1e-9, atol=1e-12
    )


def test_most_locations_and_channels_contribute():
    for case in TASK.cases:
        found = dict(zip(NAMES, oracle(**case.exact())))
        assert (
            found["contributions"].abs() > 1e-6
        ).double().mean() > 0.15  # a max-pooling behind it lets one in four through
