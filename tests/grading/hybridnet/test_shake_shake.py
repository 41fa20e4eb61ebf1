"""The task hybridnet.shake_shake: any way to shake passes, and each slip gets its own message."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.grading.tasks.hybridnet.shake_shake import (
    IMAGES,
    TASK,
    arriving,
    batch,
    branches,
    draws,
    mixture,
    oracle,
    use,
)
from course_lib.grading.tasks.hybridnet.shaken_pieces import Pieces
from course_lib.nets.mirrored.shake_shake import ShakeShakeBlock as TheCoursesOwn
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


class Mixture(torch.autograd.Function):
    """Draws the backward coefficient when the gradient arrives."""

    @staticmethod
    def forward(ctx, first, second):
        alpha = torch.rand(first.shape[0], 1, 1, 1, dtype=first.dtype, device=first.device)
        return torch.lerp(second, first, alpha)

    @staticmethod
    def backward(ctx, gradient):
        beta = torch.rand(gradient.shape[0], 1, 1, 1, dtype=gradient.dtype, device=gradient.device)
        return gradient * beta, gradient - gradient * beta


class WithAFunction(nn.Module):
    def __init__(self, maps, out, stride=1, mirrored=False):
        super().__init__()

        def conv(i, o, k, s):
            if mirrored:
                return nn.ConvTranspose2d(i, o, k, stride=s, padding=(k - 1) // 2, output_padding=s - 1)
            return nn.Conv2d(i, o, k, stride=s, padding=(k - 1) // 2)

        def half(i, o, s):
            return nn.ReLU(), conv(i, o, 3, s), nn.BatchNorm2d(o)

        plan = [(maps, maps, 1), (maps, out, stride)] if mirrored else [(maps, out, stride), (out, out, 1)]
        self.branches = nn.ModuleList(nn.Sequential(*half(*plan[0]), *half(*plan[1])) for _ in range(2))
        self.change = None
        if (maps, stride) != (out, 1):
            self.change = nn.Sequential(conv(maps, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x):
        first, second = (branch(x) for branch in self.branches)
        mixed = Mixture.apply(first, second) if self.training else first.add(second).mul(0.5)
        return mixed + (x if self.change is None else self.change(x))


class WithHooks(WithAFunction):
    """The forward mixture is autograd's; hooks on the two branches replace what arrives there."""

    def forward(self, x):
        first, second = (branch(x) for branch in self.branches)
        if self.training:
            alpha, beta = torch.rand(2, len(x), 1, 1, 1, dtype=x.dtype)
            arriving = {}
            total = first.detach() * alpha + second.detach() * (1 - alpha)
            # The same sum with weights of 1, so that what arrives at both is the whole gradient.
            carrier = first - first.detach() + second - second.detach()
            first.register_hook(lambda g: arriving.setdefault("first", g * beta))
            second.register_hook(lambda g: arriving.setdefault("second", g * (1 - beta)))
            mixed = total + carrier
        else:
            mixed = torch.stack([first, second]).mean(0)
        return mixed + (x if self.change is None else self.change(x))


class FunctionalReLU(Pieces):
    """The layers by themselves, the skip connection first, image by image in the mixture."""

    def branch(self, maps, out, stride):
        return nn.ModuleList(
            step for step in super().branch(maps, out, stride) if not isinstance(step, nn.ReLU)
        )

    def forward(self, x):
        skip, both = self.skip(x), []
        for conv1, norm1, conv2, norm2 in (self.first, self.second):
            both.append(norm2(conv2(F.relu(norm1(conv1(F.relu(x)))))))
        if not self.training:
            return skip + both[0] * 0.5 + both[1] * 0.5
        rows = []
        for one, other in zip(*both):
            alpha, beta = torch.rand(2).tolist()
            value, back = alpha * one + (1 - alpha) * other, beta * one + (1 - beta) * other
            rows.append(value.detach() + back - back.detach())
        return skip + torch.stack(rows)


class DrawsTheOtherWayRound(Pieces):
    """β first, and 1 - u in the place of u."""

    def numbers(self, like):
        beta = 1 - self.draw(like)
        return 1 - self.draw(like), beta


RIGHT = [Pieces, WithAFunction, WithHooks, FunctionalReLU, DrawsTheOtherWayRound]


