"""The ladder network: every layer is denoised, from the layer above and from its own noisy self.

Rasmus et al. 2015 (Robert 2019, §3.2.2). An encoder runs twice over a batch, once with noise in every layer
and once without. A decoder goes down from the noisy top; on each rung it estimates the clean z(l) from what
comes from above and from the noisy z̃(l), which comes by a skip. What the skips carry, the encoder may forget.

The steps are in `course_lib.methods.ladder_steps`; here they are put together and trained::

    layers = layers_like(family.make_encoder(), num_classes=10)  # or (Dense(1000), Dense(500), Dense(10))
    fit(Ladder(layers, (3, 16, 16)), batches, LadderLoss(), steps=300)
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib.methods.hybrid_losses import classification_loss, per_sample
from course_lib.methods.ladder_steps import Combinator, Layer, Norm, Rung, build_rungs
from course_lib.training import Step


class Climb(NamedTuple):
    """One pass of the encoder.

    Attributes:
        logits: (B, num_classes).
        z: z(0) to z(L), normalised and, in a noisy pass, with noise; z(0) is the image.
        mean, std: those that z(l) was normalised with, to be combined with it; 0 and 1 for the image.
    """

    logits: Tensor
    z: tuple[Tensor, ...]
    mean: tuple[Tensor, ...]
    std: tuple[Tensor, ...]


class LadderOutput(NamedTuple):
    """What all three passes give; lists begin with the image and end with the logits' layer.

    Attributes:
        logits: of the noisy pass, (B, num_classes); it is these that the labels train.
        clean_logits: of the clean pass, which is the classifier afterwards.
        z: the clean activations z(l), the targets.
        z_noisy: z̃(l), what the skips carry.
        z_hat: the denoised estimates, normalised by the clean pass's mean and deviation: ẑ_BN(l). The first
            is the denoised image.
    """

    logits: Tensor
    clean_logits: Tensor
    z: tuple[Tensor, ...]
    z_noisy: tuple[Tensor, ...]
    z_hat: tuple[Tensor, ...]


class Ladder(nn.Module):
    """A ladder network of dense layers, or of convolutions and poolings; each layer of the list is a rung.

    Called, it classifies by the clean pass; `ladder` runs all three passes. Batch norm is over the whole
    batch in training mode, with moving averages for evaluation mode; the noisy pass moves none of them. The
    authors' code normalises labelled and unlabelled images apart, which is not done here.

    Args:
        layers: from the image up: `Dense`, `Conv`, `Pool` (2x2 maximum), `Mean` (global average). The last
            makes the logits, so it is a `Dense` with as many units as there are classes.
        in_shape: (channels, height, width) of an image. Where the first layer is dense, pixels are its units.
        noise: standard deviation of the Gaussian noise on the image and on every normalised layer.

    Raises:
        ValueError: an argument is impossible.
    """

    def __init__(self, layers: Sequence[Layer], in_shape: Sequence[int], noise: float = 0.3):
        super().__init__()
        if noise < 0:
            raise ValueError(f"noise is {noise}, possible are numbers from 0.")
        self.noise = noise
        rungs, shapes = build_rungs(layers, in_shape)
        self.in_shape, self.shapes = tuple(in_shape), shapes
        self.rungs: Sequence[Rung] = nn.ModuleList(rungs)
        self.norms: Sequence[Norm] = nn.ModuleList(Norm(shape[0]) for shape in shapes)  # of u(0) to u(L)
        self.combinators: Sequence[Combinator] = nn.ModuleList(Combinator(shape[0]) for shape in shapes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to the logits (B, num_classes) of the clean pass."""
        return self.climb(x).logits

    def climb(self, x: Tensor, noise: float = 0.0, moves: bool = True) -> Climb:
        """One pass of the encoder (Rasmus et al. 2015, Algorithm 1).

        Args:
            x: images (B, C, H, W).
            noise: standard deviation of the noise; 0 is the clean pass.
            moves: whether batch norm's moving averages take part.

        Raises:
            ValueError: the images have another shape than the ladder was built for.
        """
        if x.shape[1:] != self.in_shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, this ladder takes (B, {', '.join(map(str, self.in_shape))})."
            )
        h = _disturbed(x.reshape(len(x), *self.shapes[0]), noise)
        passed = [(h, h.new_zeros(()), h.new_ones(()))]
        for rung in self.rungs:
            z, mean, std = rung.norm.with_statistics(rung.up(h), moves)
            z = _disturbed(z, noise)
            h = rung.activate(z)
            passed.append((z, mean, std))
        return Climb(h, *zip(*passed))

    def ladder(self, x: Tensor) -> LadderOutput:
        """Images (B, C, H, W) up the ladder with noise and without, and down again."""
        noisy = self.climb(x, self.noise, moves=False)
        clean = self.climb(x)
        z_hat: list[Tensor] = []
        u = noisy.logits.softmax(1)
        for l in reversed(range(len(self.shapes))):
            estimate = self.combinators[l](noisy.z[l], self.norms[l](u))
            z_hat.append((estimate - clean.mean[l]) / clean.std[l])
            if l > 0:
                u = self.rungs[l - 1].down(estimate)
        return LadderOutput(noisy.logits, clean.logits, clean.z, noisy.z, tuple(reversed(z_hat)))

    def extra_repr(self) -> str:
        return f"in_shape={self.in_shape}, noise={self.noise}"


