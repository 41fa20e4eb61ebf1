"""SHADE on the CPU: against the loop over units, and what it adds to a training step.

    python -m benchmarks.shade [--threads 1] [--compile] [--record]

Goals: 50 times the loop over units at 128 samples of 512 units; a training step of a net of four convolutions
at most 1.7 times the plain one. `--compile` also races the compiled penalty, on one layer and in a training
step, which takes a C++ compiler and some minutes.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.common import arguments, race, ratios, record
from course_lib.methods import Shade, VarEntropy, shade_penalty

SAMPLES, UNITS = 128, 512
LAYER = (128, 32, 28, 28)
LOOP, PLAIN, GOALS = "unit by unit", "plain", {"unit by unit": 50, "SHADE": 1.7}


def unit_by_unit(h: Tensor, mu: Tensor) -> Tensor:
    """Equation A.8 as it is printed, one unit and one mode at a time; only the samples run in parallel."""
    penalties = []
    for unit in range(h.shape[1]):
        one = h[:, unit]
        penalty = torch.zeros(())
        for z in (0, 1):
            p = torch.sigmoid(one) if z else 1 - torch.sigmoid(one)
            penalty = penalty + (p * (one - mu[z, unit]) ** 2).mean()
        penalties.append(penalty)
    return torch.stack(penalties)


def recorded(h: Tensor, mu: Tensor) -> Tensor:
    """All units at once, with each operation recorded for the backward pass."""
    samples = (0, *range(2, h.ndim))
    absent, present = mu.reshape(2, -1, *[1] * (h.ndim - 2))
    p = torch.sigmoid(h)
    return (p * (h - present) ** 2 + (1 - p) * (h - absent) ** 2).mean(samples)


def value_and_gradient(penalty: Callable, *shape: int) -> Callable[[], Tensor]:
    """A contestant: the penalty of one layer and its derivative."""
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(*shape, generator=generator).requires_grad_()
    mu = torch.stack(
        [-1 - torch.rand(shape[1], generator=generator), torch.rand(shape[1], generator=generator)]
    )
    return lambda: torch.autograd.grad(penalty(h, mu).mean(), h)[0]


def four_convolutions(norm: bool = False) -> nn.Sequential:
    """3x3 convolutions with 32, 32, 64 and 64 maps on 28x28 images."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 32), (32, 64), (64, 64)):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        if norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.ReLU())
        if before == after:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 7 * 7, 10))


def training_step(
    regulariser: type | None = None, norm: bool = False, compiled: bool = False
) -> Callable[[], None]:
    """A contestant: one step of SGD on 128 images."""
    net = four_convolutions(norm)
    x, y = torch.randn(128, 3, 28, 28), torch.arange(128) % 10
    penalty = regulariser(net) if regulariser else None
    if compiled:
        for units in penalty.units.values():
            units.compile()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        if penalty:
            loss = loss + 0.1 * penalty.penalty()
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true", help="also race the compiled penalty")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    measured = {}

    print(f"value and gradient, {SAMPLES} samples of {UNITS} units, SHADE is faster than")
    forms = {"shade_penalty": shade_penalty, "each operation recorded": recorded, LOOP: unit_by_unit}
    dense = {name: value_and_gradient(form, SAMPLES, UNITS) for name, form in forms.items()}
    best = race(dense, options.rounds, turn=0.1)  # some take a fraction of a millisecond
    measured["dense layer"] = show(ratios(best, "shade_penalty"))

    forms.pop(LOOP)
    if options.compile:
        forms["torch.compile(shade_penalty)"] = torch.compile(shade_penalty)
    print(f"value and gradient, convolution {LAYER}, SHADE is faster than")
    best = race({name: value_and_gradient(form, *LAYER) for name, form in forms.items()}, options.rounds)
    measured["convolution"] = show(ratios(best, "shade_penalty"))

    steps = {
        PLAIN: training_step(),
        "SHADE": training_step(Shade),
        "VarEntropy": training_step(VarEntropy),
        "batch norm": training_step(norm=True),
    }
    if options.compile:
        steps["SHADE, compiled"] = training_step(Shade, compiled=True)
    best = race(steps, options.rounds)
    print(f"training step of four convolutions, {best[PLAIN] * 1e3:.0f} ms plain, takes longer with")
    measured["training step"] = show(ratios(best, PLAIN))
    if options.record:
        print(record("shade", "compiled too" if options.compile else "eager", {"ratios": measured}))


def show(values: dict[str, float]) -> dict[str, float]:
    for name, ratio in values.items():
        print(f"  {ratio:7.2f} x  {name}" + (f"   (goal: {GOALS[name]})" if name in GOALS else ""))
    return {name: round(ratio, 2) for name, ratio in values.items()}


if __name__ == "__main__":
    main()
