"""Figures with a slider: live where a kernel answers, and stored frames where there is none."""

import html
from collections.abc import Callable, Sequence
from typing import Any

from course_lib.plots.display import emit, require_alt, svg, unique
from course_lib.runtime import in_book


def explore(
    draw: Callable[[Any], Any],
    *,
    alt: str | Callable[[Any], str],
    label: str | None = None,
    start: int = 0,
    name: str | None = None,
    **values: Sequence[Any],
) -> None:
    """Show ``draw(value)`` with a slider over the values.

    With a kernel and ipywidgets, each position is drawn when it is asked for.  In the book, or without
    ipywidgets, every position is drawn once and stored in the page; the slider then works without a kernel,
    without a network, from a file, and from the keyboard.

    Args:
        draw: takes one value, returns a matplotlib figure.
        alt: what the figure shows: a function of the value, or a text to which the value is added.
        label: what the slider says it changes; None takes the name of the values.
        start: the position that is shown first.
        name: in the book, where ``{glue:figure}`` with this name puts it.
        values: exactly one name with its values: ``m=[0.5, 1, 2]``.

    Raises:
        ValueError: there is not exactly one name, ``start`` is not the position of one of its values, or
            ``alt`` says nothing.

    Example:
        >>> explore(draw_wells, m=[0.5, 1, 2], alt=lambda m: f"The penalty with half-gap {m}.")
    """
    if len(values) != 1:
        raise ValueError(
            f"explore takes the values of exactly one slider, given are {len(values)}: {sorted(values)}."
        )
    [(symbol, positions)] = values.items()
    positions = list(positions)
    if not 0 <= start < len(positions):
        raise ValueError(
            f"start is {start}, but {symbol} has {len(positions)} values; the first is number 0."
        )
    label = label or symbol
    require_alt(alt(positions[start]) if callable(alt) else alt)

    def frame(value: Any) -> str:
        return svg(draw(value), alt(value) if callable(alt) else f"{alt} {symbol} = {value}.")

    if not in_book() and _live(frame, label, positions, start):
        return
    frames = [frame(value) for value in positions]
    emit(_page(frames, label, positions, start), f"{label}: {positions[0]} to {positions[-1]}", name)


def _live(frame: Callable[[Any], str], label: str, positions: list, start: int) -> bool:
    """Show a slider that asks the kernel; False where that is not possible."""
    try:
        import ipywidgets
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        return False
    if get_ipython() is None:
        return False
    slider = ipywidgets.SelectionSlider(
        options=[(str(value), value) for value in positions],
        index=start,
        description=label,
        style={"description_width": "initial"},
    )
    picture = ipywidgets.HTML(frame(positions[start]))
    slider.observe(lambda change: setattr(picture, "value", frame(change["new"])), names="value")
    display(ipywidgets.VBox([slider, picture]))
    return True


def _page(frames: list[str], label: str, positions: list, start: int) -> str:
    """The static player: a range input over the frames, of which all but one are hidden."""
    words = [html.escape(f"{value}") for value in positions]
    said = html.escape(label)
    pictures = "".join(
        f'<div class="course-frame" data-value="{word}"{"" if n == start else " hidden"}>{picture}</div>\n'
        for n, (word, picture) in enumerate(zip(words, frames))
    )
    player = unique(pictures)
    return f"""<div class="course-player" id="{player}" style="max-width:100%">
<div class="course-player-control"
 style="display:flex;flex-wrap:wrap;align-items:center;gap:.4em .8em;margin:.3em 0">
<label for="{player}-range">{said}</label>
<input id="{player}-range" type="range" min="0" max="{len(frames) - 1}" step="1" value="{start}"
 aria-valuetext="{words[start]}" style="flex:1 1 10em;min-width:8em;max-width:28em">
<output for="{player}-range" style="min-width:3em;font-variant-numeric:tabular-nums">{words[start]}</output>
</div>
{pictures}</div>
<script>
(() => {{
  const player = document.getElementById("{player}");
  const range = player.querySelector("input");
  const frames = player.querySelectorAll(".course-frame");
  const show = () => {{
    frames.forEach((frame, n) => {{ frame.hidden = n !== Number(range.value); }});
    const value = frames[range.value].dataset.value;
    range.setAttribute("aria-valuetext", value);
    player.querySelector("output").textContent = value;
  }};
  range.addEventListener("input", show);
  show();
}})();
</script>"""
