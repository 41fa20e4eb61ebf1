"""hybridnet.conv_large: the HybridNet of Tables 3.3 and B.1, two encoders, two decoders and a classifier.

The numbers of parameters are those of the paper's net.  What it computes is compared on a narrow one, with
weights that the check puts into the layers, in evaluation and in training.
"""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import torch
import torch.fx.experimental.symbolic_shapes  # loaded when torch first unpools: longer than a call may take
from torch import Tensor, nn

from course_lib.grading.draws import normal
from course_lib.grading.task import Case, Task, Unfit
from course_lib.grading.tasks.hybridnet import known_weights as known
from course_lib.grading.tasks.hybridnet import literal_layers as literal
from course_lib.grading.tasks.hybridnet.hints_conv_large import HINTS
from course_lib.grading.tasks.hybridnet.known_dropout import KnownDropout, dropped
from course_lib.grading.tasks.hybridnet.wrong_hybrids import MISCONCEPTIONS

PARTS = ("encoder_c", "classifier", "decoder_c", "encoder_u", "decoder_u")
ANSWERS = ("logits", "h_c", "h_u", "x_c", "x_u", "x_hat", "taps_c", "taps_u")
COUNTS = (3_120_512, 1_290, 3_120_259, 3_120_512, 3_120_259, 12_482_832)  # of the parts, and of the whole


# --- the oracle: table B.1, line by line ------------------------------------------------------


def stages(maps: list[int]) -> list[list[tuple[int, int, int]]]:
    """Maps, size and padding of each convolution of an encoder, between its two poolings."""
    a, b, c = maps
    return [[(a, 3, 1)] * 3, [(b, 3, 1)] * 3, [(c, 3, 0), (b, 1, 0), (a, 1, 0)]]


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.1 * x)


def encoded(x: Tensor, part: str, maps: list[int], training: bool) -> tuple[Tensor, list, list]:
    """The latent, the taps behind the poolings, and where their maxima stood."""
    taps, places, number = [], [], 0
    for stage in stages(maps):
        if number:
            x, where = literal.pooled(x)
            taps.append(x)
            places.append(where)
            x = dropped(x) if training else x
        for out, size, padding in stage:
            key = f"{part} {number}"
            x = literal.convolution(x, known.weights(key, (out, x.shape[1], size, size)), 1, padding)
            x = leaky(literal.normalised(x, known.norm(key, out), training))
            number += 1
    return x, taps, places


def decoded(
    h: Tensor, part: str, maps: list[int], training: bool, places: list | None
) -> tuple[Tensor, list]:
    """The picture, and the taps before the poolings are undone; without places by repetition."""
    a, b, c = maps
    x, taps, number = h, [], 0
    for stage in [
        [(b, 1, 0), (c, 1, 0), (b, 3, 0)],
        [(b, 3, 1), (b, 3, 1), (a, 3, 1)],
        [(a, 3, 1)] * 2 + [(3, 3, 1)],
    ]:
        if number:
            taps.insert(0, x)
            x = literal.unpooled(x, places[-len(taps)]) if places else literal.repeated(x)
        for out, size, padding in stage:
            key = f"{part} {number}"
            x = literal.transposed(x, known.weights(key, (x.shape[1], out, size, size)), 1, padding)
            number += 1
            if number < 9:
                x = leaky(literal.normalised(x, known.norm(key, out), training))
            else:
                x = x + known.biases(key, out)[:, None, None]
    return x, taps


def passed(x: Tensor, maps: list[int], classes: int, training: bool) -> SimpleNamespace:
    """One forward pass by the formula."""
    h_c, taps_c, _ = encoded(x, "encoder_c", maps, training)
    h_u, taps_u, places = encoded(x, "encoder_u", maps, training)
    x_c, mirrored_c = decoded(h_c, "decoder_c", maps, training, None)
    x_u, mirrored_u = decoded(h_u, "decoder_u", maps, training, places)
    means = sum(h_c[:, :, i, j] for i in range(h_c.shape[2]) for j in range(h_c.shape[3]))
    means = means / h_c[0, 0].numel()
    logits = means @ known.weights("classifier 0", (classes, maps[0])).T + known.biases(
        "classifier 0", classes
    )
    pairs = (zip(taps_c, mirrored_c), zip(taps_u, mirrored_u))
    return SimpleNamespace(
        logits=logits, h_c=h_c, h_u=h_u, x_c=x_c, x_u=x_u, x_hat=x_c + x_u,
        taps_c=list(pairs[0]), taps_u=list(pairs[1]),
    )  # fmt: skip


def oracle(maps: Tensor, classes: int, x: Tensor) -> tuple[Tensor, ...]:
    evaluation, training = (passed(x, maps.tolist(), classes, t) for t in (False, True))
    numbers = [torch.tensor(n, dtype=x.dtype) for n in (COUNTS, (2.0, 2.0, 0.0), 0.0)]
    return *numbers, evaluation.logits, *of_output(evaluation), *of_output(training)


# --- the scenario -----------------------------------------------------------------------------


