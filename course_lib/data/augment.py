"""``Augment``: which random changes the images of a batch undergo, each image with its own draws."""

import dataclasses
import numbers

import torch
from torch import Tensor

from course_lib.data import colour, geometry
from course_lib.data.normalise import TOP


@dataclasses.dataclass(frozen=True)
class Augment:
    """Random changes of images, on their device; what is not asked for costs nothing.

    They happen in the order of the list. Labels stay as they are; masks and factors are not moved along.

    Attributes:
        crop: side of the square window that is cut out, in pixels; None keeps the size of the image.
        pad: pixels of mirror image around the image in which the window may lie too.
        translate: shift by up to so many pixels in both directions, with the mirror image at the border too.
        flip: mirror left to right, for every second image on average.
        rotate: turn by up to so many degrees in both directions, bilinearly.
        colour: scale brightness, then contrast, then saturation by factors from [1 - colour, 1 + colour].
        noise: standard deviation of Gaussian noise, which is added after normalisation: its unit is one
            standard deviation of the set's pixels.
    """

    crop: int | None = None
    pad: int = 0
    flip: bool = False
    translate: int = 0
    rotate: float = 0.0
    colour: float = 0.0
    noise: float = 0.0

    def __post_init__(self):
        if self.crop is not None:
            whole_number("crop", self.crop, least=1)
        whole_number("pad", self.pad, least=0)
        whole_number("translate", self.translate, least=0)
        for name, most in (("rotate", 180.0), ("colour", 1.0), ("noise", float("inf"))):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) or not 0 <= value <= most:
                raise ValueError(f"{name} is {value!r}, possible are numbers from 0 to {most:g}.")

    @property
    def margin(self) -> int:
        """How far a window may reach beyond the image, in pixels."""
        return self.pad + self.translate

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size (h, w) of what is cut out of images of size ``height`` x ``width``.

        Raises:
            ValueError: the window is larger than the padded image.
        """
        if self.crop is None:
            return height, width
        if self.crop > min(height, width) + 2 * self.pad:
            raise ValueError(
                f"crop is {self.crop}, but a {height}x{width} image padded by {self.pad} holds at most "
                f"{min(height, width) + 2 * self.pad}."
            )
        return self.crop, self.crop

    def cut(self, windows: Tensor, index: Tensor, generator: torch.Generator) -> Tensor:
        """Crop, translate and flip: what moves whole pixels, and so can stay uint8.

        Args:
            windows: (N, C, R, S, h, w), all windows of the images padded by `margin`.
            index: (B,) int64, which images.
            generator: makes the draws, on the device of the windows.

        Returns:
            (B, C, h, w) uint8.
        """

        def uniform(below: int) -> Tensor:
            return torch.randint(below, (len(index),), generator=generator, device=index.device)

        rows, columns = (places - 2 * self.translate for places in windows.shape[2:4])
        dy, dx = uniform(rows), uniform(columns)
        if self.translate:
            dy, dx = dy + uniform(2 * self.translate + 1), dx + uniform(2 * self.translate + 1)
        x = geometry.gather(windows, index, dy, dx)
        return geometry.flip(x, uniform(2).bool()) if self.flip else x

    def distort(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Rotate and change colours.

        Args:
            x: (B, C, h, w) floating, from 0 to 255.
            generator: makes the draws, on the device of x.
        """

        def around(middle: float, reach: float) -> Tensor:
            draw = torch.rand(len(x), generator=generator, device=x.device, dtype=x.dtype)
            return middle + reach * (2 * draw - 1)

        if self.rotate:
            x = geometry.rotate(x, around(0, self.rotate))
        if self.colour:
            for change in (colour.brightness, colour.contrast, colour.saturation):
                x = change(x, around(1, self.colour), TOP)
        return x

    def disturb(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Add the noise to normalised images (B, C, h, w)."""
        if not self.noise:
            return x
        return x + self.noise * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def whole_number(name: str, value: object, least: int) -> None:
    """Refuse what is not a whole number from ``least`` on, in one sentence.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}, possible are whole numbers from {least}.")
