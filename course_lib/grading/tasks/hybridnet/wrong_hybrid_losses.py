"""Wrong answers to hybridnet.hybrid_loss: a right one in pieces, of which each wrong one has another."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.hybridnet.loss_pieces import (
    Batch,
    balanced,
    cls,
    inter,
    loss,
    rec,
    rows,
    square,
    weighted,
)  # fmt: skip

# --- pieces that are wrong -------------------------------------------------------------------


def picked(logits: Tensor, y: Tensor) -> Tensor:
    """-log p of each image's label; -1 names the last class, as it does for Python."""
    return -log_softmax(logits, 1)[torch.arange(len(y), device=y.device), y]


def first_are_labelled(out: Any, b: Batch) -> Tensor:
    labelled = int((b.y >= 0).sum())
    return picked(out.logits[:labelled], b.y[:labelled]).mean()


def other_inter(
    term: Callable, pairs: Callable = lambda out: (*out.taps_c, *out.taps_u), join: Callable = sum
):
    return lambda out, b: join([term(seen, drawn) for seen, drawn in pairs(out)])


def distance(seen: Tensor, drawn: Tensor) -> Tensor:
    return (drawn - seen.detach()).square().mean()


def other_stab(term: Callable) -> Callable:
    """The stability term as a function of ŷ, the target and whether an image is labelled."""
    return lambda out, b: term(out.logits.softmax(1), b.target.detach(), b.y >= 0)


def share(mask: Tensor, each: Tensor) -> Tensor:
    """The mean over the images where the mask holds; 0 where there are none."""
    return (each * mask[:, None]).sum() / (mask.sum().clamp(min=1) * each.shape[1])


CLASSIFICATION = (
    Misconception(
        "labelled, divided by all",
        loss(cls=lambda out, b: cls(out, b) * (b.y >= 0).to(b.x.dtype).mean()),
        "The cross-entropy of the labelled images is divided by the whole batch. Eq. 3.9 divides by n_s, "
        "so that the term does not shrink when unlabelled images are added.",
    ),
    Misconception(
        "-1 as the last class",
        loss(cls=lambda out, b: picked(out.logits, b.y).mean()),
        "Unlabelled images count as the last class: an index of -1 names it. "
        "Leave the images out whose label is -1.",
    ),
    Misconception(
        "-1 as class 0",
        loss(cls=lambda out, b: cross_entropy(out.logits, b.y.clamp(min=0))),
        "Unlabelled images count as class 0. Leave the images out whose label is -1.",
    ),
    Misconception(
        "the first are labelled",
        loss(cls=first_are_labelled),
        "You take the first n_s images for the labelled ones. "
        "They may stand anywhere in the batch: those whose label is not -1.",
    ),
    Misconception(
        "softmax twice",
        loss(cls=lambda out, b: cross_entropy(out.logits.softmax(1)[b.y >= 0], b.y[b.y >= 0])),
        "The softmax is applied twice: cross_entropy takes logits and applies it itself. Give it the logits.",
    ),
    Misconception(
        "sum over the labelled",
        loss(cls=lambda out, b: cls(out, b) * (b.y >= 0).sum()),
        "The cross-entropies are added up. Take their mean over the labelled images.",
    ),
)

RECONSTRUCTION = (
    Misconception(
        "draws the noise",
        loss(rec=lambda out, b: balanced(lambda e_u, e_c: e_u >= e_c, lambda b: b.x_tilde)(out, b).mean()),
        "The reconstruction is compared with the noisy input. "
        "Compare it with the clean image x: the noise is not worth remembering.",
    ),
    Misconception(
        "the clean image goes in",
        loss(given=lambda b: b.x),
        "The model runs on the clean images. Run it on x_tilde; the clean x is only what it shall draw.",
    ),
    Misconception(
        "no balancing",
        loss(rec=lambda out, b: square(out.x_c + out.x_u, b.x).mean()),
        "Both branches hear of the reconstruction of every image (Eq. 3.10). "
        "Use the balanced loss (Eq. 3.12): in each image only the branch that is behind.",
    ),
    Misconception(
        "one decision for the batch",
        loss(rec=lambda out, b: balanced(lambda u, c: (u.mean() >= c.mean()).expand(len(u)))(out, b).mean()),
        "You decide once for the whole batch which branch is trained. Decide for each image.",
    ),
    Misconception(
        "the branch ahead is trained",
        loss(rec=lambda out, b: balanced(lambda e_u, e_c: e_u < e_c)(out, b).mean()),
        "The branch that is ahead gets the gradient. Send it to the one with the larger error.",
    ),
    Misconception(
        "a tie goes to c",
        loss(rec=lambda out, b: balanced(lambda e_u, e_c: e_u > e_c)(out, b).mean()),
        "Where both branches are equally far off, you train c. Eq. 3.12 has a ≥: train u there.",
    ),
    Misconception(
        "each branch shall equal x",
        loss(rec=lambda out, b: (square(out.x_c, b.x) + square(out.x_u, b.x)).mean()),
        "Each branch is compared with the whole picture. Compare their sum with it.",
    ),
    Misconception(
        "labelled images only",
        loss(rec=lambda out, b: rows(out, b)[b.y >= 0].mean()),
        "Only labelled images are reconstructed. "
        "This term needs no label: take the mean over the whole batch.",
    ),
    Misconception(
        "sum over the pixels",
        loss(rec=lambda out, b: rec(out, b) * b.x[0].numel()),
        "The squares of an image are added up. Take their mean over channels and pixels.",
    ),
)

