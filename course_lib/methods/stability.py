"""Stability: several noisy passes over one image should say the same (Robert 2019, Eq. 2.7).

Sajjadi et al. 2016 compare all pairs of passes, under dropout and augmentation. No label takes part.
"""

from torch import Tensor


def all_pairs_stability(predictions: Tensor) -> Tensor:
    """Mean over samples of Σ_j Σ_k ‖ŷ_k - ŷ_j‖², over all pairs of passes, each counted twice (Eq. 2.7).

    It is computed as 2K Σ_k ‖ŷ_k - ȳ‖², with ȳ the mean of a sample's passes, which needs no pairs.

    Args:
        predictions: (K, B, C), what K passes say about B samples. Gradients reach all of them.

    Returns:
        a scalar, in float32, or float64 for float64 input.

    Raises:
        TypeError: predictions are not of floating type.
        ValueError: the shape does not fit, or there are fewer than two passes, or no samples.
    """
    if not predictions.is_floating_point():
        raise TypeError(f"predictions have type {predictions.dtype}, needed is a floating type.")
    if predictions.ndim != 3 or len(predictions) < 2 or predictions.numel() == 0:
        raise ValueError(
            f"predictions have shape {tuple(predictions.shape)}, needed is (K, B, C) with K at least 2."
        )
    y = predictions if predictions.element_size() == 8 else predictions.float()
    return 2 * len(y) * (y - y.mean(0)).square().sum((0, 2)).mean()
