"""Sanity check: a net loses its weights layer by layer; do its maps notice? (Rebuffi 2020, Ch. 8, §4.5)

The check is that of Adebayo et al. 2018. A method whose map stays as it was shows the image, not the net.
"""

import copy
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import nn

from course_lib.training.randomness import undisturbed

Model = TypeVar("Model", bound=nn.Module)


def cascade(model: Model, seed: int = 0) -> Iterator[tuple[str, Model]]:
    """The model with its last layer as freshly made, then the last two, and so on to the first.

    A layer is a module with parameters of its own, or with running statistics; it is made anew by its own
    ``reset_parameters``. For batch norm, that is the affine part and the running statistics as well. The
    order is that of the model's definition, backwards. What a layer gets depends on the seed alone, on every
    device, and neither on how many models are taken nor on what is drawn between them.

    The model itself, as it is, is not among them. Keep the class that is explained: the class that a net
    without weights prefers is another question.

    Args:
        model: not changed.
        seed: of the new weights; the global random state is not touched.

    Yields:
        (name, copy): the dotted name of the layer that was randomised last, and an independent copy of the
        model in which it and all later ones are as new; in the same mode as the model, without ``.grad``.

    Raises:
        ValueError: a module with parameters has no ``reset_parameters``, or no module has parameters.
    """
    names = list(reversed(_layers(model)))
    fresh = copy.deepcopy(model).cpu()  # drawn on the CPU: the same weights wherever the model is
    with undisturbed(torch.device("cpu")):
        torch.default_generator.manual_seed(seed)
        for name in names:
            fresh.get_submodule(name).reset_parameters()
    return _cascade(model, fresh, names)


def _cascade(model: Model, fresh: Model, names: list[str]) -> Iterator[tuple[str, Model]]:
    current = copy.deepcopy(model)  # which has no .grad
    for name in names:
        made, there = fresh.get_submodule(name), current.get_submodule(name)
        with torch.no_grad():
            for own in ("_parameters", "_buffers"):
                for key, value in getattr(made, own).items():
                    if value is not None:
                        getattr(there, own)[key].copy_(value)
        yield name, copy.deepcopy(current)


def _layers(model: nn.Module) -> list[str]:
    """Names of the modules that hold something learned, in the order of the model's definition."""
    found = []
    for name, module in model.named_modules():
        resettable = hasattr(module, "reset_parameters")
        if any(True for _ in module.parameters(recurse=False)):
            if not resettable:
                which = f"The layer {name!r}" if name else "The model"
                raise ValueError(
                    f"{which} ({type(module).__name__}) has parameters of its own but no `reset_parameters`: "
                    "give it this method, so that it can be randomised."
                )
            found.append(name)
        elif resettable and any(True for _ in module.buffers(recurse=False)):
            found.append(name)
    if not found:
        raise ValueError(f"{type(model).__name__} has no parameters, so there is nothing to randomise.")
    return found
