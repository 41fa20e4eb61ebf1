"""The whole loss of HybridNet with a weight of its own for every term, and the same terms by hand."""

import torch

from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.stability import StabilityTarget
from course_lib.training import Step
from tests.methods import literal_hybrid as literal

START, MIDDLE = Step(0, 0, 0.0), Step(6, 2, 0.5)


class Fixed:
    """Makes the same targets for every batch, and notes what it is told."""

    def __init__(self, known=None):
        generator = torch.Generator().manual_seed(4)
        self.prob = torch.rand(5, 4, generator=generator, dtype=torch.float64).softmax(1)
        self.known = torch.ones(5, dtype=torch.bool) if known is None else torch.tensor(known)
        self.calls, self.said = [], []

    def observe(self, batch, prob, epoch):
        self.calls.append(("observe", batch, epoch))
        self.said.append(prob)

    def target(self, batch, epoch=None):
        self.calls.append(("target", batch))
        return StabilityTarget(self.prob, self.known)

    def update(self):
        self.calls.append(("update",))


def whole(target=None, penalty=None, **options):
    """Every term with a weight of its own."""
    weights = Weights(cls=0.5, rec=2.0, inter=3.0, stab=7.0, extra=11.0)
    return HybridLoss(
        weights, target=target or Fixed(), penalty=penalty or (lambda: torch.tensor(0.25)), **options
    )


def by_hand(out, batch, convention, target):
    pixels, classes, over, _ = convention
    return {
        "cls": literal.cls(out.logits, batch.y, over),
        "rec": literal.rec(batch.x, out.x_hat, pixels),
        "inter": literal.inter([*out.taps_c, *out.taps_u], pixels),
        "stab": literal.stab(out.logits, target.prob, classes),
        "extra": 0.25,
    }


def items(values):
    return {name: value.item() for name, value in values.items()}


def moved(module):
    """Whether a backward pass has reached a module."""
    return any(p.grad is not None and p.grad.count_nonzero() > 0 for p in module.parameters())
