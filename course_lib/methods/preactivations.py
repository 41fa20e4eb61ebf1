"""Pre-activations: the tensors that enter a model's ReLUs, recorded while the model runs."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_lib.methods.named_layers import Layer, find_layers, find_logits
from course_lib.training.modes import evaluation_mode


class PreActivations:
    """Hooks on a model that record what enters its ReLUs.

    `take` hands over what the forward passes since the last `take` recorded, and forgets it.
    Which forward passes count is decided so that nothing old or unwanted slips in:

    * Only passes with gradients enabled: an evaluation under ``torch.no_grad`` costs no memory and leaves no
      trace. (`observe` looks at a batch without gradients.)
    * Several passes in training mode (two views of a batch, say) count together, as one larger batch;
      a part of the model that is called by itself counts too.
      A pass whose backward pass is over belongs to an earlier step: the layer's next pass displaces it.
      In evaluation mode only the last pass counts.
    * `take` only hands over passes in the mode, training or evaluation, that the model is in at that moment.

    A module that one call of the model uses several times counts as several layers: ``relu``, ``relu#2``, ...
    An in-place ReLU gets a copy of its input, so that what was recorded stays.

    The hooks do not follow the model: a copied or unpickled model, and a copied or unpickled recorder, are
    both free of the other.

    Args:
        model: the model; it keeps its behaviour.
        layers: whose inputs to record: modules or dotted names; None means every ``nn.ReLU``.
        include_logits: also record the output of ``model.head`` (True), or of this module or dotted name.

    Attributes:
        model: the model, or None once removed.
        names: dotted names of the hooked layers, in the order of the model's definition (or of ``layers``);
            a layer whose output is recorded is called ``name:output``.

    Raises:
        ValueError: the model has no such layer, no ReLU, or a layer is named twice.
        TypeError: a layer is neither a module nor a name.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Layer | Iterable[Layer] | None = None,
        include_logits: bool | Layer = False,
    ):
        inputs = find_layers(model, layers)
        outputs = {f"{name}:output": m for name, m in find_logits(model, include_logits).items()}
        self.model: nn.Module | None = model
        self.names = (*inputs, *outputs)
        self._passes: dict[str, list[tuple[Tensor, _Pass]]] = {}
        self._uses: Counter[str] | None = None  # how often each layer ran in the present call of the model
        self._without_gradient = False
        self._handles = [
            model.register_forward_pre_hook(_Hook(self._begin)),
            *(m.register_forward_pre_hook(_Hook(self._entering, name)) for name, m in inputs.items()),
            *(m.register_forward_hook(_Hook(self._leaving, name)) for name, m in outputs.items()),
            model.register_forward_hook(_Hook(self._end), always_call=True),
        ]

    def take(self) -> dict[str, Tensor]:
        """The pre-activations of each layer, in the order of use, with their graph; they are forgotten here.

        Returns:
            tensors (B, D) or (B, C, ...) by layer name; B counts the samples of all passes together.

        Raises:
            RuntimeError: there is no forward pass that counts, the recorder was removed, or a recorded tensor
                was changed in place since.
            ValueError: several passes count, and their tensors differ in more than the number of samples.
        """
        training = self.attached().training
        found = {
            name: [(h, seen) for h, seen in passes if seen.training == training]
            for name, passes in self._passes.items()
        }
        if not any(found.values()):
            raise RuntimeError(
                f"No forward pass in {'training' if training else 'evaluation'} mode with gradients enabled "
                "was recorded since the last time: call model(x) first."
            )
        self.forget()
        return {name: _together(name, passes) for name, passes in found.items() if passes}

    @torch.no_grad()
    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """The pre-activations of a batch in evaluation mode, without gradients; nothing else is touched.

        Args:
            x: what the model takes.

        Returns:
            tensors (B, D) or (B, C, ...) by layer name, in the order of use.
        """
        model = self.attached()
        kept, self._passes = self._passes, {}
        self._without_gradient = True
        try:
            with evaluation_mode(model):
                model(x)
                return self.take()
        finally:
            self._passes, self._without_gradient = kept, False

    def forget(self) -> None:
        """Drop what was recorded."""
        self._passes = {}

    def remove(self) -> None:
        """Take the hooks off the model; a second time does nothing."""
        for handle in self._handles:
            handle.remove()
        self.model = None
        self.forget()

    def __enter__(self) -> "PreActivations":
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def __reduce__(self):
        return _removed, (self.names,)

    def attached(self) -> nn.Module:
        if self.model is None:
            raise RuntimeError(
                "This is attached to no model any more (it was removed, or is a copy): attach a new one."
            )
        return self.model

    def _begin(self, name: str, module: nn.Module, inputs: tuple) -> None:
        self._uses = Counter()

    def _end(self, name: str, module: nn.Module, inputs: tuple, output: object) -> None:
        self._uses = None

    def _entering(self, name: str, module: nn.Module, inputs: tuple) -> tuple | None:
        recorded = self._record(name, inputs[0] if inputs else None)
        if recorded and getattr(module, "inplace", False):
            return (inputs[0].clone(), *inputs[1:])
        return None

    def _leaving(self, name: str, module: nn.Module, inputs: tuple, output: object) -> None:
        self._record(name, output)

    def _record(self, name: str, h: object) -> bool:
        if not (torch.is_grad_enabled() or self._without_gradient):
            return False
        if not isinstance(h, Tensor) or not h.is_floating_point() or h.ndim < 2:
            given = f"{h.dtype} {tuple(h.shape)}" if isinstance(h, Tensor) else type(h).__name__
            raise TypeError(
                f"Pre-activations are floating tensors (B, D) or (B, C, ...), {name!r} has {given}."
            )
        if self._uses is not None:
            self._uses[name] += 1
            if self._uses[name] > 1:
                name = f"{name}#{self._uses[name]}"
        seen = _Pass(h, self.attached().training)
        unfinished = [old for old in self._passes.get(name, []) if not old[1].over]
        self._passes[name] = [*unfinished, (h, seen)]
        return True


