"""A slider over one list of values."""

import html
from collections.abc import Callable
from typing import Any

from course_lib.plots.display import unique


def live(frame: Callable[[Any], str], label: str, positions: list, start: int) -> bool:
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


def page(frames: list[str], label: str, positions: list, start: int) -> str:
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
