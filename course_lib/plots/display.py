"""From a figure to the page: SVG that takes the page's ink, with a text for those who cannot see it."""

import hashlib
import html
import io
import re
from collections import Counter
from typing import Any

from course_lib.runtime import in_book

_DENSE = 1500  # points of one artist above which its pixels are smaller than its paths

# MyST-NB's convention for outputs that are placed by name: a prefixed mime type and this metadata.
_GLUE = "application/papermill.record/"

_shown: Counter[str] = Counter()


def show(fig, alt: str, name: str | None = None) -> None:
    """Show a figure as SVG, then close it.

    It has no background and draws everything black in the colour of the surrounding text, so it reads on a
    light page and on a dark one.  It is as wide as the page allows, up to its natural width.

    Args:
        fig: a matplotlib figure.
        alt: what the figure shows, for a reader who does not see it.
        name: in the book, the figure does not appear here but where ``{glue:figure} name`` stands.

    Raises:
        ValueError: ``alt`` says nothing.
    """
    emit(svg(fig, alt), alt, name)


def svg(fig, alt: str) -> str:
    """The figure as an ``<svg>`` element to be put into a page; closes the figure.

    Args:
        fig: a matplotlib figure.
        alt: what the figure shows.

    Raises:
        ValueError: ``alt`` says nothing.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    require_alt(alt)
    for artist in fig.findobj(_is_dense):
        artist.set_rasterized(True)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "course", "path.simplify": True}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        fig.savefig(
            buffer,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            pad_inches=0.04,
            metadata=nothing,
            dpi=200,
        )
    plt.close(fig)
    return _for_a_page(buffer.getvalue(), alt)


def report(name: str, value: Any, text: str | None = None) -> None:
    """Hand a measured value to the prose, which injects it with ``{glue:text}`` and the name.

    Outside the book it prints ``name = text``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        value: what was measured.
        text: how the prose writes it; None writes numbers with three significant digits.

    Raises:
        ValueError: the name holds other characters.
    """
    _require_name(name)
    if text is None:
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
    if in_book():
        _display({_GLUE + "text/plain": repr(text)}, {"scrapbook": {"name": name, "mime_prefix": _GLUE}})
    else:
        print(f"{name} = {text}")


def emit(content: str, alt: str, name: str | None = None) -> None:
    """Put HTML into the notebook, or, named and in the book, hand it to ``{glue:figure}``.

    Args:
        content: the HTML.
        alt: what stands where no HTML can be shown.
        name: the name in the book; letters, digits, ``_``, ``-`` and ``.``.
    """
    data, metadata = {"text/html": content, "text/plain": alt}, {}
    if name is not None:
        _require_name(name)
        if in_book():
            data = {_GLUE + mime: text for mime, text in data.items()}
            metadata = {"scrapbook": {"name": name, "mime_prefix": _GLUE}}
    if not _display(data, metadata):
        print(alt)


def require_alt(alt: str) -> None:
    """Raise ValueError unless there is a text that says what a figure shows."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            f"alt is {alt!r}; say in a sentence what the figure shows, for those who cannot see it."
        )


def unique(content: str) -> str:
    """An id that no other element on the page has: the content's hash, and a count for twins."""
    digest = "f" + hashlib.sha256(content.encode()).hexdigest()[:8]
    _shown[digest] += 1
    return digest if _shown[digest] == 1 else f"{digest}-{_shown[digest]}"


def _display(data: dict[str, str], metadata: dict) -> bool:
    """Display raw mime data; False where no notebook listens."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        return False
    if get_ipython() is None:
        return False
    display(data, raw=True, metadata=metadata)
    return True


def _require_name(name: str) -> None:
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError(f"name is {name!r}; possible are letters, digits, '_', '-' and '.'.")


def _is_dense(artist) -> bool:
    """Whether an artist has so many parts that drawing it as a picture is smaller."""
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.lines import Line2D

    if isinstance(artist, PathCollection):
        return len(artist.get_offsets()) > _DENSE
    if isinstance(artist, Line2D):
        return artist.get_linestyle() == "None" and len(artist.get_xydata()) > _DENSE
    return isinstance(artist, QuadMesh)


def _for_a_page(text: str, alt: str) -> str:
    """Matplotlib's SVG file as an element of a page: own ids, the page's ink and width, and the alt text."""
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' id="image[^"]*"', "", text)  # made from the pixels: two equal pictures would share it
    text = re.sub(r"scale\([^)]*\)|\d+\.\d{3,}", _rounded, text)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r"\b(fill|stroke): ?(#000000|black)\b", r"\1: currentColor", text)
    prefix = unique(text + alt)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    head, body = text.split(">", 1)
    width = float(re.search(r'\bwidth="([\d.]+)pt"', head)[1]) * 96 / 72
    box = re.search(r'viewBox="[^"]+"', head)[0]
    said = html.escape(alt)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box} role="img"'
        f' aria-label="{said}" fill="currentColor" stroke-linejoin="round" stroke-linecap="butt"'
        f' style="display:block;width:100%;max-width:{width:.0f}px;height:auto;margin:0 auto">'
        f"<title>{said}</title>{body}"
    )


def _rounded(number: re.Match) -> str:
    """A coordinate to a hundredth of a point; the scale of a glyph as it is."""
    return number[0] if number[0].startswith("scale") else f"{float(number[0]):.2f}"
