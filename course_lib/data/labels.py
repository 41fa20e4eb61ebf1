"""Which labels a learner may see: balanced labelled subsets and stratified validation splits, by seed."""

import numpy as np
import torch
from torch import Tensor


def balanced_subset(labels: Tensor, n: int, seed: int) -> Tensor:
    """Places of ``n`` labelled images, as evenly spread over the classes as ``n`` allows.

    Class counts differ by one at most. For one seed the subsets are nested: the 50 are among the 100, which
    are among the 250, so that a curve over ``n`` is not blurred by a change of images.

    Args:
        labels: (N,) integers; -1 marks an image without a label, which is never chosen.
        n: how many in total, at least one per class.
        seed: which subset.

    Returns:
        (n,) int64 in rising order, on the device of ``labels``.

    Raises:
        ValueError: ``n`` is below the number of classes, or some class has too few images.
    """
    rng, places = np.random.default_rng(seed), _places(labels)
    classes = len(places)
    if not classes <= n:
        raise ValueError(
            f"n is {n}, but each of the {classes} classes needs one: at least {classes} are possible."
        )
    shuffled = {c: rng.permutation(where) for c, where in places.items()}
    share = np.full(classes, n // classes)
    share[rng.permutation(classes)[: n % classes]] += 1
    for (c, where), k in zip(places.items(), share, strict=True):
        if len(where) < k:
            raise ValueError(
                f"n is {n}, but class {c} has only {len(where)} of the {k} images wanted: "
                f"at most {classes * min(map(len, places.values()))} can be balanced."
            )
    chosen = np.concatenate([where[:k] for where, k in zip(shuffled.values(), share, strict=True)])
    return torch.from_numpy(np.sort(chosen)).to(labels.device)


def split_off(labels: Tensor, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Set ``n`` images aside, each class in proportion to its size (stratified; largest remainders first).

    Args:
        labels: (N,) integers; images without a label (-1) count as a class of their own.
        n: how many to hold out, 0 to N.
        seed: which ones.

    Returns:
        ``rest`` (N - n,) and ``held_out`` (n,), int64 places in rising order, on the device of ``labels``.

    Raises:
        ValueError: ``n`` is negative or above N.
    """
    rng, places = np.random.default_rng(seed), _places(labels, unlabelled=True)
    if not 0 <= n <= len(labels):
        raise ValueError(f"n is {n}, possible are 0 to {len(labels)}.")
    sizes = np.array([len(where) for where in places.values()])
    exact = n * sizes / max(sizes.sum(), 1)
    share = np.floor(exact).astype(int)
    share[np.argsort(share - exact, kind="stable")[: n - share.sum()]] += 1
    chosen = np.zeros(len(labels), bool)
    for where, k in zip(places.values(), share, strict=True):
        chosen[rng.permutation(where)[:k]] = True
    rest, held_out = (torch.from_numpy(np.flatnonzero(part)).to(labels.device) for part in (~chosen, chosen))
    return rest, held_out


def _places(labels: Tensor, unlabelled: bool = False) -> dict[int, np.ndarray]:
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (N,), given {tuple(labels.shape)}.")
    values = labels.cpu().numpy()
    return {int(c): np.flatnonzero(values == c) for c in np.unique(values) if unlabelled or c >= 0}
