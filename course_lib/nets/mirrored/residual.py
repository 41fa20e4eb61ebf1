"""What the two residual nets share: a convolution or its mirror image, first weights, and what is refused."""

from torch import Tensor, nn


def convolution(maps: int, out: int, size: int, stride: int = 1, *, mirrored: bool = False) -> nn.Module:
    """A convolution without bias that divides the side of a map by ``stride``, or one that multiplies it.

    Args:
        maps, out: channels before and after.
        size: of the filter, odd.
        stride: a divisor of the side.
        mirrored: transposed. A side of h could come from ``stride`` different ones; it becomes the largest of
            them, ``stride * h``.
    """
    if not mirrored:
        return nn.Conv2d(maps, out, size, stride, size // 2, bias=False)
    return nn.ConvTranspose2d(maps, out, size, stride, size // 2, output_padding=stride - 1, bias=False)


def start_convolutions(net: nn.Module) -> None:
    """Draw the weights of a net's convolutions from N(0, 2 / (size² · out)), in place (He et al. 2015)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # ``out`` is the first axis of a convolution's weights, but the second of a transposed one's.
            mode = "fan_in" if module.transposed else "fan_out"
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")


def check_images(x: Tensor, channels: int, multiple: int) -> None:
    """Refuse what is no batch of images (B, channels, H, W) with sides that are multiples of a number.

    Raises:
        ValueError: the shape is another.
    """
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"x has shape {tuple(x.shape)}, this encoder takes (B, {channels}, H, W).")
    if x.shape[2] % multiple or x.shape[3] % multiple:
        raise ValueError(
            f"x has sides of {x.shape[2]} and {x.shape[3]}, which would not come back out of the decoder; "
            f"this encoder takes multiples of {multiple}."
        )


def check_latent(h: Tensor, channels: int) -> None:
    """Refuse what is no latent (B, channels, h, w).

    Raises:
        ValueError: the shape is another.
    """
    if h.ndim != 4 or h.shape[1] != channels:
        raise ValueError(f"h has shape {tuple(h.shape)}, this decoder takes (B, {channels}, h, w).")
