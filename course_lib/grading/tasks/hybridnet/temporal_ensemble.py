"""hybridnet.temporal_ensemble: each image's own past predictions as its target (Robert 2019, §3.2.1).

An answer is tried in a scenario: several epochs of batches, the targets of each batch asked for before its
predictions are told.  It stays on the CPU, because nothing tells the class where its memory should be.
"""

import torch
from torch import Tensor

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet.wrong_ensembles import MISCONCEPTIONS


def oracle(index: Tensor, prob: Tensor, n: int, batch: int, alpha: float = 0.6) -> tuple[Tensor, ...]:
    """The sum written out: Σ_j (1 - α) αʲ ŷ(j epochs ago) / (1 - αᵗ), over the t epochs of the image."""
    epochs, places, classes = prob.shape
    seen: list[list[Tensor]] = [[] for _ in range(n)]  # the predictions of each image, one an epoch

    def target(image: int) -> Tensor:
        total = torch.zeros(classes, dtype=prob.dtype)
        t = len(seen[image])
        for j in range(t):
            total = total + (1 - alpha) * alpha**j * seen[image][t - 1 - j] / (1 - alpha**t)
        return total

    known, targets = torch.zeros(epochs, places), torch.zeros_like(prob)
    for epoch in range(epochs):
        told: dict[int, list[Tensor]] = {}
        for place in range(places):
            image = int(index[epoch, place])
            known[epoch, place] = len(seen[image]) > 0
            targets[epoch, place] = target(image)
            told.setdefault(image, []).append(prob[epoch, place].detach())
        for image, predictions in told.items():
            seen[image].append(sum(predictions) / len(predictions))
    finally_known = torch.tensor([float(len(each) > 0) for each in seen])
    return known, targets.detach(), finally_known, torch.stack([target(image) for image in range(n)])


def use(
    answer: type, index: Tensor, prob: Tensor, n: int, batch: int, alpha: float | None = None
) -> tuple[Tensor, ...]:
    """Epoch after epoch, batch after batch: ask for the targets, then tell the predictions."""
    given = () if alpha is None else (alpha,)
    ensemble = answer(n, prob.shape[-1], *given)
    index, told = index.cpu(), prob.cpu()
    known, targets = [], []
    for images, predictions in zip(index, told):
        for ours, theirs in zip(images.split(batch), predictions.split(batch)):
            for made, each in zip((known, targets), asked(ensemble, ours, prob.shape[-1])):
                made.append(each)
            ensemble.observe(ours, theirs)
        ensemble.end_epoch()
    shape = index.shape
    everyone = torch.arange(n).flip(0)
    last_known, last = asked(ensemble, everyone, prob.shape[-1])
    parts = (
        torch.cat(known).reshape(shape),
        torch.cat(targets).reshape(*shape, -1),
        last_known[everyone],
        last[everyone],
    )
    return tuple(part.to(prob.device) for part in parts)


def asked(ensemble: object, images: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Which images are known and their targets, 0 where they are not; checked to be what was asked for."""
    result = ensemble.target(images)
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Unfit("target(index) must return two tensors, the targets (B, C) and known (B,)")
    targets, known = result
    for name, part, shape in (("targets", targets, (len(images), classes)), ("known", known, (len(images),))):
        if not isinstance(part, Tensor):
            raise Unfit(f"target(index) must return tensors, but its {name} are a {type(part).__name__}")
        if tuple(part.shape) != shape:
            raise Unfit(
                f"For {len(images)} images and {classes} classes, the {name} that target(index) returns must "
                f"have shape {shape}; yours have {tuple(part.shape)}"
            )
    known = known.detach().bool()
    return known.to(targets.dtype), torch.where(known[:, None], targets, torch.zeros_like(targets))


def training(n: int, classes: int, epochs: int, batch: int, *, missing: int = 0, again: int = 0, **options):
    """Epochs in an order of their own; the last ``missing`` images of each do not come, the first ``again``
    come a second time, in a later batch and with another prediction."""

    def make(generator: torch.Generator) -> dict:
        orders = torch.stack([torch.randperm(n, generator=generator) for _ in range(epochs)])
        index = torch.cat([orders[:, : n - missing], orders[:, :again]], 1)
        prob = (1.5 * normal(generator, *index.shape, classes)).softmax(-1)
        return {"index": index, "prob": prob, "n": n, "batch": batch, **options}

    return make


def constant(generator: torch.Generator) -> dict:
    """Every epoch predicts the same for an image: then that is its target too."""
    made = training(5, 3, 4, 3, alpha=0.9)(generator)
    return {**made, "prob": made["prob"][0][made["index"]]}


def case(name: str, make) -> Case:
    return Case(name, make, dtype=torch.float32)  # what a network's softmax gives


TASK = Task(
    id="hybridnet.temporal_ensemble",
    title="Temporal Ensembling: targets from past epochs",
    difficulty=3,
    minutes=30,
    points=3,
    function="TemporalEnsemble",
    takes={
        "index": "(E, S)",
        "prob": "(E, S, C)",
        "n": "number",
        "batch": "number",
        "alpha": "number = 0.6",
    },
    gives={
        "known of the images of each epoch": "(E, S)",
        "target of the images of each epoch": "(E, S, C)",
        "known of all images after the last epoch": "(N,)",
        "target of all images after the last epoch": "(N, C)",
    },
    written="TemporalEnsemble(n, classes, alpha=0.6)",
    kind="class",
    use=use,
    gradients=("prob",),
    hints=(
        "Three things are kept for every image of the set: "
        "the moving average, how many epochs it has gone through, and what was predicted in this epoch. "
        "The first two change only when the epoch ends.",
        "at the end of an epoch, for every image that was seen in it, with ŷ the mean of its predictions:\n"
        "  Z <- α · Z + (1 - α) · ŷ        t <- t + 1\n"
        "target = Z / (1 - αᵗ),  known where t > 0;   Z and t start at 0",
        "__init__: Z and a sum, zeros (n, classes); t and a count, zeros (n,)\n"
        "target(index):\n"
        "  t of these images <- look up at index                        # (B,)\n"
        "  divide their rows of Z by 1 - alpha to the power of t        # (B, C)\n"
        "  give back the targets, and where t is above 0\n"
        "observe(index, prob):\n"
        "  at the places index, add prob without its gradient to the sum, and 1 to the count\n"
        "end_epoch():\n"
        "  for the images whose count is above 0: move Z towards sum / count, count t up by 1\n"
        "  set the sum and the count to 0 again",
    ),
    oracle=oracle,
    cases=(
        case("4 epochs of 6 images in batches of 4", training(6, 3, 4, 4)),
        case(
            "5 epochs in which 1 of 6 images is missing and 2 come twice",
            training(6, 3, 5, 4, missing=1, again=2),
        ),
        case("alpha 0.9 and 4 epochs of 5 images", training(5, 4, 4, 2, alpha=0.9)),
        case("the same predictions in every epoch", constant),
        case("alpha 0 and 3 epochs of 4 images", training(4, 2, 3, 4, alpha=0.0)),
        case("1 image and 2 classes", training(1, 2, 3, 1, alpha=0.35)),
    ),
    large=case("3 epochs of 600 images in batches of 100", training(600, 10, 3, 100)),
    misconceptions=MISCONCEPTIONS,
)