class Adapter(TheCoursesOwn):
    """The course's own block, whose last parameter has to be named."""

    def __init__(self, maps, out, stride=1, mirrored=False):
        super().__init__(maps, out, stride, mirrored=mirrored)


RIGHT.append(Adapter)


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"no output padding": "shape", "never mirrored": "shape"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    class SavesAlpha(torch.autograd.Function):
        @staticmethod
        def forward(ctx, first, second):
            alpha = torch.rand(len(first), 1, 1, 1, dtype=first.dtype)
            ctx.save_for_backward(alpha)
            return alpha * first + (1 - alpha) * second

        @staticmethod
        def backward(ctx, gradient):
            (alpha,) = ctx.saved_tensors
            return alpha * gradient, (1 - alpha) * gradient

    class Reuses(Pieces):
        def mixed(self, first, second):
            return SavesAlpha.apply(first, second) if self.training else (first + second) / 2

    class InPlace(FunctionalReLU):
        def forward(self, x):
            return super().forward(F.relu_(x))

    class Always(Pieces):
        def forward(self, x):
            self.training = True
            return super().forward(x)

    assert verdict(Reuses).misconception == "the same number backward"
    assert verdict(InPlace).misconception == "ReLU before the skip connection"
    assert verdict(Always).misconception == "shakes in evaluation"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (type("Plain", (), {"__init__": lambda self, *given: None}), "must be derived from nn.Module"),
        (
            type("Two", (Pieces,), {"forward": lambda self, x: (x, x)}),
            "A block gives a tensor, but yours gave a tuple",
        ),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_a_class_that_nobody_has_begun_is_not_attempted():
    class Stub(nn.Module):
        def __init__(self, maps, out, stride=1, mirrored=False):
            super().__init__()
            raise NotImplementedError("hybridnet.shake_shake")

    assert verdict(Stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_strides_halve_and_mirrored_ones_double(number):
    given = TASK.cases[number].exact()
    output = oracle(**given)[1]
    sides = [s * given["stride"] if given["mirrored"] else s // given["stride"] for s in given["x"].shape[2:]]
    assert list(output.shape) == [len(given["x"]), given["out"], *sides]


def test_the_oracles_gradient_is_that_of_finite_differences():
    given = TASK.cases[2].exact()
    x = given["x"]
    found = oracle(**given)
    step = torch.zeros_like(x)
    step[1, 2, 0, 3] = 1e-5
    up, down = (oracle(**given | {"x": x + s})[1] for s in (step, -step))
    slope = ((up - down) * arriving(up)).sum() / 2e-5
    assert found[2][1, 2, 0, 3].item() == pytest.approx(slope.item(), rel=1e-5)


def test_the_numbers_of_a_mixture_are_found_again():
    generator = torch.Generator().manual_seed(0)
    skip, first, second = torch.randn(3, 50, 2, 3, 3, generator=generator, dtype=torch.float64)
    alpha = torch.rand(50, generator=generator, dtype=torch.float64)
    w = alpha[:, None, None, None]
    a, b, remains = mixture(skip + w * first + (1 - w) * second, skip, first, second)
    assert torch.allclose(a, alpha) and torch.allclose(b, 1 - alpha) and remains.max() < 1e-12
    again = torch.stack([1 - a, a, remains])
    assert draws(torch.stack([a, b, remains]), again)[:5] == (1, 1, 1, 0, 0)
    noisy = mixture(skip + w * first + (1 - w) * second + skip**2, skip, first, second)
    assert draws(noisy, again)[0] == 0


def test_the_branches_differ_enough_to_tell_their_numbers_apart():
    for case in TASK.cases:
        given = case.exact()
        del given["x"]
        one = batch(**given)
        for parts in (one.outputs, one.gradients):
            a, _, _ = mixture(parts[0] + 0.25 * parts[1] + 0.75 * parts[2], *parts)
            assert len(a) > 0.9 * IMAGES and torch.allclose(a, torch.full_like(a, 0.25))


def test_the_oracles_layers_are_torchs():
    skip, first, second = branches(3, 3, 1, False, torch.zeros(1, 3, 4, 4, dtype=torch.float64))
    assert skip.abs().max() == 0 and (first - second).abs().min() > 0


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(Pieces, **given)
    assert torch.equal(given["x"], TASK.cases[0].inputs()["x"])
