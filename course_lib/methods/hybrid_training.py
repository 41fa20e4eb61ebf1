"""The whole loss of a HybridNet, as the training loop takes it (Robert 2019, Eq. 3.8)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.methods.hybrid_losses import (
    TEXT,
    Convention,
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
    reconstruction_loss,
)
from course_lib.methods.hybridnet import HybridOutput
from course_lib.methods.stability import stability_loss
from course_lib.training import Step

Weight = float | Callable[[float], float]


@dataclass(frozen=True)
class Weights:
    """λ of each term: a number, or a function of the part of the run that is done. 0 leaves the term out.

    Attributes:
        cls: of the classification.
        rec: of the reconstruction.
        inter: of the intermediate reconstructions, of both branches and all layers.
        stab: of the stability.
        extra: of a penalty from elsewhere, such as SHADE on E_c.
    """

    cls: Weight = 1.0
    rec: Weight = 1.0
    inter: Weight = 1.0
    stab: Weight = 0.0
    extra: Weight = 0.0

    def at(self, progress: float) -> dict[str, float]:
        """The terms that are not left out, with their weights at this part of the run."""
        now = {}
        for name, weight in vars(self).items():
            if callable(weight):
                now[name] = weight(progress)
            elif weight:
                now[name] = weight
        return now


class HybridLoss:
    """``λ_c L_cls + λ_r L_rec + Σ λ_{r,b,l} L_inter + λ_s Ω_stability`` of a batch (Eq. 3.8).

    Give it to ``training.fit`` as the loss, with ``on_step=loss.after_step``, and with
    ``stateful={"target": target}`` where the target has a state.

    Args:
        weights: λ of the terms.
        balanced: the reconstruction's gradient goes to the worse branch of each sample (Eq. 3.12).
        target: makes the stability target: `SecondPass`, `TemporalEnsembling` or `MeanTeacher`.
        noise: standard deviation of the noise on what the net sees; the picture to redraw has none.
        convention: sums or means; the text's by default.
        penalty: called after the forward pass, gives the term with the weight ``extra``.

    Raises:
        ValueError: the stability has a weight and no target, or ``extra`` one and no penalty.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        balanced: bool = True,
        target: Any = None,
        noise: float = 0.0,
        convention: Convention = TEXT,
        penalty: Callable[[], Tensor] | None = None,
    ):
        for name, part in (("stab", target), ("extra", penalty)):
            if getattr(weights, name) and part is None:
                raise ValueError(
                    f"{name} has the weight {getattr(weights, name)}, but nothing to compute it."
                )
        self.weights, self.balanced, self.target = weights, balanced, target
        self.noise, self.convention, self.penalty = noise, convention, penalty

    def __call__(self, model: nn.Module, batch: Any, step: Step) -> dict[str, Tensor]:
        """The terms, unweighted, and their weighted sum under "loss".

        Where the net has two branches, the partial errors are recorded too, as "c", "u" and "x", in the mean
        over pixels.
        """
        x = batch.x + self.noise * torch.randn_like(batch.x) if self.noise else batch.x
        out = model(x)
        weights = self.weights.at(step.progress)
        terms = {name: TERMS[name](self, out, batch, step) for name in weights}
        total = sum(weights[name] * term for name, term in terms.items())
        return {"loss": total, **terms, **_errors(out, batch.x)}

    def after_step(self, model: nn.Module, step: Step) -> None:
        """To be called after each step of the optimiser: the target follows the net."""
        if self.target is not None:
            self.target.update()

    def _cls(self, out: HybridOutput, batch: Any, step: Step) -> Tensor:
        return classification_loss(out.logits, batch.y, self.convention.labelled_over)

    def _rec(self, out: HybridOutput, batch: Any, step: Step) -> Tensor:
        pixels = self.convention.pixels
        if out.x_hat is None:
            raise ValueError("rec has a weight, but this net draws nothing; give rec=0.")
        if self.balanced and out.x_u is not None:
            return balanced_reconstruction_loss(batch.x, out.x_c, out.x_u, pixels)
        return reconstruction_loss(batch.x, out.x_hat, pixels)

    def _inter(self, out: HybridOutput, batch: Any, step: Step) -> Tensor:
        pairs = (*out.taps_c, *out.taps_u)
        return intermediate_loss(pairs, self.convention.detach_taps, self.convention.pixels)

    def _stab(self, out: HybridOutput, batch: Any, step: Step) -> Tensor:
        prob = out.logits.softmax(1)
        self.target.observe(batch, prob.detach(), step.epoch)  # first, so that a new pass closes the old one
        target = self.target.target(batch)
        return stability_loss(prob, target.prob, target.known, self.convention.classes)

    def _extra(self, out: HybridOutput, batch: Any, step: Step) -> Tensor:
        return self.penalty()


TERMS = {
    "cls": HybridLoss._cls,
    "rec": HybridLoss._rec,
    "inter": HybridLoss._inter,
    "stab": HybridLoss._stab,
    "extra": HybridLoss._extra,
}


@torch.no_grad()
def _errors(out: HybridOutput, x: Tensor) -> dict[str, Tensor]:
    """Errors per pixel of what was drawn: of each branch alone, and of both together."""
    drawn = {"c": out.x_c, "u": out.x_u, "x": out.x_hat}
    return {
        name: reconstruction_loss(x, picture, "mean")
        for name, picture in drawn.items()
        if picture is not None
    }
