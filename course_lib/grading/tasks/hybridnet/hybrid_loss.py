"""hybridnet.hybrid_loss: HybridNet's whole loss, and which module hears of which term (Robert 2019, Eq. 3.8).

An answer gets a small HybridNet.  It is asked for each term alone and for all of them together, and what is
compared are the losses and the gradients that arrive in each module.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet.tiny_hybrid import TinyHybrid, TinyOutput, count
from course_lib.grading.tasks.hybridnet.wrong_hybrid_losses import MISCONCEPTIONS

TERMS = {"cls": "classification", "rec": "reconstruction", "inter": "intermediate", "stab": "stability"}
PARTS = ("E_c", "C", "D_c", "E_u", "D_u")


# --- the oracle ------------------------------------------------------------------------------


def mean_square(one: Tensor, other: Tensor) -> Tensor:
    return ((one - other) ** 2).sum() / one.numel()


def classification(out: TinyOutput, y: Tensor) -> Tensor:
    """Eq. 3.9: the mean over the labelled images."""
    total, labelled = 0.0, 0
    for logits, label in zip(out.logits, y):
        if label >= 0:
            total = total - torch.log(torch.exp(logits[label]) / sum(torch.exp(z) for z in logits))
            labelled += 1
    return total / labelled


def reconstruction(out: TinyOutput, known: TinyOutput, x: Tensor) -> Tensor:
    """Eq. 3.12, with means over the pixels; ``known`` holds the same numbers, as constants."""
    total = 0.0
    for k, picture in enumerate(x):
        if mean_square(known.x_u[k], picture) >= mean_square(known.x_c[k], picture):
            total = total + mean_square(out.x_u[k] + known.x_c[k], picture)
        else:
            total = total + mean_square(known.x_u[k] + out.x_c[k], picture)
    return total / len(x)


def intermediate(out: TinyOutput, known: TinyOutput) -> Tensor:
    """Eq. 3.11 with means over the elements, summed over layers and branches; "
    "the encoder's side is constant."""
    total = 0.0
    for made, fixed in ((out.taps_c, known.taps_c), (out.taps_u, known.taps_u)):
        for (_, drawn), (seen, _) in zip(made, fixed):
            for k in range(len(drawn)):
                total = total + mean_square(drawn[k], seen[k]) / len(drawn)
    return total


def stability(out: TinyOutput, target: Tensor) -> Tensor:
    """Eq. 3.13, with a mean over the classes."""
    total = 0.0
    for logits, wanted in zip(out.logits, target):
        whole = sum(torch.exp(z) for z in logits)
        for z, number in zip(logits, wanted):
            total = total + (torch.exp(z) / whole - number) ** 2 / len(logits)
    return total / len(target)


def gradients(loss: Tensor, model: TinyHybrid) -> list[Tensor]:
    """What arrives in each module, one vector each."""
    found = []
    for part in model.parts().values():
        weights = list(part.parameters())
        grads = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        pairs = zip(weights, grads)
        found.append(torch.cat([(torch.zeros_like(w) if g is None else g).flatten() for w, g in pairs]))
    return found


def oracle(net: Tensor, x_tilde: Tensor, x: Tensor, y: Tensor, target: Tensor, lambdas: Tensor):
    """The scenario of `use`: each term by its formula, "
    "and the total as the weighted sum of what they give."""
    model = TinyHybrid(net, target.shape[1])
    out = model(x_tilde)
    with torch.no_grad():
        known = model(x_tilde)
    terms = (
        classification(out, y),
        reconstruction(out, known, x),
        intermediate(out, known),
        stability(out, target),
    )
    reached = [gradients(term, model) for term in terms]
    total = sum(weight * term for weight, term in zip(lambdas, terms))
    whole = sum(weight * torch.cat(parts) for weight, parts in zip(lambdas, reached))
    each = [part for parts in reached for part in parts]
    return tuple(one.detach() for one in (*terms, total, *each, whole, torch.zeros_like(target)))


# --- the scenario ----------------------------------------------------------------------------


def use(
    answer: Callable, net: Tensor, x_tilde: Tensor, x: Tensor, y: Tensor, target: Tensor, lambdas: Tensor
):
    """Ask for each term alone, then for all of them."""
    losses, reached = [], []
    for weights in (*torch.eye(len(TERMS)).tolist(), lambdas.tolist()):
        model = TinyHybrid(net, target.shape[1])
        asked = target.clone().requires_grad_()
        loss = answer(model, x_tilde, x, y, asked, dict(zip(TERMS, weights)))
        if not isinstance(loss, Tensor):
            raise Unfit(f"hybrid_loss must return a scalar tensor, but it returned a {type(loss).__name__}")
        if loss.requires_grad:
            loss.sum().backward()
        losses.append(loss.detach())
        reached.append([arrived(part) for part in model.parts().values()])
    each = [part for parts in reached[:-1] for part in parts]
    at_target = torch.zeros_like(target) if asked.grad is None else asked.grad
    return (*losses, *each, torch.cat(reached[-1]), at_target)


def arrived(part: torch.nn.Module) -> Tensor:
    pairs = ((weight, weight.grad) for weight in part.parameters())
    return parameters_to_vector(torch.zeros_like(w) if g is None else g for w, g in pairs)


