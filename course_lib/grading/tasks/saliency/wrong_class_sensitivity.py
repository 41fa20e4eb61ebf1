"""Wrong answers to saliency.class_sensitivity: a right one in pieces, and each wrong one replaces a piece."""

import torch
from torch import Tensor

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.wrong_spearman import average_ranks, pearson


def rank_correlations(a: Tensor, b: Tensor) -> Tensor:
    return pearson(average_ranks(a.flatten(1)), average_ranks(b.flatten(1)))


def by_position(a: Tensor, b: Tensor) -> Tensor:
    return pearson(*(m.flatten(1).argsort(dim=1, stable=True).argsort(dim=1).double() for m in (a, b)))


def finite_ones(rho: Tensor) -> tuple[Tensor, Tensor]:
    kept = rho[~rho.isnan()]
    return kept.mean(), torch.tensor(float(len(kept)), dtype=rho.dtype, device=rho.device)


def comparing(
    classes=lambda logits: (logits.argmax(1), logits.argmin(1)),
    correlation=rank_correlations,
    given=lambda maps: maps,
    joined=finite_ones,
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(fn, model, x):
        most, least = classes(model(x))
        return joined(correlation(given(fn(model, x, most)), given(fn(model, x, least))))

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def among_the_present(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The least likely of the classes with a positive logit."""
    present = logits.where(logits > 0, torch.full_like(logits, torch.inf))
    return logits.argmax(1), present.argmin(1)


def of_the_batch(logits: Tensor) -> tuple[Tensor, Tensor]:
    mean = logits.mean(0)
    return tuple(each.expand(len(logits)) for each in (mean.argmax(), mean.argmin()))


def over_the_images(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Softmax along the wrong axis, so that the images compete and not the classes."""
    p = logits.softmax(0)
    return p.argmax(1), p.argmin(1)


def between_images(fn, model, x):
    maps = fn(model, x, model(x).argmax(1))
    return finite_ones(rank_correlations(maps, maps.roll(1, 0)))


def all_other_classes(fn, model, x):
    logits = model(x)
    order = logits.argsort(dim=1, descending=True)
    top = fn(model, x, order[:, 0])
    each = [rank_correlations(top, fn(model, x, order[:, k])) for k in range(1, order.shape[1])]
    return finite_ones(torch.stack(each).mean(0))


def all_maps_in_one(a: Tensor, b: Tensor) -> Tensor:
    return rank_correlations(a.reshape(1, -1), b.reshape(1, -1)).expand(len(a))


def mean_maps(a: Tensor, b: Tensor) -> Tensor:
    return rank_correlations(a.mean(0, keepdim=True), b.mean(0, keepdim=True)).expand(len(a))


def with_value(number: float):
    """NaN replaced by a number, which counts like a correlation."""
    return lambda rho: finite_ones(rho.nan_to_num(nan=number))


def one_flat_counts_zero(a: Tensor, b: Tensor) -> Tensor:
    """Only an image whose maps are both flat is left out."""
    flat_a, flat_b = ((m.flatten(1) == m.flatten(1)[:, :1]).all(1) for m in (a, b))
    rho = rank_correlations(a, b)
    return torch.where(flat_a ^ flat_b, torch.zeros_like(rho), rho)


def every_image_valid(rho: Tensor) -> tuple[Tensor, float]:
    return finite_ones(rho)[0], float(len(rho))


def then(change):
    """The right mean with a last step too many."""

    def joined(rho: Tensor):
        mean, valid = finite_ones(rho)
        return change(mean), valid

    return joined


MISCONCEPTIONS = (
    Misconception(
        "the runner-up",
        comparing(classes=lambda logits: tuple(logits.topk(2, dim=1).indices.T)),
        "The second most likely class is compared, which may well be in the image, too. "
        "Take the class with the smallest logit.",
    ),
    Misconception(
        "least likely of those present",
        comparing(classes=among_the_present),
        "The least likely class is sought among those with a positive logit, the ones that seem present. "
        "Take the smallest logit of all: that class shall be absent.",
    ),
    Misconception(
        "smallest magnitude",
        comparing(classes=lambda logits: (logits.argmax(1), logits.abs().argmin(1))),
        "The class whose logit is closest to 0 is taken as the least likely one. "
        "The most negative logit has the smallest probability.",
    ),
    Misconception(
        "the same class twice",
        comparing(classes=lambda logits: (logits.argmax(1), logits.argmax(1))),
        "Both maps are those of the most likely class, and a map agrees with itself. "
        "The second one is for the least likely class.",
    ),
    Misconception(
        "one pair of classes for all images",
        comparing(classes=of_the_batch),
        "The two classes are chosen once, from the mean logits. "
        "Each image has its own most and least likely class.",
    ),
    Misconception(
        "softmax over the images",
        comparing(classes=over_the_images),
        "The softmax runs over the images, so an image competes with the others of its batch. "
        "The logits of one image stand in a row: use dim=1, or no softmax at all.",
    ),
    Misconception(
        "images instead of classes",
        between_images,
        "Maps of two images are compared, both for the most likely class. "
        "Compare two maps of the same image, for two classes.",
    ),
    Misconception(
        "all other classes",
        all_other_classes,
        "The most likely class is compared with every other one. "
        "Compare it with the least likely class only.",
    ),
    Misconception(
        "values instead of ranks",
        comparing(correlation=lambda a, b: pearson(a.flatten(1), b.flatten(1))),
        "This is Pearson's correlation of the values. Correlate the ranks, as Spearman does.",
    ),
    Misconception(
        "ties by position",
        comparing(correlation=by_position),
        "Equal values get different ranks, by where they stand, so maps that are 0 in many places seem to "
        "agree. "
        "Give equal values the mean of their ranks.",
    ),
    Misconception(
        "magnitudes of the maps",
        comparing(given=lambda maps: maps.abs()),
        "The sign of the maps is taken away. Where one class is supported the other may be denied, "
        "and this is what a negative correlation tells: leave the signs.",
    ),
    Misconception(
        "negative parts cut off",
        comparing(given=lambda maps: maps.clamp(min=0)),
        "The negative parts of the maps are set to 0. Rank the maps as they come.",
    ),
    Misconception(
        "sizes of the correlations",
        comparing(joined=lambda rho: finite_ones(rho.abs())),
        "The mean is over the sizes of the correlations. Keep their signs: "
        "negative ones are the mark of methods that sum.",
    ),
    Misconception(
        "size of the mean",
        comparing(joined=then(lambda mean: mean.abs())),
        "The sign of the mean is taken away. Return it with its sign.",
    ),
    Misconception(
        "one minus the mean",
        comparing(joined=then(lambda mean: 1 - mean)),
        "This is 1 minus the mean, a distance. Return the mean correlation itself; 0 is the best that it "
        "can be.",
    ),
    Misconception(
        "all maps in one",
        comparing(correlation=all_maps_in_one),
        "The maps of all images are put in one line and correlated once. "
        "Rank and correlate image by image, then take the mean.",
    ),
    Misconception(
        "mean maps",
        comparing(correlation=mean_maps),
        "The maps are averaged over the images before they are compared. "
        "Correlate image by image, then take the mean of the correlations.",
    ),
    Misconception(
        "median",
        comparing(joined=lambda rho: (rho.nanmedian(), finite_ones(rho)[1])),
        "This is the median of the correlations. Return their mean.",
    ),
    Misconception(
        "NaN spreads",
        comparing(joined=lambda rho: (rho.mean(), finite_ones(rho)[1])),
        "One flat map makes the whole mean NaN. Leave those images out of the mean.",
    ),
    Misconception(
        "a flat map counts 0",
        comparing(joined=with_value(0.0)),
        "An image with a flat map counts with correlation 0, the best value there is. "
        "So a method that draws nothing would win: leave such images out.",
    ),
    Misconception(
        "a flat map counts 1",
        comparing(joined=with_value(1.0)),
        "An image with a flat map counts with correlation 1. There is nothing to compare: leave it out.",
    ),
    Misconception(
        "divided by all images",
        comparing(joined=lambda rho: (rho.nansum() / len(rho), finite_ones(rho)[1])),
        "The sum of the valid correlations is divided by the number of all images. Divide it by n_valid.",
    ),
    Misconception(
        "left out only if both are flat",
        comparing(correlation=one_flat_counts_zero),
        "An image is left out only if both of its maps are flat. One flat map is enough: it has no order.",
    ),
    Misconception(
        "all images are called valid",
        comparing(joined=every_image_valid),
        "n_valid is the number of all images. Count those whose correlation is a number.",
    ),
    Misconception(
        "results swapped",
        comparing(joined=lambda rho: finite_ones(rho)[::-1]),
        "The two results come in the wrong order. Return the mean first, then n_valid.",
    ),
)
