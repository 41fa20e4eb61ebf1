"""Expensive products, made once: a trained net or a table of measurements that several pages use.

A product is kept in the user's cache folder with the key of what made it: the arguments, the scale, the code
and the version of torch.  When any of these changes, or the file is broken, it is made again.  Every page
still runs alone, because the page that finds no product makes it.

Two processes that need the same product at once both make it, and the last one to finish keeps its file; each
file is written beside its place and then renamed, so nobody reads half of one.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from course_lib import runtime
from course_lib.files import cache_folder, write_atomically
from course_lib.runtime import CourseError
from course_lib.studies.provenance import code_digest

Product = TypeVar("Product")
_warned: set[Path] = set()


def make_once(name: str, make: Callable[..., Product], **key: Any) -> Product:
    """The product of ``make(**key)``, made now or kept from an earlier time.

    Args:
        name: the product's name, such as ``shade.trained_net``: letters, digits, dots, dashes, underscores.
        make: makes the product from its arguments alone.  The product holds tensors, numbers and text, in
            dicts, lists and tuples (a ``state_dict()`` does; a net does not).
        key: the arguments of ``make``: numbers, text, or tuples of them.

    Returns:
        the product, with its tensors on the CPU, the same whether it was made now or kept.

    Raises:
        ValueError: the name or an argument cannot be part of a key.
        TypeError: the product holds something else than tensors, numbers and text.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(
            f"name is {name!r}, but a product's name has letters, digits, '.', '-' and '_' only."
        )
    what = repr(sorted((argument, _checked(argument, value)) for argument, value in key.items()))
    what = f"{what} {runtime.scale()}"
    how = f"{code_digest(make, named=_texts(key))} {torch.__version__}"
    path = cache_folder() / "products" / f"{name}.{hashlib.sha256(what.encode()).hexdigest()[:12]}.pt"
    kept = _open(path, what, how)
    if kept is not None:
        return kept[0]
    content = _pack(name, {"what": what, "how": how, "product": make(**key)})
    try:
        write_atomically(path, content)
    except CourseError as problem:
        if path.parent not in _warned:
            _warned.add(path.parent)
            warnings.warn(f"{problem} So what is expensive is made anew each time.", stacklevel=2)
    return _unpack(content)["product"]


def _texts(key: dict[str, Any]) -> list[str]:
    """The texts among the arguments, which may name image sets."""
    parts = [part for value in key.values() for part in (value if isinstance(value, tuple) else (value,))]
    return [part for part in parts if isinstance(part, str)]


def _checked(argument: str, value: Any) -> Any:
    """An argument whose text says all of it."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(part is None or isinstance(part, str | int | float) for part in parts):
        raise ValueError(f"{argument} is {value!r}, but a key has numbers, text, or tuples of them.")
    return value


def _open(path: Path, what: str, how: str) -> tuple[Any] | None:
    """The kept product (in a tuple, since it may be None), or None where it must be made."""
    try:
        held = _unpack(path.read_bytes())
        return (held["product"],) if (held["what"], held["how"]) == (what, how) else None
    except Exception:  # missing, cut short, of another format: whatever it is, we make it again
        return None


def _pack(name: str, held: dict[str, Any]) -> bytes:
    """The file's content: its SHA-256, then what torch writes, so that a broken file is noticed."""
    buffer = io.BytesIO()
    torch.save(held, buffer)
    content = hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue()
    try:
        _unpack(content)
    except Exception as problem:
        raise TypeError(
            f"The product {name} holds something else than tensors, numbers and text, for instance a module; "
            "give its state_dict() instead."
        ) from problem
    return content


def _unpack(content: bytes) -> dict[str, Any]:
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError("The file is broken.")
    return torch.load(io.BytesIO(content[32:]), map_location="cpu", weights_only=True)
