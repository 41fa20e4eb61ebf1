"""Linear probes: what can be read from a representation by a linear map, and how well."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.training import evaluation_mode

SIDE = 2  # maps are averaged over a grid of so many cells a side, so that a probe knows roughly where


@torch.no_grad()
def pooled_latents(encoder: nn.Module, batches: Iterable) -> Tensor:
    """The latents of all images, averaged over a 2x2 grid: (N, 4 · channels), on the CPU, in float64.

    Args:
        encoder: maps images to something with ``h`` (B, channels, height, width).
        batches: of images, in order.
    """
    with evaluation_mode(encoder):
        found = [F.adaptive_avg_pool2d(encoder(batch.x).h, SIDE).flatten(1) for batch in batches]
    return torch.cat(found).double().cpu()


def class_probe(h: Tensor, y: Tensor, h_test: Tensor, y_test: Tensor) -> float:
    """Test accuracy (%) of a ridge classifier on the features; its strength is chosen on the training ones.

    Args:
        h, h_test: features (N, D).
        y, y_test: labels (N,).
    """
    from sklearn.linear_model import RidgeClassifierCV

    probe = _scaled(RidgeClassifierCV(STRENGTHS)).fit(h.numpy(), y.cpu().numpy())
    return 100 * float(probe.score(h_test.numpy(), y_test.cpu().numpy()))


def value_probe(h: Tensor, values: Tensor, h_test: Tensor, values_test: Tensor) -> float:
    """R² (%) on the test images of a ridge regression of some numbers on the features, mean over the numbers.

    Args:
        h, h_test: features (N, D).
        values, values_test: numbers (N, K) to be read, such as a colour.
    """
    from sklearn.linear_model import RidgeCV

    probe = _scaled(RidgeCV(STRENGTHS)).fit(h.numpy(), values.cpu().numpy())
    return 100 * float(probe.score(h_test.numpy(), values_test.cpu().numpy()))


STRENGTHS = (1e-2, 1.0, 1e2, 1e4)


def _scaled(probe):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), probe)