def pre_activations(
    model: nn.Module,
    x: Tensor,
    layers: Layer | Iterable[Layer] | None = None,
    include_logits: bool | Layer = False,
) -> dict[str, Tensor]:
    """What enters each ReLU when the model sees a batch, in evaluation mode and without gradients.

    Args:
        model: the model; hooks and mode are as before afterwards.
        x: what the model takes.
        layers: modules or dotted names; None means every ``nn.ReLU``.
        include_logits: also the output of ``model.head`` (True), or of this module or dotted name.

    Returns:
        tensors (B, D) or (B, C, ...) by layer name, in the order of use.
    """
    with PreActivations(model, layers, include_logits) as recorder:
        return recorder.observe(x)


class _Pass:
    """One forward pass as one layer saw it: its mode, and whether it is still of use.

    It does not hold the tensor: the tensor's own gradient hook holds this object.
    """

    def __init__(self, h: Tensor, training: bool):
        self.training = training
        self.version = h._version
        self.over = not (training and h.requires_grad)
        if not self.over:
            h.register_hook(self._backward_came)

    def _backward_came(self, gradient: Tensor) -> None:
        self.over = True


class _Hook:
    """Calls a method of the recorder, as long as the recorder lives; a copy of the hook calls nobody."""

    def __init__(self, method: Callable | None = None, name: str = ""):
        self.method = method and weakref.WeakMethod(method)
        self.name = name

    def __call__(self, module: nn.Module, *tensors: object) -> tuple | None:
        method = self.method and self.method()
        return method(self.name, module, *tensors) if method else None

    def __reduce__(self):
        return _Hook, ()


def _removed(names: tuple[str, ...]) -> PreActivations:
    """What is left of a recorder when it is copied: its names, and no model."""
    recorder = PreActivations.__new__(PreActivations)
    recorder.model, recorder.names, recorder._handles, recorder._passes = None, names, [], {}
    return recorder


def _together(name: str, passes: list[tuple[Tensor, _Pass]]) -> Tensor:
    for h, seen in passes:
        if h._version != seen.version:
            raise RuntimeError(
                f"The pre-activations of {name!r} were changed in place after they were recorded."
            )
    shapes = [tuple(h.shape) for h, _ in passes]
    if len({shape[1:] for shape in shapes}) > 1:
        raise ValueError(
            f"The passes through {name!r} make no batch, their shapes are {', '.join(map(str, shapes))}."
        )
    return passes[0][0] if len(passes) == 1 else torch.cat([h for h, _ in passes])
