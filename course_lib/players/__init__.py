"""Figures that answer: live where a kernel answers, and stored frames where there is none."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from course_lib.players import menus, slider
from course_lib.plots.display import emit, require_alt, svg
from course_lib.runtime import in_book

__all__ = ["explore"]


def explore(
    draw: Callable[..., Any],
    *,
    alt: str | Callable[..., str],
    label: str | None = None,
    start: int | Mapping[str, int] = 0,
    name: str | None = None,
    **values: Sequence[Any],
) -> None:
    """Show what ``draw`` draws, with a slider over the values of one name, or a menu for each of several.

    With a kernel and ipywidgets, each choice is drawn when it is asked for.  In the book, or without
    ipywidgets, every choice is drawn once and stored in the page; the controls then work without a kernel,
    without a network, from a file, and from the keyboard.

    Args:
        draw: takes one value, or with several names the chosen values by name; returns a matplotlib figure.
        alt: what the figure shows: a function that takes what ``draw`` takes, or a text to which the values
            are added.
        label: what the slider says it changes; None takes the name of the values.  Menus are labelled by
            their names.
        start: the position that is shown first; with several names, positions by name, 0 where none is given.
        name: in the book, where ``{glue:figure}`` with this name puts it.
        values: the names with their values: ``m=[0.5, 1, 2]``, or ``method=[...], stage=[...]``.

    Raises:
        ValueError: no name or no value is given, ``start`` is not the position of a value, a label goes
            with several names, or ``alt`` says nothing.

    Example:
        >>> explore(draw_wells, m=[0.5, 1, 2], alt=lambda m: f"The penalty with half-gap {m}.")
    """
    positions = {name: list(given) for name, given in values.items()}
    if not positions:
        raise ValueError(
            "explore takes a name with its values, or several, such as m=[0.5, 1, 2]; given is none."
        )
    if len(positions) > 1 and label is not None:
        raise ValueError(f"label is {label!r}, but there are menus for {', '.join(positions)}, labelled so.")
    first = _start(start, positions)

    def call(what: Callable, chosen: Mapping[str, Any]) -> Any:
        return what(**chosen) if len(positions) > 1 else what(*chosen.values())

    def told(chosen: Mapping[str, Any]) -> str:
        if callable(alt):
            return call(alt, chosen)
        return f"{alt} " + ", ".join(f"{symbol} = {value}" for symbol, value in chosen.items()) + "."

    def frame(chosen: Mapping[str, Any]) -> str:
        return svg(call(draw, chosen), told(chosen))

    require_alt(call(alt, {n: positions[n][first[n]] for n in positions}) if callable(alt) else alt)
    if len(positions) > 1:
        if in_book() or not menus.live(frame, positions, first):
            emit(menus.page(frame, positions, first), f"{', '.join(positions)}: {_count(positions)}", name)
        return
    [(symbol, one)] = positions.items()
    label, begin = label or symbol, first[symbol]

    def of_one(value: Any) -> str:
        return frame({symbol: value})

    if in_book() or not slider.live(of_one, label, one, begin):
        emit(
            slider.page([of_one(value) for value in one], label, one, begin),
            f"{label}: {one[0]} to {one[-1]}",
            name,
        )


def _start(start: int | Mapping[str, int], positions: Mapping[str, list]) -> dict[str, int]:
    given = dict(start) if isinstance(start, Mapping) else dict.fromkeys(positions, start)
    for name, place in given.items():
        if name not in positions:
            raise ValueError(f"start has a position of {name!r}, but the names are {', '.join(positions)}.")
        if not 0 <= place < len(positions[name]):
            raise ValueError(
                f"start is {place}, but {name} has {len(positions[name])} values; the first is number 0."
            )
    return {name: given.get(name, 0) for name in positions}


def _count(positions: Mapping[str, list]) -> str:
    return f"{math.prod(map(len, positions.values()))} choices"
