"""BinAct: a trained ReLU that may only say "absent" or "present", to see what else the net above it needs.

Robert 2019, §A.2.2 and Table A.1: one ReLU is replaced by a binary activation, then the layers above it are
fine-tuned. If the accuracy stays, one bit of each unit was all that they used::

    binary = binarised(net, "body.relu2", batches)
    fit(binary, batches, epochs=10)  # moves only what lies above
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from course_lib.methods.layerwise import as_samples, beside
from course_lib.methods.named_layers import Layer, find_layers
from course_lib.methods.preactivations import PreActivations
from course_lib.training import batches as reading


class BinaryActivation(nn.Module):
    """0 where h <= 0, the unit's own level where h > 0 (Eq. A.11).

    It is flat on both sides of the step, so its output is a constant for autograd: nothing flows back to h.

    Args:
        levels: (D,) what each unit says when it is active, positive; see `positive_means`.

    Attributes:
        levels: buffer (D,).

    Raises:
        ValueError: the levels are not one positive number for each unit.
    """

    levels: Tensor

    def __init__(self, levels: Tensor):
        super().__init__()
        if levels.ndim != 1 or not levels.is_floating_point():
            raise ValueError(
                f"levels is {levels.dtype} {tuple(levels.shape)}, needed is one number for each unit (D,)."
            )
        if not (levels.isfinite() & (levels > 0)).all():
            raise ValueError(
                f"levels has {levels.min().item():g} in it, possible are finite numbers above 0."
            )
        self.register_buffer("levels", levels.detach().clone())

    def forward(self, h: Tensor) -> Tensor:
        """h (B, D) or (B, D, ...) to two values for each unit, in the shape and type of h.

        Raises:
            ValueError: h has another number of units.
        """
        if h.ndim < 2 or h.shape[1] != len(self.levels):
            raise ValueError(f"h has shape {tuple(h.shape)}, needed is (B, {len(self.levels)}, ...).")
        return torch.where(h > 0, beside(self.levels.to(h), h), 0)

    def extra_repr(self) -> str:
        return f"{len(self.levels)} units"


def positive_means(model: nn.Module, layer: Layer, batches: Iterable) -> Tensor:
    """The mean of each unit's positive activations: the levels of its `BinaryActivation` (Eq. A.11).

    The model runs in evaluation mode and is as before afterwards. Sums are kept, activations are not.

    Args:
        model: the trained model.
        layer: one of its ``nn.ReLU``, a module or a dotted name, which one call of the model uses once.
        batches: what to average over, the training set say; pairs ``(x, y)``, or objects with ``.x``. Those
            that have an ``evaluation()`` are read through it, un-augmented.

    Returns:
        (D,), for convolutions one number for each channel. A unit that is never positive gets 1: the course's
        choice, the thesis does not say.

    Raises:
        ValueError: there is no such ReLU, or it is used several times; there is no batch.
    """
    name = _one_relu(model, layer)
    total, positive = 0, 0
    with PreActivations(model, name) as recorder:
        for batch in reading.read(reading.whole(batches), reading.device_of(model)):
            h = _only_use(name, recorder.observe(batch.x))
            h, samples = as_samples(h)
            total = total + h.clamp(min=0).sum(samples)
            positive = positive + (h > 0).sum(samples)
    return torch.where(positive > 0, total / positive, 1)


def parameters_above(model: nn.Module, layer: Layer, x: Tensor) -> dict[str, nn.Parameter]:
    """The parameters that work on what a layer gives out.

    Autograd tells, on one batch: above is what moves the model's output, but not the layer's input.
    Where the layers stand in a row, that is what still gets a gradient when none passes the layer, as with a
    `BinaryActivation`. In a residual net everything below still gets one then, through the shortcuts around
    the layer, but it moves the layer's input. What lies beside the layer, such as the shortcut around it or a
    parallel branch, only feeds what is above, and counts as above.

    Args:
        model: its output is a tensor; it stays as it is.
        layer: a module of it or a dotted name, before or after it was replaced by a `BinaryActivation`.
        x: a batch that the model takes.

    Returns:
        the parameters by name, in the order of the model's definition. One that requires no gradient is not
        among them.

    Raises:
        ValueError: the model has no such layer, or the layer does not run.
    """
    (name,) = find_layers(model, [layer])
    above, _ = _sides_of(model, name, x)
    return {key: parameter for key, parameter in model.named_parameters() if key in above}


def binarised(model: nn.Module, layer: Layer, batches: Iterable) -> nn.Module:
    """A copy of a model in which one ReLU is a `BinaryActivation`, ready to fine-tune what lies above.

    Only `parameters_above` require a gradient in the copy. It is in training mode, except for what had run
    before the layer did: batch norms and dropouts there stay in evaluation mode, so that the layer's input is
    the trained model's. `course_lib.training.fit` keeps it so; ``train()`` on the copy would not.

    Args:
        model: the trained model; it stays as it is.
        layer: one of its ``nn.ReLU``, a module or a dotted name, which one call of the model uses once.
        batches: what `positive_means` averages over; can be iterated more than once.

    Returns:
        the copy, on the same device. Hooks of this room do not follow into it.

    Raises:
        ValueError: there is no such ReLU, or it is used several times; there is no batch.
    """
    name = _one_relu(model, layer)
    levels = positive_means(model, name, batches)
    x = next(iter(reading.read(reading.whole(batches), reading.device_of(model)))).x
    above, before = _sides_of(model, name, x)

    binary = copy.deepcopy(model)
    relu = binary.get_submodule(name)
    for place, module in list(binary.named_modules(remove_duplicate=False)):
        if module is relu:
            parent, _, child = place.rpartition(".")
            setattr(binary.get_submodule(parent), child, BinaryActivation(levels))
    for key, parameter in binary.named_parameters():
        parameter.requires_grad_(key in above)
    binary.train()
    for place in before:
        binary.get_submodule(place).eval()
    return binary


def _one_relu(model: nn.Module, layer: Layer) -> str:
    ((name, module),) = find_layers(model, [layer]).items()
    if not isinstance(module, nn.ReLU):
        raise ValueError(f"The layer {name!r} is a {type(module).__name__}, possible are nn.ReLU modules.")
    return name


def _only_use(name: str, found: dict[str, Tensor]) -> Tensor:
    if len(found) > 1:
        raise ValueError(
            f"The ReLU {name!r} is used {len(found)} times in one call of the model: "
            "give each use a module of its own."
        )
    return found[name]


def _sides_of(model: nn.Module, layer: str, x: Tensor) -> tuple[set[str], list[str]]:
    """Names of the parameters above a layer, and of the modules that had run when it did.

    A copy of the model is asked, so that no hook of the model itself sees this pass.
    """
    asked = copy.deepcopy(model).eval()
    finished, before, entered = [], [], []

    def at_the_layer(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        before.extend(finished)
        entered.append(inputs[0])

    for name, module in asked.named_modules():
        module.register_forward_hook(lambda *_, name=name: finished.append(name))
    asked.get_submodule(layer).register_forward_hook(at_the_layer, prepend=True)
    with torch.enable_grad():
        output = asked(x)
        if not entered:
            raise ValueError(f"The layer {layer!r} did not run, so nothing is above it.")
        parameters = {name: p for name, p in asked.named_parameters() if p.requires_grad}
        moves_output, moves_input = (_reached(parameters, end) for end in (output, entered[0]))
    return moves_output - moves_input, before


def _reached(parameters: dict[str, nn.Parameter], end: Tensor) -> set[str]:
    """Names of the parameters that a gradient from this tensor reaches."""
    if not parameters or not end.requires_grad:
        return set()
    wanted = list(parameters.values())
    gradients = torch.autograd.grad(end.sum(), wanted, retain_graph=True, allow_unused=True)
    return {name for name, gradient in zip(parameters, gradients) if gradient is not None}