def use(answer: type, maps: Tensor, classes: int, x: Tensor) -> tuple[Tensor, ...]:
    """Count the parameters of the paper's net; run a narrow one in evaluation, in training, and deployed."""
    counts = counted(answer)
    model = answer(classes, tuple(maps.tolist()))
    parts = parts_of(model)
    model.to(x).eval()
    fill(model, parts, x)
    evaluation = output_of(model, x)
    kept = {id(m) for name in PARTS[:2] for m in parts[name].modules()}
    with torch.no_grad():
        working = known.in_order(model, lambda: model.classify(x))
    wasted = sum(id(layer) not in kept for layer in working)
    deployed = model.classify(x)
    model.train()
    with KnownDropout() as dropout:
        training = output_of(model, x)
    a, b, _ = maps.tolist()
    where = Counter((p, shape[1:]) for p, shape in dropout.seen)
    right = [where.pop((0.5, (n, side, side)), 0) for n, side in ((a, x.shape[2] // 2), (b, x.shape[2] // 4))]
    numbers = (counts, (*right, sum(where.values())), wasted)
    return *(torch.tensor(n).to(x) for n in numbers), deployed, *of_output(evaluation), *of_output(training)


def counted(answer: type) -> tuple[int, ...]:
    """Numbers of parameters of the five parts and of the whole, as the class makes it by default."""
    try:
        with torch.device("meta"):  # nothing is drawn there, so that the large net is made in no time
            model = answer()
    except (RuntimeError, AttributeError):
        model = answer()
    parts = parts_of(model)
    return *(size(parts[name]) for name in PARTS), size(model)


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def parts_of(model: Any) -> dict[str, nn.Module]:
    if not isinstance(model, nn.Module):
        raise Unfit(f"{type(model).__name__} must be derived from nn.Module")
    parts = {name: getattr(model, name, None) for name in PARTS}
    for name, part in parts.items():
        if not isinstance(part, nn.Module):
            raise Unfit(f"The attribute {name} must be a module; the five parts are {', '.join(PARTS)}")
    return parts


def fill(model: nn.Module, parts: dict[str, nn.Module], x: Tensor) -> None:
    """Known weights for the layers of each part, in the order in which they work."""
    working = known.in_order(model, lambda: model(x.detach()))
    for name, part in parts.items():
        mine, number = set(part.modules()), -1
        for layer in (each for each in working if each in mine):
            number += not isinstance(layer, nn.BatchNorm2d)
            known.put(layer, f"{name} {number}")
    idle = {id(p) for p in model.parameters()} - {id(p) for layer in working for p in layer.parameters()}
    for name, parameter in model.named_parameters():
        if id(parameter) in idle:
            raise Unfit(f"The parameter {name} takes part in no layer of torch that works in forward")


def output_of(model: nn.Module, x: Tensor) -> Any:
    output = model(x)
    for name in ANSWERS:
        if not hasattr(output, name):
            raise Unfit(f"What forward returns has no {name}; it needs {', '.join(ANSWERS)}")
    for name in ("taps_c", "taps_u"):
        pairs = getattr(output, name)
        if len(pairs) != 2 or any(len(pair) != 2 for pair in pairs):
            raise Unfit(f"{name} must be two pairs, (activation of the encoder, activation of the decoder)")
    return output


def of_output(output: Any) -> list[Tensor]:
    """What is compared of one pass."""
    pairs = [tap for name in ("taps_c", "taps_u") for pair in getattr(output, name) for tap in pair]
    return [*(getattr(output, name) for name in ANSWERS[:6]), *pairs]


def images(number: int, maps: tuple[int, int, int], classes: int):
    def make(generator: torch.Generator) -> dict:
        x = 0.1 + normal(generator, number, 3, 32, 32)
        return {"maps": torch.tensor(maps), "classes": classes, "x": x}

    return make


COMPARED = {
    **{"logits": "(B, classes)", "h_c": "(B, a, 6, 6)", "h_u": "(B, a, 6, 6)"},
    **dict.fromkeys(("x_c", "x_u", "x_hat"), "(B, 3, 32, 32)"),
    **{
        f"{number} tap of {branch}_{name}": shape
        for name in "cu"
        for number, shape in (("first", "(B, a, 16, 16)"), ("second", "(B, b, 8, 8)"))
        for branch in ("encoder", "decoder")
    },
}

TASK = Task(
    id="hybridnet.conv_large",
    title="ConvLarge, twice and back again",
    difficulty=4,
    minutes=60,
    points=5,
    function="ConvLargeHybrid",
    takes={"maps": "(3,)", "classes": "number", "x": "(B, 3, 32, 32)"},
    gives={
        "numbers of parameters of encoder_c, classifier, decoder_c, encoder_u, decoder_u and all": "(6,)",
        "numbers of dropouts behind the first pooling, behind the second, and elsewhere": "(3,)",
        "number of layers that classify runs in vain": "scalar",
        "logits of classify": "(B, classes)",
        **{f"{name} in evaluation": shape for name, shape in COMPARED.items()},
        **{f"{name} in training": shape for name, shape in COMPARED.items()},
    },
    written="ConvLargeHybrid(num_classes=10, maps=(128, 256, 512))",
    kind="class",
    use=use,
    tolerance=1e-5,
    may_use=(known.__name__, KnownDropout.__module__),
    hints=HINTS,
    oracle=oracle,
    cases=(
        Case("2 images and 3, 4 and 5 maps", images(2, (3, 4, 5), 10)),
        Case("1 image and 4, 2 and 3 maps", images(1, (4, 2, 3), 7)),
    ),
    misconceptions=MISCONCEPTIONS,
)
