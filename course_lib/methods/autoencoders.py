"""Learning from images without labels by redrawing them: autoencoders with a classifier on the latent.

Robert 2019, §2.2.4.2 and §3.2.2. One net and one loss, and what is called by a name is a choice of both::

    autoencoder (Eq. 2.5)            Autoencoder(family)               AutoencoderLoss()
    denoising autoencoder (Eq. 2.6)  Autoencoder(family)               AutoencoderLoss(noise=0.3)
    SWWAE (Zhao et al. 2016)         Autoencoder(family, up="unpool")  AutoencoderLoss(inter=1.0)

The last, the stacked what-where autoencoder, gives its decoder "what" by the latent and "where" by the
switches of the poolings, and also redraws the activations in between.

The baseline of HybridNet's tables, ``HybridNet(family, branches="ae")``, is this net under the call of
HybridNet; with the same weights both give the same. Here it stands alone, as a classifier that can draw.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from course_lib.methods.hybrid_losses import (
    TEXT,
    Convention,
    classification_loss,
    intermediate_loss,
    reconstruction_loss,
)
from course_lib.nets.mirrored import Family
from course_lib.training import Step


class Redrawn(NamedTuple):
    """What an autoencoder makes of images.

    Attributes:
        logits: (B, num_classes).
        h: the latent, (B, C, h, w).
        x_hat: the reconstruction, of the images' shape.
        taps: pairs (activation of the encoder, its reconstruction), the one nearest to the image first.
    """

    logits: Tensor
    h: Tensor
    x_hat: Tensor
    taps: tuple[tuple[Tensor, Tensor], ...]


class Autoencoder(nn.Module):
    """An encoder, a decoder that mirrors it, and a classifier; both read the one latent.

    Called, it classifies; `redraw` gives all the rest.

    Args:
        family: the architecture, from `course_lib.nets.mirrored`.
        up: how the decoder undoes a pooling, one of ``family.ups``: ``nearest`` repeats each value, so that
            all that is drawn comes through the latent; ``unpool`` is told where each maximum stood.

    Raises:
        ValueError: the family has no such ``up``.
    """

    def __init__(self, family: Family, up: str = "nearest"):
        super().__init__()
        self.encoder = family.make_encoder()
        self.classifier = family.make_classifier()
        self.decoder = family.make_decoder(up)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, num_classes); nothing is drawn."""
        return self.classifier(self.encoder(x).h)

    def redraw(self, x: Tensor) -> Redrawn:
        """Images (B, C, H, W) to logits, latent, and the reconstructions of the images and of the taps."""
        h, taps, switches = self.encoder(x)
        x_hat, redrawn = self.decoder(h, switches)
        return Redrawn(self.classifier(h), h, x_hat, tuple(zip(taps, redrawn, strict=True)))


class AutoencoderLoss:
    """``L_cls + rec ‖x̂ - x‖² + inter Σ_l ‖ĥ_l - h_l‖²``, for ``training.fit`` and an `Autoencoder`.

    The classification is over the images that have a label, the other terms are over all. With noise, the net
    sees x + ε, and the picture to redraw is still x; the taps to redraw are those of the noisy pass.

    Args:
        rec: weight of the reconstruction.
        inter: weight of the intermediate reconstructions; 0 leaves them out.
        noise: standard deviation of the Gaussian noise on what the net sees, from torch's own generator.
        convention: sums or means; the text's by default. An image of many pixels weighs much in a sum.

    Raises:
        ValueError: a weight or the noise is negative.
    """

    def __init__(
        self, rec: float = 1.0, inter: float = 0.0, noise: float = 0.0, convention: Convention = TEXT
    ):
        for name, value in (("rec", rec), ("inter", inter), ("noise", noise)):
            if value < 0:
                raise ValueError(f"{name} is {value}, possible are numbers from 0.")
        self.rec, self.inter, self.noise, self.convention = rec, inter, noise, convention

    def __call__(self, model: Autoencoder, batch: Any, step: Step | None = None) -> dict[str, Tensor]:
        """The terms, unweighted, as "cls", "rec" and "inter", and their weighted sum as "loss".

        Args:
            model: an `Autoencoder`.
            batch: ``batch.x`` (B, C, H, W), and ``batch.y`` (B,), -1 where there is no label.
            step: not needed; the loss is the same throughout a run.

        Raises:
            ValueError: the intermediate reconstructions have a weight, and the net has none.
        """
        pixels = self.convention.pixels
        seen = batch.x + self.noise * torch.randn_like(batch.x) if self.noise else batch.x
        out = model.redraw(seen)
        terms = {
            "cls": classification_loss(out.logits, batch.y, self.convention.labelled_over),
            "rec": reconstruction_loss(batch.x, out.x_hat, pixels),
        }
        loss = terms["cls"] + self.rec * terms["rec"]
        if self.inter:
            terms["inter"] = intermediate_loss(out.taps, self.convention.detach_taps, pixels)
            loss = loss + self.inter * terms["inter"]
        return {"loss": loss, **terms}
