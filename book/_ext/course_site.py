"""What every page of the book gets: formulas without a network, buttons, and notebooks to download."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from tools.pages import notebooks_of
from tools.project import read_project


def root_of(app) -> Path:
    """The repository: the folder above book/."""
    return Path(app.srcdir).parent


def set_addresses(app, config) -> None:
    """Give the theme the address of the repository, which stands in pyproject.toml only."""
    project = read_project(root_of(app))
    config.html_baseurl = f"{project.pages}/"
    config.html_theme_options |= {
        "repository_url": project.repository,
        "repository_branch": "main",
        "path_to_docs": "book",
        "use_repository_button": True,
        "use_issues_button": True,
        "use_edit_page_button": True,
    }


def copy_files(app) -> None:
    """Put MathJax (one file, no fonts, no network) and the notebooks into the built pages."""
    if app.builder.format != "html":
        return
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    vendor = Path(app.outdir) / "_static" / "vendor"
    vendor.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package / "static" / "mathjax" / "tex-svg.js", vendor / "tex-svg.js")
    for kind in ("notebooks", "exercises"):
        for source in sorted((root_of(app) / kind).glob("*.ipynb")):
            target = Path(app.outdir) / kind / source.name
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)


def add_notebook_buttons(app, pagename, templatename, context, doctree) -> None:
    """Add "Open in Colab" to a chapter's header, and its notebook to the download menu."""
    path = notebooks_of(pagename, root_of(app)).get("notebooks")
    if path is None:
        return
    buttons = context["header_buttons"]
    for group in buttons:
        if group.get("label") == "download-buttons":
            notebook = {
                "type": "link",
                "url": context["pathto"](path, 1),
                "text": ".ipynb",
                "icon": "fas fa-code",
                "tooltip": "Download this chapter as a notebook",
                "label": "download-notebook-button",
            }
            group["buttons"].insert(0, notebook)
    colab = {
        "type": "link",
        "url": read_project(root_of(app)).colab_url(path),
        "text": "Colab",
        "icon": "fas fa-rocket",
        "tooltip": "Open this chapter in Colab",
        "label": "colab-button",
    }
    buttons.insert(0, colab)


def setup(app):
    app.add_config_value(
        "comments_config", {}, ""
    )  # Jupyter Book sets it; the extension that reads it is not used
    app.connect("config-inited", set_addresses)
    app.connect("builder-inited", copy_files)
    app.connect("html-page-context", add_notebook_buttons, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
