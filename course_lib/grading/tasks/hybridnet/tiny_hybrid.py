"""The HybridNet that the check of hybridnet.hybrid_loss hands over: all of its parts, a thousand weights."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, max_pool2d, max_unpool2d


class TinyOutput(NamedTuple):
    """What a HybridNet makes of images; the names are those of the course's own HybridNet."""

    logits: Tensor
    h_c: Tensor
    h_u: Tensor
    x_c: Tensor
    x_u: Tensor
    x_hat: Tensor
    taps_c: tuple[tuple[Tensor, Tensor], ...]
    taps_u: tuple[tuple[Tensor, Tensor], ...]


class TinyEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The latent, what comes out of each pooling, and the switches of each pooling."""
        taps, switches = [], []
        for conv in (self.first, self.second):
            x, where = max_pool2d(leaky_relu(conv(x), 0.1), 2, return_indices=True)
            taps.append(x)
            switches.append(where)
        return leaky_relu(self.last(x), 0.1), taps, switches


class TinyDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 3, padding=1)
        self.last = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, h: Tensor, switches: list[Tensor | None]) -> tuple[Tensor, list[Tensor]]:
        """The picture, and what enters each undoing of a pooling, in the encoder's order."""
        deep = leaky_relu(self.first(h), 0.1)
        middle = leaky_relu(self.second(undone(deep, switches[1])), 0.1)
        return self.last(undone(middle, switches[0])), [middle, deep]


def undone(x: Tensor, switches: Tensor | None) -> Tensor:
    if switches is None:
        return interpolate(x, scale_factor=2.0, mode="nearest")
    return max_unpool2d(x, switches, 2)


class TinyHybrid(nn.Module):
    """Two branches; the discriminative one forgets its switches, the unsupervised one uses them.

    Args:
        weights: all of its weights, (P,), in the order of the modules below.
        classes: K.
    """

    def __init__(self, weights: Tensor, classes: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # the first weights are replaced at once, so nothing is drawn
            self.encoder_c, self.decoder_c = TinyEncoder(), TinyDecoder()
            self.encoder_u, self.decoder_u = TinyEncoder(), TinyDecoder()
            self.classifier = nn.Linear(3, classes)
        self.to(weights)
        nn.utils.vector_to_parameters(weights.clone(), self.parameters())

    def forward(self, x: Tensor) -> TinyOutput:
        """Images (B, 2, H, W), H and W multiples of 4, to everything that the losses need."""
        h_c, seen_c, _ = self.encoder_c(x)
        h_u, seen_u, switches = self.encoder_u(x)
        x_c, drawn_c = self.decoder_c(h_c, [None, None])
        x_u, drawn_u = self.decoder_u(h_u, switches)
        logits = self.classifier(h_c.mean((2, 3)))
        pairs_c, pairs_u = tuple(zip(seen_c, drawn_c)), tuple(zip(seen_u, drawn_u))
        return TinyOutput(logits, h_c, h_u, x_c, x_u, x_c + x_u, pairs_c, pairs_u)

    def parts(self) -> dict[str, nn.Module]:
        """The modules by their names in the formulas."""
        return {
            "E_c": self.encoder_c, "C": self.classifier, "D_c": self.decoder_c,
            "E_u": self.encoder_u, "D_u": self.decoder_u,
        }  # fmt: skip


def count(classes: int) -> int:
    """How many weights it has."""
    with torch.device("meta"):
        pieces = (TinyEncoder(), TinyDecoder(), TinyEncoder(), TinyDecoder(), nn.Linear(3, classes))
    return sum(weight.numel() for piece in pieces for weight in piece.parameters())
