"""What an encoder and a decoder hand over, and what belongs together: the parts of a net that also draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

UPS = ("nearest", "unpool")


class Encoded(NamedTuple):
    """What an encoder makes of images.

    Attributes:
        h: the latent, (B, C, h, w).
        taps: activations on the way that a decoder can be held to, the one nearest to the image first.
        switches: for each pooling that has them, where its maxima stood (flat places within a map).
    """

    h: Tensor
    taps: tuple[Tensor, ...] = ()
    switches: tuple[Tensor, ...] = ()


class Decoded(NamedTuple):
    """What a decoder makes of a latent.

    Attributes:
        x: the picture, (B, C, H, W).
        taps: its activations that mirror the encoder's taps, in the encoder's order and of the same shapes.
    """

    x: Tensor
    taps: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Family:
    """Encoder, decoder and classifier of one architecture; each call makes a module with fresh weights.

    Attributes:
        name: of the architecture.
        latent: channels of h.
        make_encoder: ``make_encoder()`` maps images (B, C, H, W) to `Encoded`.
        make_decoder: ``make_decoder(up)`` maps ``(h, switches)`` to `Decoded`; ``up`` says how a pooling is
            undone, and is one of ``ups``.
        make_classifier: ``make_classifier()`` maps h to logits (B, num_classes).
        ups: the ways of undoing a pooling that its decoder has; only "stride" where there is no pooling.
    """

    name: str
    latent: int
    make_encoder: Callable[[], nn.Module]
    make_decoder: Callable[[str], nn.Module]
    make_classifier: Callable[[], nn.Module]
    ups: tuple[str, ...] = UPS


def check_up(up: str, ups: tuple[str, ...] = UPS) -> None:
    """Refuse a way of undoing a pooling that the decoder does not have.

    Raises:
        ValueError: ``up`` is not among ``ups``.
    """
    if up not in ups:
        raise ValueError(f"up is {up!r}, possible are {', '.join(ups)}.")
