"""Fig. A.2, measured: does a unit of the last layer have two modes, before and after the projection?"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from scipy.signal import find_peaks
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from course_lib import data
from course_lib.methods.discriminative import (
    bimodality_coefficient,
    discriminative_component,
    mixture_gain,
)
from course_lib.methods.preactivations import pre_activations
from course_lib.nets import SmallInception
from course_lib.studies.registry import Cell
from course_lib.studies.shade.shared import splits, train
from course_lib.training import accuracy_of, predict

GRID = 256  # points at which a density is looked at
HEIGHT = 0.1  # a mode is at least this part of the highest one
VALLEY = 0.9  # between two modes the density falls below this part of the lower one
LAST = tuple(f"body.stage3_inception2.{branch}.relu" for branch in ("ones", "threes"))  # makes the features


@dataclass(frozen=True)
class TwoModes:
    """What is trained, and which units of it are looked at.

    Attributes:
        data: the image set, used with all its labels.
        width: factor on the maps of the small Inception.
        crop: side of a random window, flipped at random, that is shown in training; None shows the image.
        steps, batch_size, lr: of the training.
        momentum: of the training; None trains with Adam, see ``shared.train``.
        units: how many units are looked at, drawn at random; with fewer in the net, all of them.
        looked_at: images of each of three parts at most: one half of the training set, the other, the test
            set.  As many of each, because an estimated density and a distance depend on their number.
    """

    data: str
    width: float = 0.25
    crop: int | None = None
    steps: int = 300
    batch_size: int = 50
    lr: float = 1e-3
    momentum: float | None = None
    units: int = 32
    looked_at: int = 600


def measure_two_modes(config: TwoModes, seed: int) -> dict[Cell, float]:
    """Measures of the units by (quantity, values, images); quantities are between 0 and 1, or in nats."""
    values, accuracies = representations(config, seed)
    units = some_units(values["full", "train"], config.units, seed)
    cells: dict[Cell, float] = {
        ("accuracy", "net", images): accuracy for images, accuracy in accuracies.items()
    }
    looked_at = {where: tensor[:, units] for where, tensor in values.items()}
    for where, h in looked_at.items():
        if where[1] == "other half":  # is only there to be compared with
            continue
        cells |= {(quantity, *where): value for quantity, value in looks(h).items()}
    first = looked_at["discriminative", "train"]
    for images in ("other half", "test"):
        cells["distance", "discriminative", images] = distance(first, looked_at["discriminative", images])
    return cells


def looks(h: Tensor) -> dict[str, float]:
    """How two-moded units are, in four ways, as means over the units.

    Args:
        h: (N, D), where no unit is constant.

    Returns:
        ``two modes``, the part of the units with two or more; ``both signs``, the part with such on both
        sides of 0; ``coefficient`` and ``gain``, the measures of `course_lib.methods.discriminative`.
    """
    found = [modes(unit) for unit in h.T]
    with warnings.catch_warnings():
        # EM creeps where one Gaussian is enough, and its last bits are not worth more steps
        warnings.simplefilter("ignore", ConvergenceWarning)
        gain = mixture_gain(h)
    return {
        "two modes": float(np.mean([len(places) >= 2 for places in found])),
        "both signs": float(np.mean([len(places) >= 2 and places[0] < 0 < places[-1] for places in found])),
        "coefficient": bimodality_coefficient(h).nanmean().item(),
        "gain": gain.nanmean().item(),
    }


def representations(config: TwoModes, seed: int) -> tuple[dict[tuple[str, str], Tensor], dict[str, float]]:
    """The values of a trained net's last units, in the ways that are compared.

    Returns:
        by (values, images), each (N, D) on the CPU, the same unit in the same column:
        ``full`` H, the input of the last layer;
        ``discriminative`` H*, what the last layer reads of it;
        ``random`` the projection of H on as many random dimensions as the last layer reads;
        ``before`` what enters the ReLU, at one random position of each image.
        And the net's accuracy, from 0 to 1, on its training and test images.
    """
    images, test = splits(config.data)
    mean, std = images.statistics()

    def batches(chosen: data.ImageSet, size: int, training: bool = False) -> data.Batches:
        augment = data.Augment(crop=config.crop, flip=training and config.crop is not None)
        return data.Batches(
            chosen, size, augment=augment, seed=seed, mean=mean, std=std, channels_last=training
        )

    torch.manual_seed(seed)
    whole = batches(images, config.batch_size, training=True)
    model = SmallInception(whole.shape, images.num_classes, width=config.width).to(images.images.device)
    how = {"steps": config.steps, "lr": config.lr, "momentum": config.momentum}
    train(model, whole, "none", weight=0.0, **how)

    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    half = min(config.looked_at, len(images) // 2)
    parts = {
        "train": images.subset(order[:half].to(images.images.device)),
        "other half": images.subset(order[half : 2 * half].to(images.images.device)),
        "test": test.subset(range(min(config.looked_at, len(test)))),
    }
    full = {name: predict(model.body, batches(part, 500)).float().cpu() for name, part in parts.items()}
    weight = model.head.weight.detach().float().cpu()
    rank = int(torch.linalg.matrix_rank(weight))
    anything = torch.randn(rank, weight.shape[1], generator=generator)
    values = {("full", name): full[name] for name in ("train", "test")}
    values |= {("discriminative", name): discriminative_component(H, weight) for name, H in full.items()}
    for name in ("train", "test"):
        values["random", name] = discriminative_component(full[name], anything)
        values["before", name] = before_relu(model, batches(parts[name], 500), generator)
    accuracies = {
        "train": accuracy_of(model, batches(images, 500)),
        "test": accuracy_of(model, batches(test, 500)),
    }
    return values, accuracies


def before_relu(model: SmallInception, batches: data.Batches, generator: torch.Generator) -> Tensor:
    """What enters the last ReLUs at one position of each image, drawn at random.

    For SHADE each position of each image is a sample, and this is one of them.

    Returns:
        (N, D) on the CPU, the units in the order of the features.
    """
    values = []
    for batch in batches.evaluation():
        maps = pre_activations(model, batch.x, LAST)
        flat = torch.cat([maps[name].flatten(2) for name in LAST], dim=1).float().cpu()
        place = torch.randint(flat.shape[2], (len(flat),), generator=generator)
        values.append(flat[torch.arange(len(flat)), :, place])
    return torch.cat(values)


def some_units(H: Tensor, count: int, seed: int) -> Tensor:
    """Numbers of at most ``count`` units, drawn at random among those whose values differ."""
    alive = (H - H[0]).any(0).nonzero()[:, 0]
    return alive[torch.randperm(len(alive), generator=torch.Generator().manual_seed(seed))[:count]]


def modes(unit: Tensor) -> np.ndarray:
    """Where the density of a unit has its modes.

    The density is a kernel estimate with Scott's bandwidth.  A maximum counts as a mode of its own when it is
    at least a tenth as high as the highest, and when a valley that is lower by a tenth separates it from the
    next one.  Samples of a Gaussian or an exponential distribution have one.

    Args:
        unit: (N,) values.

    Returns:
        places of the modes, rising; of a unit that is constant, that one value.
    """
    values = unit.double().cpu().numpy()
    if values.std() == 0:
        return values[:1]
    places, heights = density(unit)
    maxima = find_peaks(np.concatenate([[0], heights, [0]]))[0] - 1
    maxima = [peak for peak in maxima if heights[peak] >= HEIGHT * heights.max()]
    found = maxima[:1]
    for peak in maxima[1:]:
        lower = min(heights[found[-1]], heights[peak])
        if heights[found[-1] : peak].min() < VALLEY * lower:
            found.append(peak)
        elif heights[peak] > heights[found[-1]]:
            found[-1] = peak
    return places[found]


def density(unit: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The kernel estimate of a unit's density, as the source draws it: places and heights, (256,) each."""
    values = unit.double().cpu().numpy()
    places = np.linspace(values.min(), values.max(), GRID)
    return places, stats.gaussian_kde(values)(places)


def distance(a: Tensor, b: Tensor) -> float:
    """The Kolmogorov-Smirnov distance of each unit's two samples, (N, D) and (M, D); mean over the units."""
    return float(np.mean([stats.ks_2samp(*unit).statistic for unit in zip(a.T.numpy(), b.T.numpy())]))


def example_units(config: TwoModes, seed: int, count: int = 5) -> dict[str, Tensor]:
    """The values of a few random units, for the picture of one net.

    Returns:
        ``full``, ``discriminative`` and ``test`` (H and H* on training images, H* on test images), each
        (N, count), with one unit in the same column of all three.
    """
    values, _ = representations(config, seed)
    units = some_units(values["full", "train"], count, seed)
    return {
        "full": values["full", "train"][:, units],
        "discriminative": values["discriminative", "train"][:, units],
        "test": values["discriminative", "test"][:, units],
    }
