"""Every saliency method by one call: ``saliency(model, x, y, method=…, layer=…)``.

The methods that read activations and gradients share one forward and one backward pass, for all layers at
once; each method with a backward rule of its own needs one more.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
import torchvision.transforms.v2.functional as transforms
from torch import Tensor, nn

from course_lib.localisation import to_size
from course_lib.methods.named_layers import Layer, find_layers
from course_lib.methods.saliency import aggregation
from course_lib.methods.saliency.capture import (
    INPUT,
    Captured,
    Score,
    capture,
    checked,
    class_score,
    names_of,
    passing_through,
)
from course_lib.methods.saliency.excitation import contrastive_excitation_backprop, excitation_backprop
from course_lib.methods.saliency.extremal import extremal_perturbation
from course_lib.methods.saliency.meaningful_perturbation import meaningful_perturbation
from course_lib.methods.saliency.meta import meta_saliency
from course_lib.methods.saliency.modified_relu import backward_rule
from course_lib.methods.saliency.occlusion import occlusion
from course_lib.methods.saliency.rise import rise

Layers = Layer | Iterable[Layer | None] | None
Maps = dict[str, Tensor]

# From an activation and the gradient of the class score, both of one tensor.
FROM_GRADIENTS: dict[str, Callable[..., Tensor]] = {
    "gradient": aggregation.gradient_map,
    "gradient_sum": aggregation.gradient_sum,
    "linear_approximation": aggregation.linear_approximation,
    "grad_cam": aggregation.grad_cam,
    "normgrad": aggregation.normgrad,
    "selective_normgrad": aggregation.selective_normgrad,
    "normgrad_scaling": partial(aggregation.aggregate, "scaling", "norm"),
    "normgrad_bias": partial(aggregation.aggregate, "bias", "norm"),
}
# By hiding parts of the image.
BY_MASKS: dict[str, Callable[..., Tensor]] = {
    "occlusion": occlusion,
    "rise": rise,
    "meaningful_perturbation": meaningful_perturbation,
    "extremal_perturbation": extremal_perturbation,
}


def saliency(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    method: str = "normgrad",
    layer: Layers = None,
    *,
    size: int | tuple[int, int] | None = None,
    meta: float = 0.0,
    sign: int = 1,
    **options,
) -> Tensor | Maps:
    """Maps that say which locations matter for a class; larger is more.

    The model comes back as it was: modes, hooks, parameters, ``.grad``. Known fault: buffers and the random
    state only if the model leaves them alone in evaluation mode.

    Args:
        model: maps images to logits.
        x: images (B, C, H, W).
        y: (B,) int64, the class to explain for each image; a number means this class for all.
        method: one of ``METHODS``.
        layer: where: a module, its dotted name (``"relu#2"`` is the second use of a module), or None for the
            image itself. Several layers come from one pass.
        size: bring the maps to this height and width; None leaves each at its layer's own.
        meta: ε of meta-saliency: first a step of 2ε down the loss of the class, each sample's own (§4.4).
        sign: -1 steps up instead: negative meta-saliency.
        options: what the method takes besides, such as ``kernel_size=3`` of ``normgrad``.

    Returns:
        (B, 1, h, w); for several layers a dict of them by layer name, the image being "input".

    Raises:
        ValueError: no such method or layer, or shapes that do not fit.
        TypeError: a layer is neither a module nor a name, or the method has no such option.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}, possible are {', '.join(METHODS)}.")
    x, y = checked(x, y)
    names = names_of(model, layer)

    def maps_of(model: nn.Module, x: Tensor, y: Tensor) -> Maps:
        return METHODS[method](model, x, y, names, **options)

    found = meta_saliency(maps_of, model, x, y, meta, sign) if meta else maps_of(model, x, y)
    if size is not None:
        found = {name: to_size(maps, size) for name, maps in found.items()}
    return found[names[0]] if layer is None or isinstance(layer, str | nn.Module) else found


def compare(
    model: nn.Module, x: Tensor, y: Tensor | int, methods: Sequence[str], layers: Layers
) -> dict[tuple[str, str], Tensor]:
    """Maps of several methods at several layers, by (method, layer name); gradients are computed once.

    Args:
        model, x, y: as in `saliency`.
        methods: names out of ``METHODS``.
        layers: one or several; methods that hide parts of the image only have a map at "input".
    """
    names = names_of(model, layers)
    shared = capture(model, x, y, names) if set(methods) & set(FROM_GRADIENTS) else {}
    found = {}
    for method in methods:
        if method in FROM_GRADIENTS:
            maps = {name: FROM_GRADIENTS[method](at.x, at.g) for name, at in shared.items()}
        elif method in BY_MASKS:
            maps = {INPUT: BY_MASKS[method](model, x, y)}
        else:
            maps = saliency(model, x, y, method, names)
        found |= {(method, name): each for name, each in maps.items()}
    return found


