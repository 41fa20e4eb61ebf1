"""shade.binact: a ReLU with two values only, for each unit one of its own (Robert 2019, Eq. A.11)."""

import torch
from torch import Tensor, relu

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Misconception, Task


def oracle(h_train: Tensor, h: Tensor) -> Tensor:
    """Eq. A.11 letter by letter, unit by unit and value by value; 1 for a unit that is never positive."""
    out = torch.zeros_like(h)
    for d in range(h.shape[1]):
        positive = [value for value in h_train[:, d] if value > 0]
        level = sum(positive) / len(positive) if positive else 1.0
        for k in range(len(h)):
            if h[k, d] > 0:
                out[k, d] = level
    return out


def layer(trained: int, samples: int, units: int):
    """Units of different scale; each has two positive values or more, and zeros among the values."""

    def make(generator: torch.Generator) -> dict[str, Tensor]:
        scales = torch.linspace(0.6, 2.5, units, dtype=torch.float64)
        h_train = scales * (0.2 + normal(generator, trained, units))
        h = 0.3 + 1.6 * normal(generator, samples, units)
        h_train[:2] = h_train[:2].abs() + scales
        h_train[-1, 0] = 0
        h[0] = h[0].abs()
        h[-1, -1] = 0
        return {"h_train": h_train, "h": h}

    return make


def never_positive(generator: torch.Generator) -> dict[str, Tensor]:
    """The second unit is never positive in training, but it is afterwards."""
    made = layer(6, 4, 3)(generator)
    made["h_train"][:, 1] = -made["h_train"][:, 1].abs()
    return made


def one_training_sample(generator: torch.Generator) -> dict[str, Tensor]:
    made = layer(2, 5, 4)(generator)
    return {"h_train": made["h_train"][:1].abs() + 0.5, "h": made["h"]}


def levels(h_train: Tensor) -> Tensor:
    count = (h_train > 0).sum(0)
    mean = relu(h_train).sum(0) / count.clamp(min=1)
    return torch.where(count > 0, mean, torch.ones_like(mean))


def binary(h: Tensor, level: Tensor, on: Tensor | None = None) -> Tensor:
    return torch.where(h > 0 if on is None else on, level, torch.zeros_like(h))


def no_level_for_silent_units(h_train: Tensor, h: Tensor) -> Tensor:
    return binary(h, relu(h_train).sum(0) / (h_train > 0).sum(0))


def zero_for_silent_units(h_train: Tensor, h: Tensor) -> Tensor:
    return binary(h, relu(h_train).sum(0) / (h_train > 0).sum(0).clamp(min=1))


def zeros_counted(h_train: Tensor, h: Tensor) -> Tensor:
    count = (h_train >= 0).sum(0)
    mean = relu(h_train).sum(0) / count.clamp(min=1)
    return binary(h, torch.where(count > 0, mean, torch.ones_like(mean)))


def median(h_train: Tensor, h: Tensor) -> Tensor:
    middle = torch.where(h_train > 0, h_train, torch.nan).nanmedian(0).values
    return binary(h, middle.nan_to_num(nan=1.0))


def writes_into_h(h_train: Tensor, h: Tensor) -> Tensor:
    h[:] = binary(h, levels(h_train))
    return h


def writes_into_both(h_train: Tensor, h: Tensor) -> Tensor:
    out = binary(h, levels(h_train))
    h_train[h_train <= 0] = 0
    return out


