"""Menus over several lists of values, every combination of which is a frame."""

import html
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from course_lib.plots.display import unique

Chosen = Mapping[str, Any]


def live(frame: Callable[[Chosen], str], positions: Mapping[str, list], start: Mapping[str, int]) -> bool:
    """Show menus that ask the kernel; False where that is not possible."""
    try:
        import ipywidgets
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        return False
    if get_ipython() is None:
        return False
    menus = {
        name: ipywidgets.Dropdown(
            options=[(str(value), value) for value in values],
            index=start[name],
            description=name.replace("_", " "),
            style={"description_width": "initial"},
        )
        for name, values in positions.items()
    }
    picture = ipywidgets.HTML()

    def show(_: Any = None) -> None:
        picture.value = frame({name: menu.value for name, menu in menus.items()})

    show()
    for menu in menus.values():
        menu.observe(show, "value")
    display(ipywidgets.VBox([ipywidgets.HBox(list(menus.values())), picture]))
    return True


def page(frame: Callable[[Chosen], str], positions: Mapping[str, list], start: Mapping[str, int]) -> str:
    """The static player: a menu for each name over the frames, of which all but one are hidden."""
    begin = tuple(start.values())
    frames = []
    for places in itertools.product(*(range(len(values)) for values in positions.values())):
        chosen = {name: positions[name][place] for name, place in zip(positions, places)}
        at, hidden = " ".join(map(str, places)), "" if places == begin else " hidden"
        frames.append(f'<div class="course-frame" data-at="{at}"{hidden}>{frame(chosen)}</div>\n')
    pictures = "".join(frames)
    player = unique(pictures)
    menus = "".join(
        _menu(f"{player}-{n}", name, values, begin[n]) for n, (name, values) in enumerate(positions.items())
    )
    return f"""<div class="course-player" id="{player}" style="max-width:100%">
<div class="course-player-control"
 style="display:flex;flex-wrap:wrap;align-items:center;gap:.4em 1.2em;margin:.3em 0">
{menus}</div>
{pictures}</div>
<script>
(() => {{
  const player = document.getElementById("{player}");
  const menus = [...player.querySelectorAll("select")];
  const frames = player.querySelectorAll(".course-frame");
  const show = () => {{
    const at = menus.map((menu) => menu.selectedIndex).join(" ");
    frames.forEach((frame) => {{ frame.hidden = frame.dataset.at !== at; }});
  }};
  menus.forEach((menu) => menu.addEventListener("change", show));
  show();
}})();
</script>"""


def _menu(id: str, name: str, values: list, begin: int) -> str:
    words = [html.escape(str(value)) for value in values]
    options = "".join(
        f"<option{' selected' if n == begin else ''}>{word}</option>" for n, word in enumerate(words)
    )
    label = html.escape(name.replace("_", " "))
    return f"""<span style="display:inline-flex;gap:.4em;align-items:center">
<label for="{id}">{label}</label>
<select id="{id}" style="font:inherit;max-width:16em">{options}</select></span>
"""
