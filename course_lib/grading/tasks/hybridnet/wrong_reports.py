"""Wrong answers to hybridnet.branch_report, and what to tell whoever gives one."""

import contextlib

import torch

from course_lib.grading.mode_pieces import all_trained_afterwards, as_it_is, left_in_evaluation
from course_lib.grading.task import Misconception
from course_lib.grading.tasks.hybridnet.report_pieces import (
    by_errors,
    by_lengths,
    by_norms,
    clamped,
    cosine,
    cosines,
    errors,
    from_the_reconstruction,
    from_the_rest,
    inner,
    mean_of_batches,
    of_the_image,
    of_the_mean,
    of_the_whole,
    pooled_shares,
    reporting,
    shares,
    summed,
    without_care,
    zero_for_nothing,
)

MISCONCEPTIONS = (
    Misconception(
        "mean of the batches",
        reporting(joined=mean_of_batches),
        "You average over the batches, so an image in a small last batch counts more. Average over the "
        "images.",
    ),
    Misconception(
        "last batch only",
        reporting(joined=lambda rows: rows[-1].mean(0)),
        "Only the last batch counts. Collect the numbers of all batches.",
    ),
    Misconception(
        "first batch only",
        reporting(joined=lambda rows: rows[0].mean(0)),
        "Only the first batch counts. Is there a `return` within the loop?",
    ),
    Misconception(
        "sum over the images",
        reporting(joined=lambda rows: torch.cat(rows).sum(0)),
        "The numbers are summed over the images. Take their mean.",
    ),
    Misconception(
        "training mode",
        reporting(mode=as_it_is),
        "The model is measured in training mode, where batch norm uses each batch and is moved by it. "
        "Set it to evaluation mode first.",
    ),
    Misconception(
        "left in evaluation mode",
        reporting(mode=left_in_evaluation),
        "The model stays in evaluation mode, and the next training step would go wrong without a sound. "
        "Put it back.",
    ),
    Misconception(
        "everything trained afterwards",
        reporting(mode=all_trained_afterwards),
        "model.train() puts every module into training mode, also those that were not. "
        "Remember the mode of each and put that back.",
    ),
    Misconception(
        "keeps the graph",
        reporting(grad=contextlib.nullcontext),
        "The results hold on to the graph of every batch, which fills the memory. "
        "Measure within `with torch.no_grad():`.",
    ),
    Misconception(
        "share of the totals",
        pooled_shares,
        "The share is computed from sums over all images, so bright images count more. "
        "Compute it for each image, then take the mean.",
    ),
    Misconception(
        "share by squares",
        reporting(shares=by_norms),
        "The share compares ‖x_c‖² with ‖x_u‖². Two branches that cancel would seem busy. "
        "Project each picture on their sum: ⟨x_c, x_hat⟩ / ‖x_hat‖².",
    ),
    Misconception(
        "share by lengths",
        reporting(shares=by_lengths),
        "The share compares the lengths ‖x_c‖ and ‖x_u‖. Project each picture on their sum: "
        "⟨x_c, x_hat⟩ / ‖x_hat‖².",
    ),
    Misconception(
        "share by errors",
        reporting(shares=by_errors),
        "The share compares the partial errors. It asks for what is drawn: ⟨x_c, x_hat⟩ / ‖x_hat‖².",
    ),
    Misconception(
        "shares that do not add up",
        reporting(shares=of_the_whole),
        "The shares are ‖x_c‖² and ‖x_u‖² over ‖x_hat‖², which do not add up to 1. "
        "Above belongs the product ⟨x_b, x_hat⟩.",
    ),
    Misconception(
        "share of the image",
        reporting(shares=of_the_image),
        "The pictures are projected on the image x. Project them on the reconstruction x_hat.",
    ),
    Misconception(
        "cosine share",
        reporting(shares=cosines),
        "This is the cosine between a picture and the sum. Divide by ‖x_hat‖² and not by both lengths.",
    ),
    Misconception(
        "share of nothing",
        reporting(shares=without_care),
        "Where both branches draw nothing the share is 0 / 0. Both are 1/2 there.",
    ),
    Misconception(
        "no share of nothing",
        reporting(shares=zero_for_nothing),
        "Where both branches draw nothing, both shares are 0 and no longer add up to 1. Both are 1/2 there.",
    ),
    Misconception(
        "shares clamped",
        reporting(shares=clamped),
        "Shares are held between 0 and 1. A branch that draws against the other one has a negative share, "
        "and "
        "the other has more than 1: leave them.",
    ),
    Misconception(
        "shares swapped",
        reporting(shares=lambda *parts: shares(*parts)[::-1]),
        "The shares are swapped. The first is that of x_c.",
    ),
    Misconception(
        "errors swapped",
        reporting(errors=lambda *parts: [errors(*parts)[i] for i in (1, 0, 2)]),
        "The first two errors are swapped. The order is x_c, x_u, both together.",
    ),
    Misconception(
        "error of the rest",
        reporting(errors=from_the_rest),
        "The partial errors are measured from what the other branch leaves, which is the total error each "
        "time. "
        "Compare each picture with x itself.",
    ),
    Misconception(
        "error from the reconstruction",
        reporting(errors=from_the_reconstruction),
        "The partial errors are measured from x_hat. Compare each picture with the image x.",
    ),
    Misconception(
        "sum of the errors",
        reporting(errors=summed),
        "The third error is the sum of the other two. It is that of x_c + x_u.",
    ),
    Misconception(
        "error of the mean",
        reporting(errors=of_the_mean),
        "The third error is that of the mean of the pictures. HybridNet adds them: x_c + x_u.",
    ),
    Misconception(
        "absolute errors",
        reporting(errors=lambda x, c, u: [(p - x).abs().flatten(1).mean(1) for p in (c, u, c + u)]),
        "The errors are absolute. Square the differences.",
    ),
    Misconception(
        "roots",
        reporting(errors=lambda *parts: [e.sqrt() for e in errors(*parts)]),
        "The errors are roots of mean squares. Leave the root away, so that the identity of the text holds.",
    ),
    Misconception(
        "sum over the pixels",
        reporting(
            errors=lambda x, c, u: [(p - x).flatten(1).pow(2).sum(1) for p in (c, u, c + u)],
            inner=lambda x, c, u: (c * u).flatten(1).sum(1),
        ),
        "The squares and products are summed over the pixels. Take their mean, so that sizes can be "
        "compared.",
    ),
    Misconception(
        "inner product with the sum",
        reporting(inner=lambda x, c, u: inner(c, c + u)),
        "The inner product is taken with x_hat. It is that of the two pictures, x_c and x_u.",
    ),
    Misconception(
        "cosine",
        reporting(inner=cosine),
        "This is the cosine of the two pictures. Do not divide by their lengths.",
    ),
)