TASK = Task(
    id="shade.binact",
    title="A unit with two values only",
    difficulty=2,
    minutes=15,
    points=2,
    function="binact",
    takes={"h_train": "(N, D)", "h": "(K, D)"},
    gives={"activations": "(K, D)"},
    hints=(
        "There are two steps, and each has its own data. "
        "The training values give each unit one number, its level. "
        "The values h only decide where it is switched on.",
        "level[d] = sum of h_train[n, d] over the n where it is positive / how many these are\n"
        "           (1 if there are none)\n"
        "result[k, d] = level[d] where h[k, d] > 0, else 0",
        "on     <- h_train > 0                                # (N, D)\n"
        "count  <- how many are on, over the samples          # (D,)\n"
        "total  <- sum of h_train where it is on              # (D,)\n"
        "level  <- total / count where count > 0, else 1      # (D,)\n"
        "return level where h > 0, else 0                     # (K, D)",
    ),
    oracle=oracle,
    cases=(
        Case("8 training samples and 5 samples of 3 units", layer(8, 5, 3)),
        Case("a unit that is never positive in training", never_positive),
        Case("one training sample", one_training_sample),
        Case("as many samples as units", layer(4, 4, 4)),  # where a level may go to the wrong axis
        Case("7 training samples of 1 unit", layer(7, 3, 1)),
        Case("9 training samples of 2 units in float32", layer(9, 6, 2), dtype=torch.float32),
    ),
    large=Case("64 samples of 32 units", layer(64, 64, 32)),
    misconceptions=(
        Misconception(
            "zeros averaged in",
            lambda h_train, h: binary(h, relu(h_train).mean(0)),
            "The level is the mean of the ReLU over all samples, zeros included. "
            "Divide by the number of positive values only.",
        ),
        Misconception(
            "all values averaged",
            lambda h_train, h: binary(h, h_train.mean(0)),
            "The level is the mean of all values, negative ones too. Take the positive ones only.",
        ),
        Misconception(
            "absolute values averaged",
            lambda h_train, h: binary(h, h_train.abs().mean(0)),
            "The level is the mean of the absolute values. "
            "Negative values are no activations: leave them out.",
        ),
        Misconception(
            "one level for all units",
            lambda h_train, h: binary(h, h_train[h_train > 0].mean()),
            "All units have the same level. Each unit has one of its own: average over the samples only.",
        ),
        Misconception(
            "mean of the levels",
            lambda h_train, h: binary(h, levels(h_train).mean()),
            "The levels of the units are averaged into one. Give each unit its own.",
        ),
        Misconception(
            "zero is on",
            lambda h_train, h: binary(h, levels(h_train), h >= 0),
            "A value of exactly 0 is switched on. It stays at 0, as in the ReLU: on is h > 0.",
        ),
        Misconception(
            "zero counts as positive",
            zeros_counted,
            "Training values of exactly 0 are counted among the positive ones. Count those above 0.",
        ),
        Misconception(
            "levels from h",
            lambda h_train, h: binary(h, levels(h)),
            "The levels are computed from h. They are constants of the trained network: use h_train.",
        ),
        Misconception(
            "the training values switched",
            lambda h_train, h: binary(h_train, levels(h_train)),
            "The training values themselves are made binary. They only give the levels; the result is for h.",
        ),
        Misconception(
            "step function",
            lambda h_train, h: (h > 0).to(h.dtype),
            "Every unit that is on gives 1. It should give its level, "
            "so that the layer above gets values of the size that it was trained on.",
        ),
        Misconception(
            "two signs",
            lambda h_train, h: levels(h_train) * h.sign(),
            "Where h is negative you return minus the level. A unit that is off gives 0.",
        ),
        Misconception(
            "never off",
            lambda h_train, h: levels(h_train).expand_as(h),
            "Every value is the level, as if all units were on. Where h <= 0 the result is 0.",
        ),
        Misconception(
            "threshold at the level",
            lambda h_train, h: binary(h, levels(h_train), h > levels(h_train)),
            "A unit is on only where h is above its level. It is on wherever h is above 0.",
        ),
        Misconception(
            "ReLU times the level",
            lambda h_train, h: levels(h_train) * relu(h),
            "This is the ReLU times the level, which can take any value. "
            "Where a unit is on, its result is the level itself.",
        ),
        Misconception(
            "largest value",
            lambda h_train, h: binary(h, h_train.amax(0).where((h_train > 0).any(0), torch.ones(()).to(h))),
            "The level is the largest training value. It is the mean of the positive ones.",
        ),
        Misconception(
            "median",
            median,
            "The level is the median of the positive values. It is their mean.",
        ),
        Misconception(
            "no level for a silent unit",
            no_level_for_silent_units,
            "A unit that is never positive in training gets 0 / 0. Its level is 1.",
        ),
        Misconception(
            "level 0 for a silent unit",
            zero_for_silent_units,
            "A unit that is never positive in training gets the level 0, so it can never be on. "
            "Its level is 1.",
        ),
        Misconception(
            "levels alone",
            lambda h_train, h: levels(h_train),
            "These are the levels. Put them where h is above 0, and 0 elsewhere.",
        ),
        Misconception(
            "writes into h",
            writes_into_h,
            "Use `torch.where(h > 0, …, …)`, which makes a new tensor.",
        ),
        Misconception(
            "writes into h_train",
            writes_into_both,
            "To leave the negative values out, use `torch.where` or `h_train.clamp(min=0)`, "
            "without `h_train[…] = 0` or `clamp_`.",
        ),
    ),
)