def smooth(maps: Tensor, strength: float = 0.02) -> Tensor:
    """Maps at the image, smoothed by a Gaussian of standard deviation ``strength * max(h, w)`` pixels."""
    deviation = strength * max(maps.shape[2:])
    reach = max(1, math.ceil(3 * deviation))
    return transforms.gaussian_blur(maps, [2 * reach + 1] * 2, [deviation] * 2)


# --- one function for each kind of method: (model, x, y, names) to maps by name ----------------


def _from_gradients(
    method: str,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    names: list[str],
    score: Score = class_score,
    **options,
) -> Maps:
    taken = capture(model, x, y, names, score=score)
    return {name: FROM_GRADIENTS[method](at.x, at.g, **options) for name, at in taken.items()}


def _real_convolution(
    model: nn.Module, x: Tensor, y: Tensor, names: list[str], score: Score = class_score
) -> Maps:
    """NormGrad of convolutions that are really there (Table 2, row 5)."""
    plain = [name.partition("#")[0] for name in names]
    found = find_layers(model, plain) if INPUT not in plain else {}
    for name in plain:
        conv = found.get(name)
        if not isinstance(conv, nn.Conv2d) or conv.groups != 1:
            what = "the image" if name == INPUT else type(conv).__name__
            raise ValueError(f"normgrad_conv needs layers that are Conv2d of one group, {name!r} is {what}.")
    taken = capture(model, x, y, names, score=score, entering=True)
    return {name: _norm_of(found[own], taken[name]) for name, own in zip(names, plain)}


def _norm_of(conv: nn.Conv2d, at: Captured) -> Tensor:
    sizes = (conv.kernel_size, conv.stride, conv.dilation, conv.padding)
    if any(isinstance(each, str) or len(set(each)) != 1 for each in sizes):
        raise ValueError("normgrad_conv needs square kernels with the same stride and padding both ways.")
    if conv.padding_mode != "zeros":
        raise ValueError(f"normgrad_conv needs padding by zeros, not {conv.padding_mode!r}.")
    kernel, stride, dilation, padding = (each[0] for each in sizes)
    return aggregation.normgrad(at.entering, at.g, kernel, stride, padding, dilation)


def _class_activation(model: nn.Module, x: Tensor, y: Tensor, names: list[str]) -> Maps:
    """CAM, for a net whose last linear layer reads the mean of the maps."""
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"cam needs a linear layer on averaged maps, {type(model).__name__} has none.")
    [last] = find_layers(model, [linear[-1]]).values()
    read: list[Tensor] = []
    handle = last.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0].detach().clone()))
    try:
        with passing_through(model, x, names) as (_, caught):
            maps = {name: at.x.detach() for name, at in caught.items()}
    finally:
        handle.remove()
    for name, at in maps.items():
        mean = at.mean((2, 3))
        if mean.shape != read[-1].shape or not torch.allclose(mean, read[-1], rtol=1e-3, atol=1e-5):
            raise ValueError(
                f"cam needs the maps whose mean enters the last linear layer, {linear[-1]!r}; "
                f"those of {name!r} are not."
            )
    weights = last.weight.detach()[y]
    return {name: aggregation.cam(at, weights) for name, at in maps.items()}


def _modified_relu(
    rule: str,
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    names: list[str],
    how: str = "max_abs",
    score: Score = class_score,
) -> Maps:
    with backward_rule(rule):
        taken = capture(model, x, y, names, score=score)
    return {name: aggregation.aggregate("bias", how, at.g, at.g) for name, at in taken.items()}


def _excitation(model: nn.Module, x: Tensor, y: Tensor, names: list[str], **options) -> Maps:
    signals = excitation_backprop(model, x, y, names, **options)
    return {name: p.sum(1, keepdim=True) for name, p in signals.items()}


def _contrastive(model: nn.Module, x: Tensor, y: Tensor, names: list[str], **options) -> Maps:
    signals = contrastive_excitation_backprop(model, x, y, names, **options)
    return {name: p.sum(1, keepdim=True).relu() for name, p in signals.items()}


def _by_masks(method: str, model: nn.Module, x: Tensor, y: Tensor, names: list[str], **options) -> Maps:
    if names != [INPUT]:
        raise ValueError(f"{method} hides parts of the image, so its layer is None, not {', '.join(names)}.")
    return {INPUT: BY_MASKS[method](model, x, y, **options)}


METHODS: dict[str, Callable[..., Maps]] = {
    **{name: partial(_from_gradients, name) for name in FROM_GRADIENTS},
    "normgrad_conv": _real_convolution,
    "cam": _class_activation,
    "deconvnet": partial(_modified_relu, "deconvnet"),
    "guided_backprop": partial(_modified_relu, "guided"),
    "excitation_backprop": _excitation,
    "contrastive_excitation_backprop": _contrastive,
    **{name: partial(_by_masks, name) for name in BY_MASKS},
}
