"""What of the features the last layer reads, and whether a unit then has two modes (Robert 2019, §A.2.2).

Fig. A.2 shows units of H before and after what no class score depends on is taken away. The thesis judges by
eye that two modes appear; the two measures here put a number on it, and are the course's choice.
"""

import torch
from torch import Tensor

WIDTH_FLOOR = 1e-6  # least variance of a mode, as a part of the unit's variance


def discriminative_component(H: Tensor, W: Tensor) -> Tensor:
    """H*, the orthogonal projection of features on the row space of W: all of them that W H can see.

    The thesis (§A.2.2) asks for a supplement of W's kernel; there are many, and this is the orthogonal one.
    Directions whose singular value is rounding error of the largest count as kernel.

    Args:
        H: features (N, D).
        W: weight of the layer that reads them (C, D), of any rank; a constant, no gradient reaches it.

    Returns:
        (N, D) in float32, or float64 for float64 input, with H* @ W.T equal to H @ W.T.

    Raises:
        TypeError: H or W is not of floating type.
        ValueError: the shapes do not fit.
    """
    for name, tensor in (("H", H), ("W", W)):
        if not tensor.is_floating_point():
            raise TypeError(f"{name} has type {tensor.dtype}, needed is a floating type.")
    if H.ndim != 2 or W.ndim != 2 or H.shape[1] != W.shape[1] or 0 in W.shape:
        raise ValueError(
            f"H and W have shapes {tuple(H.shape)} and {tuple(W.shape)}, needed are (N, D), (C, D)."
        )
    H = H if H.dtype == torch.float64 else H.float()
    with torch.autocast(H.device.type, enabled=False):
        _, strength, directions = torch.linalg.svd(W.detach().to(H), full_matrices=False)
        rounding = strength.max() * max(W.shape) * torch.finfo(H.dtype).eps
        seen = directions[strength > rounding]  # (rank, D), orthonormal
        return H @ seen.T @ seen


def discriminative_split(H: Tensor, W: Tensor) -> tuple[Tensor, Tensor]:
    """Features as what W reads and what it is blind to: H = H* + H⊥ with W H⊥ = 0 (§A.2.2).

    Args:
        H, W: see `discriminative_component`.

    Returns:
        H* and H⊥, each (N, D), orthogonal to each other for every sample.
    """
    read = discriminative_component(H, W)
    return read, H - read


def bimodality_coefficient(h: Tensor) -> Tensor:
    """Sarle's coefficient of each unit: (skewness² + 1) / kurtosis, corrected for the number of samples.

    Two equal narrow modes give 1, a uniform distribution 5/9, a Gaussian 1/3; above 5/9 is read as a sign of
    two modes. Skewness alone also raises it (an exponential distribution has 5/9), so look at `mixture_gain`
    too. The source of the formula is the SAS/STAT user's guide, chapter on PROC CLUSTER.

    Args:
        h: (N, D) with N at least 4.

    Returns:
        (D,) in float64 on the CPU, without gradient, in (0, 1] but for few samples; nan for a unit that is
        constant.

    Raises:
        ValueError: the shape does not fit.
    """
    from scipy.stats import kurtosis, skew

    values = _unit_variance(h, least=4)
    n = len(values)
    third, excess = skew(values, bias=False), kurtosis(values, bias=False)
    return torch.as_tensor((third**2 + 1) / (excess + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def mixture_gain(h: Tensor, seed: int = 0) -> Tensor:
    """How much better two Gaussians describe each unit than one: gain in mean log-likelihood, in nats.

    0 for a Gaussian. Two equal modes far apart gain log(S / s) - log 2, with S the standard deviation of the
    unit and s that of one mode. The number is the course's choice; the thesis looks at the histograms.
    A value that occurs many times, such as 0 behind a ReLU, is a mode without width: it gains as much as the
    floor on a mode's width lets it (a thousandth of the unit's standard deviation).

    Args:
        h: (N, D) with N at least 2.
        seed: of the starting points of EM; torch's and numpy's random states stay.

    Returns:
        (D,) in float64 on the CPU, without gradient, at least 0; nan for a unit that is constant.

    Raises:
        ValueError: the shape does not fit.
    """
    from sklearn.mixture import GaussianMixture

    def score(unit, components):
        mixture = GaussianMixture(
            components, reg_covar=WIDTH_FLOOR, tol=1e-6, max_iter=500, n_init=2, random_state=seed
        )
        return mixture.fit(unit).score(unit)

    gains = [
        score(unit, 2) - score(unit, 1) if (unit == unit).all() else float("nan")
        for unit in _unit_variance(h, least=2).T[:, :, None]
    ]
    return torch.tensor(gains, dtype=torch.float64).clamp(min=0)  # one Gaussian is a mixture of two as well


def _unit_variance(h: Tensor, least: int):
    """The units as an array (N, D) in float64, each with mean 0 and variance 1; nan where it is constant."""
    if h.ndim != 2 or len(h) < least:
        raise ValueError(f"h has shape {tuple(h.shape)}, needed is (N, D) with at least {least} samples.")
    values = h.detach().double().cpu()
    varies = (values != values[0]).any(0)
    centred = values - values.mean(0)
    return (centred / torch.where(varies, centred.square().mean(0).sqrt(), torch.nan)).numpy()