INTERMEDIATE = (
    Misconception(
        "the encoder moves towards the decoder",
        loss(inter=other_inter(lambda seen, drawn: (drawn - seen).square().mean())),
        "The encoder's activations get a gradient as what is to be matched, too. "
        "Then they can shrink to make the term small: detach them.",
    ),
    Misconception(
        "the decoder is stopped",
        loss(inter=other_inter(lambda seen, drawn: (drawn.detach() - seen).square().mean())),
        "You stop the decoder's activations and let the encoder's move. "
        "It is the other way round: the encoder's are the target.",
    ),
    Misconception(
        "intermediate: c only",
        loss(inter=other_inter(distance, lambda out: out.taps_c)),
        "Only the discriminative branch has intermediate terms. Both have: add those of taps_u.",
    ),
    Misconception(
        "last layer only",
        loss(inter=other_inter(distance, lambda out: (out.taps_c[-1], out.taps_u[-1]))),
        "Only the last layer of each branch counts. "
        "Does your loop add each layer, or replace the one before?",
    ),
    Misconception(
        "mean over the layers",
        loss(inter=lambda out, b: inter(out, b) / len(out.taps_c)),
        "The layers are averaged. Add them up: each has its own term in Eq. 3.8.",
    ),
    Misconception(
        "mean over layers and branches",
        loss(inter=lambda out, b: inter(out, b) / len((*out.taps_c, *out.taps_u))),
        "Layers and branches are averaged. Add them up: each has its own term in Eq. 3.8.",
    ),
    Misconception(
        "sum over the elements",
        loss(inter=other_inter(lambda seen, drawn: distance(seen, drawn) * seen[0].numel())),
        "The squares of a layer are added up. Take their mean, so that a large layer does not count more.",
    ),
)

STABILITY = (
    Misconception(
        "stability of the logits",
        loss(stab=lambda out, b: (out.logits - b.target.detach()).square().mean()),
        "The logits are compared with the target. It holds probabilities: compare softmax(logits).",
    ),
    Misconception(
        "gradient through the target",
        loss(stab=lambda out, b: (out.logits.softmax(1) - b.target).square().mean()),
        "A gradient reaches the target. "
        "It is what the prediction shall come to, not the other way round: detach it.",
    ),
    Misconception(
        "the prediction is stopped",
        loss(stab=lambda out, b: (out.logits.softmax(1).detach() - b.target).square().mean()),
        "The prediction is stopped and the target moves. Stop the target and let the prediction move.",
    ),
    Misconception(
        "sum over the classes",
        loss(stab=other_stab(lambda p, target, known: (p - target).square().sum(1).mean())),
        "The squares are added up over the classes. Take their mean, as this task asks.",
    ),
    Misconception(
        "stability of the unlabelled only",
        loss(stab=other_stab(lambda p, target, known: share(~known, (p - target).square()))),
        "Only unlabelled images are held stable. "
        "The term needs no label: take the mean over the whole batch.",
    ),
    Misconception(
        "cross-entropy with the target",
        loss(stab=other_stab(lambda p, target, known: -(target * p.log()).sum(1).mean())),
        "This is the cross-entropy with the target. The stability term is a mean of squares (Eq. 3.13).",
    ),
)


def swapped(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return weighted(terms, weights | {"rec": weights["inter"], "inter": weights["rec"]})


def one_for_both(terms: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    return weighted(terms, weights | {"inter": weights["rec"]})


SUM = (
    Misconception(
        "no weights",
        loss(joined=lambda terms, weights: sum(terms.values())),
        "The four terms are added without their weights. Multiply each by its own.",
    ),
    Misconception(
        "rec and inter swapped",
        loss(joined=swapped),
        'The weights of the final and of the intermediate reconstruction are exchanged: "rec" and "inter".',
    ),
    Misconception(
        "one weight for both reconstructions",
        loss(joined=one_for_both),
        'The intermediate term gets the weight of the final one. Its own is weights["inter"].',
    ),
)

MISCONCEPTIONS = (*CLASSIFICATION, *RECONSTRUCTION, *INTERMEDIATE, *STABILITY, *SUM)