def _disturbed(z: Tensor, noise: float) -> Tensor:
    return z + noise * torch.randn_like(z) if noise else z


class LadderLoss:
    """``L_cls + Σ_l λ_l / m_l ‖z(l) - ẑ_BN(l)‖²``, mean over the batch, for ``training.fit`` and a `Ladder`.

    m_l is the number of units of a layer, so each squared norm is a mean over them. The labels train the
    noisy pass. Gradients reach the targets z(l) too, as in the source: batch norm keeps them from shrinking.

    Args:
        costs: λ_0, λ_1, ...: of the image, of the first layer, and so on. The last one given is for all above
            it too. The source takes (1000, 10, 0.1) for 100 labelled digits; with zeros for all but the top
            it is the Γ-model.

    Raises:
        ValueError: there is no number, or a negative one.
    """

    def __init__(self, costs: Sequence[float] = (1000.0, 10.0, 0.1)):
        self.costs = tuple(costs)
        if not self.costs or min(self.costs) < 0:
            raise ValueError(f"costs are {self.costs}, needed are one or more numbers from 0.")

    def __call__(self, model: Ladder, batch: Any, step: Step | None = None) -> dict[str, Tensor]:
        """Classification and weighted denoising as "cls" and "denoising", their sum as "loss".

        Args:
            model: a `Ladder`.
            batch: ``batch.x`` (B, C, H, W), and ``batch.y`` (B,), -1 where there is no label.
            step: not needed; the loss is the same throughout a run.

        Raises:
            ValueError: there are more costs than layers.
        """
        out = model.ladder(batch.x)
        if len(self.costs) > len(out.z):
            raise ValueError(f"costs are {len(self.costs)}, but the ladder has {len(out.z)} layers.")
        costs = self.costs + self.costs[-1:] * (len(out.z) - len(self.costs))
        cls = classification_loss(out.logits, batch.y)
        denoising = sum(cost * each for cost, each in zip(costs, denoising_costs(out)))
        return {"loss": cls + denoising, "cls": cls, "denoising": denoising}


def denoising_costs(out: LadderOutput) -> list[Tensor]:
    """``‖z(l) - ẑ_BN(l)‖² / m_l``, mean over the batch, of each layer from the image up: scalars."""
    return [per_sample(z - z_hat, "mean").mean() for z, z_hat in zip(out.z, out.z_hat)]