# --- inputs ----------------------------------------------------------------------------------


def batch(labels: list[int], classes: int, lambdas: tuple[float, ...], behind: str):
    """A net, images with noise on them, a target, and weights.

    behind: for each image the branch that is behind, "c" or "u", or "=" where both draw the same grey.
    """

    def make(generator: torch.Generator) -> dict[str, Any]:
        weights = 0.35 * normal(generator, count(classes))
        x_tilde = 0.1 + 0.6 * normal(generator, len(labels), 2, 8, 4)
        x = x_tilde + 0.3 * normal(generator, *x_tilde.shape)
        model = TinyHybrid(weights, classes)
        with torch.no_grad():
            for decoder in (model.decoder_c, model.decoder_u) if "=" in behind else ():
                decoder.last.weight.zero_()
                decoder.last.bias.copy_(torch.tensor([0.3, -0.2]))
            out = model(x_tilde)
            for k, branch in enumerate(behind):  # x leans towards the branch that shall be ahead
                apart, middle = out.x_c[k] - out.x_u[k], (out.x_c[k] + out.x_u[k]) / 2
                ahead = (
                    (x[k] - middle) * apart
                ).mean()  # how far c is ahead, half the difference of the errors
                wanted = {"u": 0.1, "c": -0.1, "=": 0.0}[branch]
                x[k] += (wanted - ahead) / apart.square().mean().clamp(min=1e-12) * apart
        return {
            "net": parameters_to_vector(model.parameters()).detach(),
            "x_tilde": x_tilde,
            "x": x,
            "y": torch.tensor(labels),
            "target": (1.5 * normal(generator, len(labels), classes)).softmax(1),
            "lambdas": torch.tensor(lambdas, dtype=torch.float64),
        }

    return make


TASK = Task(
    id="hybridnet.hybrid_loss",
    title="The loss of HybridNet",
    difficulty=4,
    minutes=45,
    points=4,
    function="hybrid_loss",
    takes={
        "net": "(P,)",
        "x_tilde": "(B, C, H, W)",
        "x": "(B, C, H, W)",
        "y": "(B,)",
        "target": "(B, K)",
        "lambdas": "(4,)",
    },
    gives={
        **{f"{term} loss": "scalar" for term in TERMS.values()},
        "total loss": "scalar",
        **{
            f"gradient of the {term} loss in {part}": "the number of its weights"
            for term in TERMS.values()
            for part in PARTS
        },
        "gradient of the total loss in the whole net": "(P,)",
        "gradient of the total loss in the target": "(B, K)",
    },
    written="hybrid_loss(model, x_tilde, x, y, target, weights) -> scalar",
    use=use,
    may_use=("course_lib.grading.tasks.hybridnet.tiny_hybrid",),
    hints=(
        "Run the model once, on the noisy images, and write the four terms one after the other. "
        "For each term ask two things: over what is its mean taken, and what must hear nothing of it?",
        "cls   = mean over the labelled images of -log softmax(logits)[y]\n"
        "rec   = mean over all images of the balanced loss (Eq. 3.12) of x_c, x_u against the clean x\n"
        "inter = sum over both branches and all layers of mean (ĥ - stop(h))²\n"
        "stab  = mean over all images and classes of (softmax(logits) - stop(target))²\n"
        "total = λ_cls·cls + λ_rec·rec + λ_inter·inter + λ_stab·stab",
        "out   <- the model on x_tilde\n"
        "known <- where y is not -1                                              # (B,) of booleans\n"
        "cls   <- cross-entropy of the known logits and the known y, its mean\n"
        "rec   <- the balanced loss of out.x_c and out.x_u against x\n"
        "inter <- 0; for each pair (h, h_hat) of out.taps_c and of out.taps_u:\n"
        "             add the mean square of h_hat - (h without gradient)\n"
        "stab  <- mean square of softmax(out.logits) - (target without gradient)\n"
        "return the four, each times its weight, added up",
    ),
    oracle=oracle,
    cases=(
        Case("5 images, 2 of them labelled", batch([-1, 2, -1, 0, -1], 4, (1.0, 0.5, 0.25, 3.0), "ucuuc")),
        Case("3 images, all labelled", batch([1, 0, 1], 2, (0.7, 2.0, 1.5, 0.0), "cuc")),
        Case("4 images, the first one labelled", batch([2, -1, -1, -1], 3, (0.5, 0.0, 0.8, 20.0), "uuuu")),
        Case("two branches that draw the same", batch([0, -1], 3, (1.0, 1.0, 0.0, 1.0), "==")),
        # No case is in float32: a GPU may round convolutions more coarsely there than any tolerance allows.
        Case("6 images", batch([-1, 1, 0, -1, 2, -1], 3, (1.0, 0.5, 0.5, 2.0), "cucccu")),
    ),
    large=Case(
        "40 images, 8 of them labelled", batch([0, -1, -1, -1, -1] * 8, 4, (1.0, 1.0, 1.0, 10.0), "ucuuc" * 8)
    ),
    misconceptions=MISCONCEPTIONS,
)
