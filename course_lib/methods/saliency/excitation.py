"""Excitation backprop and its contrastive form (Zhang et al. 2016), at any layers of a net.

The backward rules are in `excitation_rules`. The signal starts with one at the logit of the class. In a fully
convolutional net, whose logits are (B, C, h, w), that one is shared out between the positions by a softmax of
the class's logits.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from course_lib.methods.named_layers import Layer, find_layers
from course_lib.methods.saliency.capture import (
    INPUT,
    Captured,
    checked,
    class_score,
    names_of,
    passing_through,
)
from course_lib.methods.saliency.excitation_rules import ExcitationRules, excitation_rules, is_weighted

Layers = Layer | None | Iterable[Layer | None]


def excitation_backprop(
    model: nn.Module, x: Tensor, y: Tensor | int, layers: Layers = None
) -> dict[str, Tensor]:
    """How the one at the class's logit is shared out at some layers; a map is its sum over channels.

    One forward pass in evaluation mode, one backward pass, and the model is as before.

    Args:
        model: maps images to logits, through layers that `excitation_rules` has a rule for.
        x: images (B, C, H, W), normalised as the model wants them.
        y: (B,) int64, the class that is to be explained for each image; a number means this class for all.
        layers: modules or dotted names, one or several, as for `capture`; None, or the name "input", is the
            image itself.

    Returns:
        p (B, K, h, w) by layer name, of the shape of the layer's output, in the order asked for.

    Raises:
        ValueError: shapes that do not fit, no such layer, a function without a rule, or a layer that does not
            influence the score.
        TypeError: a layer is neither a module nor a name.
    """
    images, y = checked(x, y)
    names = names_of(model, layers)
    with _excited(excitation_rules(), model, images, names) as (outputs, caught):
        tensors = [caught[name].x for name in names]
        found = torch.autograd.grad(class_score(outputs, y).sum(), tensors, allow_unused=True)
    for name, p in zip(names, found):
        if p is None:
            raise ValueError(f"The layer {name!r} does not influence the score, so it has no saliency map.")
    return dict(zip(names, found))


def contrastive_excitation_backprop(
    model: nn.Module,
    x: Tensor,
    y: Tensor | int,
    layers: Layers = None,
    contrast_layer: Layer | None = None,
    classifier: Layer | None = None,
) -> dict[str, Tensor]:
    """What excites the class, less what would excite its negative; a map is (Σ_k p_k)_+.

    At the contrast layer there are two signals: p, and p̃ of the net with the classifier's weights negated.
    From there p - p̃ goes down; a branch past the contrast layer brings nothing. Where both passes keep their
    sums, that of p - p̃ is 0.

    One forward pass in evaluation mode, and the model is as before; its weights are not touched.

    Args:
        model, x, y, layers: as for `excitation_backprop`; the layers are the contrast layer or lie below it.
        contrast_layer: at whose output to subtract, a module or a dotted name. None means what enters the
            classifier, which for VGG-16 is the output of its last ReLU, for a ResNet that of ``avgpool``.
        classifier: the layer whose weights are negated, a module or a dotted name. None means the last
            ``nn.Linear`` in the model's definition or, where there is none, its last convolution.

    Returns:
        p (B, K, h, w) by layer name, of the shape of the layer's output, of either sign.

    Raises:
        ValueError: as for `excitation_backprop`; or the contrast layer or the classifier does not take part
            once in the class score, or a layer does not lie below the contrast layer.
        TypeError: a layer is neither a module nor a name, or the classifier has no weights to negate.
    """
    images, y = checked(x, y)
    names = names_of(model, layers)
    head_name, head = _classifier(model, classifier)
    rules = excitation_rules(negated=head)
    if contrast_layer is None:
        contrast_name, tap = f"the input of {head_name!r}", _tapped(head, before=True)
    else:
        ((contrast_name, module),) = find_layers(model, [contrast_layer]).items()
        tap = _tapped(module)
    with tap as where, _excited(rules, model, images, names) as (outputs, caught):
        if not rules.met:
            raise ValueError(f"The weights of the classifier {head_name!r} are not used by the net.")
        if len(where) != 1:
            raise ValueError(f"The contrast layer, {contrast_name}, runs {len(where)} times, needed is once.")
        # A layer that is the contrast layer was caught behind the tap.
        contrast = caught[contrast_name].x if contrast_name in names else where[0]
        score = class_score(outputs, y).sum()
        (against,) = torch.autograd.grad(score, contrast, retain_graph=True, allow_unused=True)
        rules.negating = False
        (p,) = torch.autograd.grad(score, contrast, retain_graph=True, allow_unused=True)
        if p is None:
            raise ValueError(f"The contrast layer, {contrast_name}, does not influence the score.")
        tensors = [caught[name].x for name in names]
        found = torch.autograd.grad(contrast, tensors, p - against, allow_unused=True)
    for name, signal in zip(names, found):
        if signal is None:
            raise ValueError(f"The layer {name!r} does not lie below the contrast layer, {contrast_name}.")
    return dict(zip(names, found))


@contextmanager
def _excited(
    rules: ExcitationRules, model: nn.Module, x: Tensor, names: list[str]
) -> Iterator[tuple[Tensor, dict[str, Captured]]]:
    """A forward pass under the rules; what follows, the score and the backward passes, is outside of them.

    The graph begins at the image whatever the layers are: a branch past a layer has to count as a branch.
    """
    with ExitStack() as stack:
        with rules:
            passed = stack.enter_context(passing_through(model, x, list(dict.fromkeys([INPUT, *names]))))
        yield passed


@contextmanager
def _tapped(module: nn.Module, before: bool = False) -> Iterator[list[Tensor]]:
    """What leaves a module, or enters it, each time that it runs."""
    found: list[Tensor] = []

    def leaving(_: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        found.append(output)
        return output.clone()  # which the net may change in place

    def entering(_: nn.Module, inputs: tuple, named: dict) -> tuple[tuple, dict]:
        # A copy, because the net may change its own in place, and may use it elsewhere too.
        found.append((*inputs, *named.values())[0].clone())
        return (found[-1],), {}

    if before:
        handle = module.register_forward_pre_hook(entering, with_kwargs=True)
    else:
        handle = module.register_forward_hook(leaving)
    try:
        yield found
    finally:
        handle.remove()


def _classifier(model: nn.Module, layer: Layer | None) -> tuple[str, nn.Module]:
    if layer is not None:
        ((name, module),) = find_layers(model, [layer]).items()
        if not is_weighted(module):
            raise TypeError(
                f"The classifier {name!r} is {type(module).__name__}, "
                "possible are linear and convolutional layers."
            )
        return name, module
    weighted = [(name, module) for name, module in model.named_modules() if is_weighted(module)]
    linear = [(name, module) for name, module in weighted if isinstance(module, nn.Linear)]
    if not weighted:
        raise ValueError(f"{type(model).__name__} has neither a linear layer nor a convolution to negate.")
    return (linear or weighted)[-1]
