"""Activations and gradients at layers of a net: one forward pass, one backward pass, and nothing left behind.

The tensor of a layer is caught by a forward hook, never by a backward hook: what reaches a backward hook
depends on containers, tuples and in-place layers. The hook keeps the layer's output and hands a copy of it to
the rest of the net, so that a later in-place ReLU cannot overwrite what was kept. What enters a layer is
copied before the layer runs, for the same reason, and only where it is asked for. Known fault: where a
layer's output is also used under another name (an empty shortcut, say), these uses count in its gradient only
if a lower layer is asked for as well.

The parameters are taken out of the graph: only the part of the net above the lowest layer asked for is ever
recorded, and no gradient of a weight is computed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from course_lib.methods.named_layers import Layer, find_layers
from course_lib.training.modes import evaluation_mode

INPUT = "input"  # the name of the image itself, where a layer's name is expected
Score = Callable[[Tensor, Tensor], Tensor]


class Captured(NamedTuple):
    """What one layer computed, and what the class score says about it.

    Attributes:
        x: (B, K, h, w) the layer's output.
        g: (B, K, h, w) the gradient of the class score with respect to it, each sample's own.
        entering: (B, K', h', w') what entered the layer; None for the image, and where it is not asked for.
    """

    x: Tensor
    g: Tensor
    entering: Tensor | None = None


def class_score(outputs: Tensor, y: Tensor) -> Tensor:
    """The logit of the class, (B,).

    A fully convolutional net has logits (B, C, h, w); theirs are pooled as log Σ exp over the positions, so
    that the gradient is shared out between positions in proportion to exp(logit).

    Args:
        outputs: logits (B, C), or (B, C, h, w).
        y: (B,) int64.

    Raises:
        ValueError: the outputs have another shape, or a class does not exist.
        TypeError: the outputs are no tensor.
    """
    if not isinstance(outputs, Tensor):
        raise TypeError(
            f"The model returns {type(outputs).__name__}, a score of a class needs logits (B, C); "
            "give a `score` that takes what it returns."
        )
    if outputs.ndim not in (2, 4):
        raise ValueError(f"The logits have shape {tuple(outputs.shape)}, possible are (B, C), (B, C, h, w).")
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < outputs.shape[1]:
        raise ValueError(
            f"y has classes from {int(y.min())} to {int(y.max())}, possible are 0 to {outputs.shape[1] - 1}."
        )
    chosen = outputs[torch.arange(len(y), device=outputs.device), y]
    return chosen if outputs.ndim == 2 else chosen.flatten(1).logsumexp(1)


def capture(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    layers: Layer | Iterable[Layer | None] | None = None,
    *,
    score: Score = class_score,
    entering: bool = False,
) -> dict[str, Captured]:
    """Activations and gradients of the class score at some layers, from one forward and one backward pass.

    The model is in evaluation mode meanwhile, so that the samples of a batch do not influence each other;
    afterwards its modes, hooks, parameters and their ``.grad`` are as before.
    A module that runs several times in one pass is asked for by the time: ``"relu#2"``.

    Args:
        model: maps images to logits.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        layers: modules or dotted names, one or several; None, or the name "input", is the image itself.
        score: takes what the model returns and y, and gives one number a sample (B,).
        entering: also keep what enters each layer; the first tensor, where it takes several.

    Returns:
        `Captured` by layer name, in the order asked for; the image is called "input".

    Raises:
        ValueError: shapes that do not fit, no such layer, a layer whose output is no map (B, K, h, w), or a
            layer that does not run, that runs several times or that does not influence the score.
        TypeError: a layer is neither a module nor a name.
    """
    images, y = checked(x, y)
    with passing_through(model, images, layers, entering=entering) as (outputs, caught):
        total = score(outputs, y.clone())  # a copy, because y may be made in inference mode
        if total.shape != y.shape:
            raise ValueError(f"score gives {tuple(total.shape)}, needed is one number a sample {(len(y),)}.")
        tensors = [one.x for one in caught.values()]
        if total.requires_grad:
            found = torch.autograd.grad(total.sum(), tensors, allow_unused=True)
        else:
            found = [None] * len(tensors)
    for name, g in zip(caught, found):
        if g is None:
            raise ValueError(f"The layer {name!r} does not influence the score, so it has no saliency map.")
    return {name: Captured(one.x.detach(), g, one.entering) for (name, one), g in zip(caught.items(), found)}


def checked(x: Tensor, y: Tensor | int) -> tuple[Tensor, Tensor]:
    """Images and classes that fit each other, or one sentence that says why they do not."""
    if not isinstance(x, Tensor) or x.ndim != 4 or not x.is_floating_point():
        given = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"x is {given}, needed are images (B, C, H, W) of a floating type.")
    y = torch.as_tensor(y, device=x.device)
    if y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"y has dtype {y.dtype}, classes are whole numbers.")
    if y.ndim == 0:
        y = y.expand(len(x))
    if y.shape != x.shape[:1]:
        raise ValueError(
            f"y has shape {tuple(y.shape)}, with {len(x)} images it is ({len(x)},), or a number."
        )
    return x, y.long()


@contextmanager
def passing_through(
    model: nn.Module, x: Tensor, layers: Layer | Iterable[Layer | None] | None, *, entering: bool = False
) -> Iterator[tuple[Tensor, dict[str, Captured]]]:
    """One forward pass in evaluation mode, which keeps the tensors of some layers, with their graph.

    Inside of the block the model is still in evaluation mode and gradients are enabled.

    Yields:
        what the model returns, and `Captured` by layer name (``g`` is empty still).
    """
    asked = names_of(model, layers)
    hooked = dict(zip(asked, _modules(model, asked)))
    caught: dict[str, Captured] = {}
    entered: dict[str, Tensor | None] = {}
    uses: Counter[str] = Counter()

    def keep_entering(name: str, module: nn.Module, inputs: tuple, named: dict) -> None:
        uses[name] += 1
        if entering and _is_asked_for(name, uses[name]):
            entered[name] = _first((*inputs, *named.values()))

    def keep_leaving(name: str, module: nn.Module, inputs: tuple, output: Tensor) -> Tensor | None:
        if not _is_asked_for(name, uses[name]):
            return None
        caught[name] = Captured(as_leaf(name.partition("#")[0], output), torch.empty(0), entered.get(name))
        return caught[name].x.clone()

    handles = []
    try:
        for name, module in hooked.items():
            if module is not None:
                before, after = partial(keep_entering, name), partial(keep_leaving, name)
                handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
                handles.append(module.register_forward_hook(after))
        with torch.inference_mode(False), torch.enable_grad(), evaluation_mode(model):
            x = x.detach().clone()
            if INPUT in hooked:
                caught[INPUT] = Captured(x.requires_grad_(), torch.empty(0))
                x = x.clone()
            constants = {name: p.detach() for name, p in model.named_parameters()}
            outputs = torch.func.functional_call(model, constants, (x,))
            _refuse_unclear_layers(hooked, uses, caught)
            yield outputs, {name: caught[name] for name in hooked}
    finally:
        for handle in handles:
            handle.remove()


def names_of(model: nn.Module, layers: Layer | Iterable[Layer | None] | None) -> list[str]:
    """The layers asked for, as names: dotted, perhaps with ``#2`` behind, or "input" for None.

    Raises:
        ValueError: there is no such layer, none is given, or one is given twice.
        TypeError: a layer is neither a module nor a name.
    """
    given = [layers] if layers is None or isinstance(layers, str | nn.Module) else list(layers)
    if not given:
        raise ValueError("layers is empty; name at least one layer, or give None for the image.")
    names = []
    for layer in given:
        if layer is None or layer == INPUT:
            name = INPUT
        else:
            plain, mark, time = layer.partition("#") if isinstance(layer, str) else (layer, "", "")
            if mark and not (time.isdigit() and int(time) > 0):
                raise ValueError(f"The layer {layer!r} has {time!r} behind the #, needed is a number from 1.")
            name = next(iter(find_layers(model, [plain]))) + mark + time
        if name in names:
            raise ValueError(f"The layer {name!r} is given twice.")
        names.append(name)
    return names


def as_leaf(name: str, output: object) -> Tensor:
    """A layer's output with a gradient: below the lowest layer nothing is recorded, so it may be a leaf."""
    if not isinstance(output, Tensor) or output.ndim != 4:
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"The output of {name!r} is {given}, a saliency map needs maps (B, K, h, w).")
    return output if output.requires_grad else output.detach().requires_grad_()


def _modules(model: nn.Module, names: list[str]) -> list[nn.Module | None]:
    modules = dict(model.named_modules(remove_duplicate=False))
    return [None if name == INPUT else modules[name.partition("#")[0]] for name in names]


def _is_asked_for(name: str, use: int) -> bool:
    _, _, time = name.partition("#")
    return not time or use == int(time)


def _first(given: tuple) -> Tensor | None:
    return next((one.detach().clone() for one in given if isinstance(one, Tensor)), None)


def _refuse_unclear_layers(
    hooked: dict[str, nn.Module | None], uses: Counter, caught: dict[str, Captured]
) -> None:
    for name in hooked:
        if name not in caught:
            ran = f"only {uses[name]} times" if uses[name] else "never"
            raise ValueError(f"The layer {name!r} has no map to show: it runs {ran} in a forward pass.")
        if "#" not in name and uses[name] > 1:
            each = ", ".join(f"{name}#{n}" for n in range(1, uses[name] + 1))
            raise ValueError(
                f"The layer {name!r} runs {uses[name]} times in a forward pass: choose of {each}."
            )
