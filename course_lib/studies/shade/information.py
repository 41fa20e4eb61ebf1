"""Fig. 2.6, measured: what the layers of a narrow net say about the label, and what they say besides.

A chain of narrow layers stands on three convolutions. It comes in two kinds. One rounds what enters each
ReLU to whole steps, and computes on with that: its codes are discrete by nature, the code of a layer is a
function of the code below it, and Eq. A.1 holds without exception. The other is an ordinary net, whose layers
are put in bins only to be looked at, each by itself: for those codes nothing guarantees Eq. A.1.
"""

import copy
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import data, metrics, runtime
from course_lib.methods.information import alone, conditional_entropy, in_bins, mutual_information
from course_lib.methods.preactivations import pre_activations
from course_lib.nets import SmallConvNet
from course_lib.studies.registry import Cell
from course_lib.studies.shade.shared import train
from course_lib.training.modes import evaluation_mode

CODES = {"rounded": True, "relative": False, "fixed": False}  # whether the net itself rounds
CORRECTION = "miller-madow"
STEADY = 1e-6  # a unit that deviates less than this says nothing


@dataclass(frozen=True)
class Information:
    """What is trained, and on what its layers are looked at.

    Attributes:
        data: the image set.
        size: side of the images, for sets that come in several; None takes the set's own.
        learned, looked_at: training and test images, for sets that are drawn; others give what they have.
        width: maps of each convolution below the chain.
        units: units of each layer of the chain, in order.
        step: what the net that rounds rounds to, and the width of the fixed bins.
        relative: width of the relative bins, in standard deviations of the unit.
        methods: which of ``shade``, ``detached``, ``varentropy``; the plain net is always there.
        weights: of the regulariser, beside the cross-entropy.
        steps, batch_size, lr: of Adam.
    """

    data: str
    size: int | None = None
    learned: int | None = None
    looked_at: int | None = None
    width: int = 12
    units: tuple[int, ...] = (6, 6, 6, 6)
    step: float = 0.5
    relative: float = 0.5
    methods: tuple[str, ...] = ("shade", "varentropy")
    weights: tuple[float, ...] = (0.01, 0.1)
    steps: int = 600
    batch_size: int = 50
    lr: float = 3e-3


def measure_information(config: Information, seed: int) -> dict[Cell, float]:
    """By (quantity, code, method, weight, layer); the nets share their first weights and batches.

    ``information`` is I(H_l, Y), ``conditional`` H(H_l | Y), ``units`` the sum of H(H_{l,i} | Y) over the
    units of the layer, all in nats; ``alone`` the share of codes that a class has once, and ``accuracy`` that
    of the net, at the layer ``output``, both in %. The plain net is the method ``none`` with weight 0.
    """
    images, test = (
        drawn(config.data, split, config.size, n)
        for split, n in (("train", config.learned), ("test", config.looked_at))
    )
    mean, std = images.statistics()
    looks = data.Batches(test, 1024, mean=mean, std=std)
    plain = ("none", 0.0)
    values = {}
    for rounds in dict.fromkeys(CODES.values()):
        for method, weight in (plain, *((m, w) for m in config.methods for w in config.weights)):
            torch.manual_seed(seed)
            model = narrow_net(config, images.shape, images.num_classes, rounds).to(images.images.device)
            batches = data.Batches(
                images, config.batch_size, seed=seed, mean=mean, std=std, channels_last=True
            )
            train(model, batches, method, weight=weight, steps=config.steps, lr=config.lr)
            layers, logits = look(model, looks)
            right = 100 * metrics.accuracy(test.labels, logits)
            for code in (code for code, rounded in CODES.items() if rounded == rounds):
                for layer, h in enumerate(layers, start=1):
                    for quantity, value in say(codes(h, code, config), test.labels).items():
                        values[quantity, code, method, weight, layer] = value
                values["accuracy", code, method, weight, "output"] = right
    return values


def drawn(name: str, split: str, size: int | None, n: int | None) -> data.ImageSet:
    """A split on the device; size and number count where the set leaves them open."""
    options = {"size": size, "n": n}
    possible = data.describe(name).options
    chosen = {key: value for key, value in options.items() if key in possible and value is not None}
    return data.load(name, split, **chosen).to(runtime.device())


class Rounding(nn.Module):
    """h to the nearest whole number of steps; the gradient passes as if nothing had happened.

    Args:
        step: above 0.
    """

    def __init__(self, step: float):
        super().__init__()
        self.step = step

    def forward(self, h: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return _StraightThrough.apply(h, self.step)

    def extra_repr(self) -> str:
        return f"step={self.step}"


class _StraightThrough(torch.autograd.Function):
    """Not ``h + (rounded - h).detach()``, which misses the rounded value by the last bit."""

    @staticmethod
    def forward(ctx, h: Tensor, step: float) -> Tensor:
        return (h / step).round() * step

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def narrow_net(config: Information, shape: tuple[int, int, int], classes: int, rounds: bool) -> SmallConvNet:
    """A small ConvNet with the chain between its body and its head: ``body.stem``, ``body.chain``, ``head``.

    A layer of the chain is linear, batch norm, rounding if the net rounds, ReLU.
    """
    model = SmallConvNet(shape, classes, width=config.width)
    below = model.head.in_features
    chain = OrderedDict[str, nn.Module]()
    for layer, units in enumerate(config.units, start=1):
        chain[f"fc{layer}"] = nn.Linear(below, units)
        chain[f"norm{layer}"] = nn.BatchNorm1d(units)
        if rounds:
            chain[f"round{layer}"] = Rounding(config.step)
        chain[f"relu{layer}"] = nn.ReLU()
        below = units
    model.body = nn.Sequential(OrderedDict(stem=model.body, chain=nn.Sequential(chain)))
    model.head = nn.Linear(below, classes)
    return model


@torch.no_grad()
def look(model: SmallConvNet, batches: data.Batches) -> tuple[list[Tensor], Tensor]:
    """What enters the ReLUs of the chain (N, units) each, and the logits (N, classes), in evaluation mode.

    The chain is computed in float64: in float32 two images with one code could differ in the last bit, and
    the next layer could round them to two.
    """
    with evaluation_mode(model):
        features = torch.cat([model.body.stem(batch.x) for batch in batches.evaluation()]).double()
    chain = copy.deepcopy(nn.Sequential(OrderedDict(chain=model.body.chain, head=model.head))).double().eval()
    return list(pre_activations(chain, features).values()), chain(features)


def codes(h: Tensor, code: str, config: Information) -> Tensor:
    """A layer's values (N, D) as whole numbers: bins of the step, or of a part of each unit's deviation."""
    if code == "relative":
        deviation = h.std(0, correction=0).clamp(min=STEADY)
        return in_bins(h - h.mean(0), config.relative * deviation)
    return in_bins(h, config.step)


def say(code: Tensor, y: Tensor) -> dict[str, float]:
    """The quantities of one layer, see `measure_information`."""
    return {
        "information": mutual_information(code, y, correction=CORRECTION),
        "conditional": conditional_entropy(code, y, correction=CORRECTION),
        "units": sum(conditional_entropy(unit, y, correction=CORRECTION) for unit in code.T),
        "alone": 100 * alone(code, y),
    }
