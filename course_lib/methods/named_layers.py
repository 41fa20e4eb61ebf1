"""A layer of a model, given as the module itself or as its dotted name."""

from collections.abc import Iterable

from torch import nn

Layer = str | nn.Module


def find_layers(model: nn.Module, layers: Layer | Iterable[Layer] | None) -> dict[str, nn.Module]:
    """Layers of a model by their dotted names, in the order given.

    Args:
        model: the model.
        layers: modules or dotted names, one or several; None means every ``nn.ReLU``, in the order of the
            model's definition.

    Raises:
        ValueError: the model has no such layer, no ReLU, or a layer is given twice.
        TypeError: a layer is neither a module nor a name.
    """
    if layers is None:
        found = {name: module for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
        if not found:
            raise ValueError(f"{type(model).__name__} contains no nn.ReLU module; name the layers to hook.")
        return found
    modules = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    found = {}
    for layer in [layers] if isinstance(layers, str | nn.Module) else layers:
        name = _name(model, modules, layer)
        if any(modules[name] is other for other in found.values()):
            raise ValueError(f"The layer {name!r} is given twice.")
        found[name] = modules[name]
    if not found:
        raise ValueError("layers is empty; name at least one layer, or give None for every nn.ReLU.")
    return found


def find_logits(model: nn.Module, include_logits: bool | Layer) -> dict[str, nn.Module]:
    """The layer whose output are the logits, by its dotted name; empty where they are not wanted.

    Args:
        model: the model.
        include_logits: True means ``model.head``; or a module, or a dotted name; False means none.

    Raises:
        ValueError: the model has no ``head``, or no such layer.
        TypeError: the layer is neither a module nor a name.
    """
    if include_logits is False:
        return {}
    if include_logits is True and not isinstance(getattr(model, "head", None), nn.Module):
        raise ValueError(
            f"{type(model).__name__} has no layer `head`: give include_logits the layer of the logits."
        )
    return find_layers(model, ["head" if include_logits is True else include_logits])


def _name(model: nn.Module, modules: dict[str, nn.Module], layer: Layer) -> str:
    if isinstance(layer, str):
        names = [layer] if layer in modules else []
    elif isinstance(layer, nn.Module):
        names = [name for name, module in modules.items() if module is layer]
    else:
        raise TypeError(f"A layer is a module or its dotted name, not {type(layer).__name__}.")
    if not names:
        given = repr(layer) if isinstance(layer, str) else f"this {type(layer).__name__}"
        some = ", ".join(list(modules)[:30]) + (f" and {len(modules) - 30} more" if len(modules) > 30 else "")
        raise ValueError(f"{type(model).__name__} has no layer {given}, possible are {some}.")
    return names[0]
