"""Where the built book lies, and which pages it has."""

from tools.project import ROOT

HTML = ROOT / "_build" / "html"
MADE_BY_THE_ENGINE = {"genindex", "index", "py-modindex", "prf-prf", "search"}  # index leads to intro


def built_pages() -> list[str]:
    """The names of the pages that were written by somebody, not the indices that the book engine makes."""
    names = (path.relative_to(HTML).with_suffix("").as_posix() for path in sorted(HTML.rglob("*.html")))
    return [name for name in names if name not in MADE_BY_THE_ENGINE and not name.startswith("_static")]
