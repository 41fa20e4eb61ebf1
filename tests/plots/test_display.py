"""Figures on a page: alternative text, the page's ink, own ids, and the book's placement by name."""

import re
import xml.etree.ElementTree as tree

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_lib import plots


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_without_alt_text_is_refused_in_one_sentence(draw, alt):
    with pytest.raises(ValueError, match=r"^alt is .*; say in a sentence what the figure shows") as problem:
        plots.show(draw(), alt)
    assert "\n" not in str(problem.value)
    plt.close("all")


def test_alt_text_is_the_label_and_the_title(draw):
    alt = 'Lines with "x < y" & more.'
    root = tree.fromstring(plots.svg(draw(), alt))
    assert root.get("role") == "img"
    assert root.get("aria-label") == alt
    assert root.find("{http://www.w3.org/2000/svg}title").text == alt


def test_the_ink_is_the_page_s_and_nothing_fixed_is_left(draw):
    text = plots.svg(draw(), "Two lines.")
    assert text.count("currentColor") > 10
    used = set(re.findall(r"(?:fill|stroke): ?(#\w+|\w+)", text))
    assert used <= {"none", "currentColor", *(colour.lower() for colour in plots.PALETTE[:2])}


def test_there_is_no_background(draw):
    root = tree.fromstring(plots.svg(draw(), "Two lines."))
    patches = [node for node in root.iter() if re.search(r"-patch_[12]$", node.get("id", ""))]
    styles = [path.get("style") for patch in patches for path in patch]
    assert len(styles) == 2
    assert all("fill: none" in style for style in styles)


def test_it_shrinks_with_the_page_and_never_grows_beyond_its_size(draw):
    root = tree.fromstring(plots.svg(draw(), "Two lines."))
    assert root.get("width") is None and root.get("height") is None
    assert "width:100%" in root.get("style")
    widest = int(re.search(r"max-width:(\d+)px", root.get("style"))[1])
    assert widest == pytest.approx(4 * 96, rel=0.05)
    assert float(root.get("viewBox").split()[2]) == pytest.approx(4 * 72, rel=0.05)


def test_no_style_of_a_figure_reaches_the_rest_of_the_page(draw):
    assert "<style" not in plots.svg(draw(), "Two lines.")


def test_two_figures_share_no_id_even_when_they_are_equal(draw):
    texts = [plots.svg(draw(), "Two lines.") for _ in range(2)]
    first, second = (set(re.findall(r'\bid="([^"]+)"', text)) for text in texts)
    assert len(first) == len(second) > 10
    assert not first & second
    for text, ids in zip(texts, (first, second)):
        pointed = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
        assert {one or other for one, other in pointed} <= ids


def test_the_same_figure_makes_the_same_bytes(draw):
    first, second = (re.sub(r"\bf[0-9a-f]{8}(-\d+)?-", "", plots.svg(draw(), "Two lines.")) for _ in range(2))
    assert first == second


def test_a_dense_cloud_is_stored_as_a_picture():
    points = np.random.default_rng(0).normal(size=(2, 20_000))
    sizes = []
    for n in (20_000, 1000):
        fig, ax = plots.figure(4, 3)
        ax.scatter(*points[:, :n], s=2)
        sizes.append(plots.svg(fig, "A cloud."))
    assert "data:image/png" in sizes[0] and len(sizes[0]) < 200_000
    assert "data:image/png" not in sizes[1]


def test_showing_closes_the_figure(draw, shown):
    fig = draw()
    plots.show(fig, "Two lines.")
    assert not plt.fignum_exists(fig.number)


def test_a_notebook_shows_html_even_when_the_figure_has_a_name(draw, shown):
    plots.show(draw(), "Two lines.", name="lines")
    [(data, metadata)] = shown
    assert data["text/html"].startswith("<svg") and data["text/plain"] == "Two lines."
    assert "scrapbook" not in metadata


def test_the_book_gets_a_named_figure_in_the_form_of_glue(draw, book):
    plots.show(draw(), "Two lines.", name="lines")
    plots.show(draw(), "Two lines.")
    (named, metadata), (plain, nothing) = book
    prefix = "application/papermill.record/"
    assert set(named) == {prefix + "text/html", prefix + "text/plain"}
    assert metadata == {"scrapbook": {"name": "lines", "mime_prefix": prefix}}
    assert set(plain) == {"text/html", "text/plain"} and nothing == {}


def test_a_script_prints_the_alt_text(draw, capsys, monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    plots.show(draw(), "Two lines.")
    assert capsys.readouterr().out == "Two lines.\n"


def test_reported_numbers_are_printed_in_a_notebook(shown, capsys):
    plots.report("gain", 8.4321)
    plots.report("gain-text", 8.4321, "8.4 points")
    plots.report("runs", 12)
    assert capsys.readouterr().out == "gain = 8.43\ngain-text = 8.4 points\nruns = 12\n"
    assert shown == []


def test_the_book_gets_reported_numbers_in_the_form_of_glue(book, capsys):
    plots.report("gain", 8.4321, "8.4 ± 1 points")
    [(data, metadata)] = book
    prefix = "application/papermill.record/"
    assert data == {prefix + "text/plain": "'8.4 ± 1 points'"}
    assert metadata == {"scrapbook": {"name": "gain", "mime_prefix": prefix}}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["a:b", "a b", ""])
def test_a_name_that_the_book_could_not_find_is_refused(name):
    with pytest.raises(ValueError, match="possible are letters"):
        plots.report(name, 1)


def test_two_equal_pictures_in_one_figure_share_no_id():
    text = plots.svg(plots.image_grid(torch.zeros(2, 3, 4, 4, dtype=torch.uint8)), "Two black squares.")
    found = re.findall(r'\bid="([^"]+)"', text)
    assert text.count("<image") == 2
    assert len(found) == len(set(found))
    assert all(f'id="{name}"' in text for name in re.findall(r'href="#([^"]+)"', text))
