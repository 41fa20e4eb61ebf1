"""How a net of this chapter is trained: its data, its optimiser, and the schedules of Appendix B."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from course_lib.methods.hybrid_training import Weights
from course_lib.training import cosine, linear_ramp, sigmoid_ramp, sigmoid_ramp_down


@dataclass(frozen=True)
class Schedules:
    """When weights rise and fall, as parts of the run; a rise until 0 and a fall from 1 are none.

    Attributes:
        lr: ``linear``: the rate falls to zero from ``lr_from`` on; ``cosine``: over the whole run.
        beta_from: from here β₁ of Adam goes from 0.9 to 0.5.
        cls_until, rec_until, inter_until, stab_until: the end of the rise of λ.
        rec_from, stab_from: where λ begins to fall; the intermediate terms fall with the reconstruction.
    """

    lr: str = "linear"
    lr_from: float = 2 / 3
    beta_from: float = 4 / 5
    cls_until: float = 1 / 75
    rec_until: float = 0.0
    inter_until: float = 0.0
    stab_until: float = 1 / 4
    rec_from: float = 0.95
    stab_from: float = 4 / 5

    def rate(self, progress: float) -> float:
        """The factor on the learning rate."""
        return cosine(progress) if self.lr == "cosine" else 1 - linear_ramp(progress, self.lr_from)


CONV_LARGE = Schedules()  # Table B.2
CONV_STL = Schedules(lr_from=9 / 10, beta_from=1.0, cls_until=4 / 150, stab_from=3 / 4)  # Table B.4
SHAKE_SHAKE = Schedules(  # Table B.6: λ_r rises over 5 and λ_{r,b,l} over 2 of 300 epochs
    lr="cosine", beta_from=1.0, cls_until=0.0, rec_until=5 / 300, inter_until=2 / 300, stab_until=0.0,
    rec_from=1.0, stab_from=1.0,
)  # fmt: skip
SHAKE_SHAKE_SVHN = Schedules(  # Table B.7: of 150 epochs, and λ_s rises over 5
    lr="cosine", beta_from=1.0, cls_until=0.0, rec_until=5 / 150, inter_until=2 / 150, stab_until=5 / 150,
    rec_from=1.0, stab_from=1.0,
)  # fmt: skip
RESNET50 = Schedules(  # Table B.8; its rate falls exponentially over 8 of 350 epochs, here linearly
    lr_from=342 / 350, beta_from=1.0, cls_until=0.0, stab_until=150 / 350, rec_from=333 / 350, stab_from=1.0,
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How every line of a table is trained.

    Attributes:
        data: the image set.
        options: of the set, such as ``(("strength", 0.4),)``.
        net, net_options: the architecture, a name in `course_lib.nets.mirrored`.
        steps: of the optimiser.
        n_labelled, n_unlabelled: images of a batch.
        optimizer: ``adam``, or ``sgd`` with Nesterov's momentum 0.9.
        lr, weight_decay: of the optimiser.
        schedules: of the rate and of the weights.
        standardise: pixels get mean 0 and variance 1 over the set; otherwise they are in [-1, 1].
        translate, flip: the augmentation, pixels and yes or no.
        noise: standard deviation of the noise that the nets see.
        rec, inter, stab: λ of the terms where a line has them, with squared norms as means.
        target: of the stability: ``mt``, ``te`` or ``pi``.
        decay: of the Mean Teacher, or of the temporal ensemble.
        tested: how many test images; None is all.
    """

    data: str
    options: tuple[tuple[str, Any], ...] = ()
    net: str = "conv_small"
    net_options: tuple[tuple[str, Any], ...] = ()
    steps: int = 800
    n_labelled: int = 16
    n_unlabelled: int = 48
    optimizer: str = "adam"
    lr: float = 3e-3
    weight_decay: float = 0.0
    schedules: Schedules = CONV_LARGE
    standardise: bool = True
    translate: int = 1
    flip: bool = False
    noise: float = 0.15
    rec: float = 1.0
    inter: float = 0.5
    stab: float = 20.0
    target: str = "mt"
    decay: float = 0.95
    tested: int | None = None

    def make_optimizer(self, parameters) -> torch.optim.Optimizer:
        """Adam, or SGD with Nesterov's momentum."""
        if self.optimizer == "adam":
            return torch.optim.Adam(parameters, self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(
            parameters, self.lr, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
        )

    def weights(self, *, rec: bool, inter: bool, stab: bool) -> Weights:
        """λ of the terms that a line has, along the schedules."""
        at = self.schedules
        return Weights(
            cls=partial(_plateau, 1.0, at.cls_until, 1.0),
            rec=partial(_plateau, self.rec, at.rec_until, at.rec_from) if rec else 0.0,
            inter=partial(_plateau, self.inter, at.inter_until, at.rec_from) if inter else 0.0,
            stab=partial(_plateau, self.stab, at.stab_until, at.stab_from) if stab else 0.0,
        )

    def slow(self, optimizer: torch.optim.Optimizer) -> Callable[[float], None]:
        """A function of progress that moves β₁ of Adam as the schedule says (§B.2.1)."""

        def move(progress: float) -> None:
            if self.optimizer != "adam" or progress < self.schedules.beta_from:
                return
            beta = 0.5 + 0.4 * sigmoid_ramp_down(progress, self.schedules.beta_from)
            for group in optimizer.param_groups:
                group["betas"] = (beta, group["betas"][1])

        return move


def _plateau(weight: float, until: float, start: float, progress: float) -> float:
    """Up until one part of the run, down from another."""
    up = sigmoid_ramp(progress, end=until) if until > 0 else 1.0
    down = sigmoid_ramp_down(progress, start) if start < 1 else 1.0
    return weight * up * down
