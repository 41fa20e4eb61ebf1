"""HybridNet: one branch that may forget, one that keeps the rest, and a picture that is their sum.

Robert 2019, §3.3 (Robert, Thome and Cord 2018). The classifier reads h_c alone; the image is redrawn from
both latents, so that E_c may drop what E_u carries. After training only C∘E_c is kept.
"""

from typing import NamedTuple

from torch import Tensor, nn

from course_lib.methods.fusion import Merge
from course_lib.nets.mirrored import Encoded, Family

BRANCHES = ("cls", "ae", "hybrid")
FUSIONS = ("late_add", "early_add", "early_cat", "early_mul", "early_bilinear")
Pairs = tuple[tuple[Tensor, Tensor], ...]  # (activation of the encoder, its reconstruction)


class HybridOutput(NamedTuple):
    """What one forward pass gives; None stands where the net has no such part.

    Attributes:
        logits: (B, num_classes).
        h_c, h_u: the latents, (B, C, h, w).
        x_c, x_u: the partial reconstructions, (B, 3, H, W); None with early fusion, which has none.
        x_hat: the reconstruction.
        taps_c, taps_u: for each branch the pairs that the intermediate losses compare.
    """

    logits: Tensor
    h_c: Tensor
    h_u: Tensor | None = None
    x_c: Tensor | None = None
    x_u: Tensor | None = None
    x_hat: Tensor | None = None
    taps_c: Pairs = ()
    taps_u: Pairs = ()


class Deployed(nn.Module):
    """C∘E_c, what is kept after training: images (B, 3, H, W) to logits (B, num_classes)."""

    def __init__(self, encoder: nn.Module, classifier: nn.Module):
        super().__init__()
        self.encoder, self.classifier = encoder, classifier

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.encoder(x).h)


class HybridNet(nn.Module):
    """E_c, C, E_u and their decoders (Eq. 3.3 to 3.7).

    The defaults are the source's: late fusion by addition, repetition in D_c, and unpooling in D_u with the
    switches of its own encoder. A family without pooling has "stride" alone, and takes it for both.

    Args:
        family: the architecture, from `course_lib.nets.mirrored`.
        branches: ``hybrid``; ``ae``, which has E_c, C and D_c alone; or ``cls``, which has E_c and C.
        fusion: ``late_add`` (Eq. 3.7), or one decoder on merged latents (Eq. 3.4): ``early_add``,
            ``early_cat``, ``early_mul``, ``early_bilinear``.
        up_c, up_u: how D_c and D_u undo a pooling; the one decoder of early fusion takes ``up_c``, and the
            switches of E_c.

    Attributes:
        encoder_c, classifier: of the discriminative path; together they are ``deployed``.
        encoder_u: of the other.
        decoder_c, decoder_u: of late fusion; ``merge`` and ``decoder``: of early fusion. None where absent.

    Raises:
        ValueError: an argument is none of the possible ones.
    """

    def __init__(
        self,
        family: Family,
        *,
        branches: str = "hybrid",
        fusion: str = "late_add",
        up_c: str = "nearest",
        up_u: str = "unpool",
    ):
        super().__init__()
        for name, value, possible in (("branches", branches, BRANCHES), ("fusion", fusion, FUSIONS)):
            if value not in possible:
                raise ValueError(f"{name} is {value!r}, possible are {', '.join(possible)}.")
        up_c, up_u = (up if len(family.ups) > 1 else family.ups[0] for up in (up_c, up_u))
        self.branches, self.fusion = branches, fusion
        early = branches == "hybrid" and fusion != "late_add"
        self.deployed = Deployed(family.make_encoder(), family.make_classifier())
        self.encoder_u = family.make_encoder() if branches == "hybrid" else None
        self.decoder_c = family.make_decoder(up_c) if branches != "cls" and not early else None
        self.decoder_u = family.make_decoder(up_u) if branches == "hybrid" and not early else None
        self.merge = Merge(fusion.removeprefix("early_"), family.latent) if early else None
        self.decoder = family.make_decoder(up_c) if early else None

    @property
    def encoder_c(self) -> nn.Module:
        return self.deployed.encoder

    @property
    def classifier(self) -> nn.Module:
        return self.deployed.classifier

    def forward(self, x: Tensor) -> HybridOutput:
        """Images (B, 3, H, W) to logits, latents, reconstructions and pairs of taps."""
        c = self.encoder_c(x)
        logits = self.classifier(c.h)
        if self.branches == "cls":
            return HybridOutput(logits, c.h)
        if self.branches == "ae":
            drawn = self.decoder_c(c.h, c.switches)
            return HybridOutput(logits, c.h, x_hat=drawn.x, taps_c=_pairs(c, drawn.taps))
        u = self.encoder_u(x)
        if self.decoder is not None:
            drawn = self.decoder(self.merge(c.h, u.h), c.switches)
            return HybridOutput(logits, c.h, u.h, x_hat=drawn.x)
        x_c, taps_c = self.decoder_c(c.h, c.switches)
        x_u, taps_u = self.decoder_u(u.h, u.switches)
        return HybridOutput(logits, c.h, u.h, x_c, x_u, x_c + x_u, _pairs(c, taps_c), _pairs(u, taps_u))

    def partial_reconstructions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What each latent draws alone, each (B, 3, H, W).

        With early fusion it is D of one latent while the other says nothing (Fig. 3.8); D is not linear, so
        the two do not add up to the reconstruction.

        Raises:
            ValueError: the net has one branch only.
        """
        if self.branches != "hybrid":
            raise ValueError(f"A net with branches={self.branches!r} has no two partial reconstructions.")
        if self.decoder is None:
            out = self(x)
            return out.x_c, out.x_u
        c, u = self.encoder_c(x), self.encoder_u(x)
        alone = (self.merge(c.h, self.merge.silent(u.h)), self.merge(self.merge.silent(c.h), u.h))
        x_c, x_u = (self.decoder(h, c.switches).x for h in alone)
        return x_c, x_u


def _pairs(encoded: Encoded, redrawn: tuple[Tensor, ...]) -> Pairs:
    return tuple(zip(encoded.taps, redrawn, strict=True))
