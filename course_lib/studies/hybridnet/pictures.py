"""What is in a partial reconstruction: contrast, fine detail, colour, measured image by image."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.data import Batches
from course_lib.methods.hybridnet import HybridNet
from course_lib.training import evaluation_mode


def contrast(x: Tensor) -> Tensor:
    """Variance over the pixels of each image, mean over its channels: (B, C, H, W) to (B,); 0 where flat."""
    return x.flatten(2).var(2, correction=0).mean(1)


def fine_detail(x: Tensor) -> Tensor:
    """The part (%) of that variance which goes when each 4x4 block becomes flat; nan for a flat picture."""
    coarse = F.interpolate(F.avg_pool2d(x, 4), size=x.shape[2:], mode="nearest")
    return 100 * contrast(x - coarse) / contrast(x)


def colour(x: Tensor) -> Tensor:
    """The part (%) of an image's energy that is no grey: what the mean over the channels leaves."""
    return 100 * (x - x.mean(1, keepdim=True)).square().flatten(1).mean(1) / x.square().flatten(1).mean(1)


def described(pictures: dict[str, Tensor]) -> dict[tuple[str, str], float]:
    """Error, contrast relative to the image's, fine detail and colour of each part, means over images.

    Args:
        pictures: the images "image" and their parts, (N, C, H, W) each.

    Returns:
        values by (quantity, part): the error per pixel, the others in %.
    """
    own = contrast(pictures["image"])
    found = {}
    for part, x in pictures.items():
        for quantity, values in (
            ("error", (x - pictures["image"]).square().flatten(1).mean(1)),
            ("contrast", 100 * contrast(x) / own),
            ("fine detail", fine_detail(x)),
            ("colour", colour(x)),
        ):
            found[quantity, part] = torch.nanmean(values).item()
    return found


@torch.no_grad()
def reconstructions(net: HybridNet, batches: Batches) -> dict[str, Tensor]:
    """The images as the net sees them, "image", and x̂_c, x̂_u, x̂ as "c", "u", "x": (N, C, H, W) each."""
    parts: dict[str, list[Tensor]] = {"image": [], "c": [], "u": [], "x": []}
    with evaluation_mode(net):
        for batch in batches:
            out = net(batch.x)
            for name, picture in zip(parts, (batch.x, out.x_c, out.x_u, out.x_hat)):
                parts[name].append(picture.float())
    return {name: torch.cat(pictures) for name, pictures in parts.items()}
