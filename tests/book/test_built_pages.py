"""The built pages as text: whole, readable by everybody, and made of nothing that lies elsewhere."""

import re
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup

from tests.book.built import HTML, built_pages
from tools.pages import chapters, pages_in_toc
from tools.project import read_project

pytestmark = pytest.mark.pages

ELSEWHERE = re.compile(r"^(https?:)?//")
LOADED = (
    "stylesheet",
    "preload",
    "modulepreload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "icon",
    "manifest",
)


@pytest.fixture(params=built_pages() or ["intro"])
def page(request, html):
    return request.param, BeautifulSoup(
        (html / f"{request.param}.html").read_text(encoding="utf-8"), "html.parser"
    )


def test_every_page_of_the_contents_is_there(html):
    assert set(pages_in_toc()) <= set(built_pages())


def test_nothing_is_loaded_from_elsewhere(page):
    _, soup = page
    loaded = [element["src"] for element in soup.find_all(src=True)]
    loaded += [link["href"] for link in soup.find_all("link", href=True) if set(link["rel"]) & set(LOADED)]
    loaded += [element["data"] for element in soup.find_all("object", data=True)]
    assert not [address for address in loaded if ELSEWHERE.match(address)]


def test_styles_load_nothing_from_elsewhere(html):
    for path in html.rglob("*.css"):
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"](?:https?:)?//", text), path.name


def test_pictures_say_what_they_show(page):
    _, soup = page
    for picture in soup.find_all("img"):
        assert picture.get("alt"), str(picture)[:200]
    for drawing in soup.select(".bd-article svg[role=img]"):
        assert drawing.get("aria-label"), str(drawing)[:200]


def test_drawings_of_the_page_have_a_role(page):
    """Icons may be hidden from who listens to the page; a figure may not."""
    _, soup = page
    for drawing in soup.select(".bd-article svg"):
        hidden = drawing.find_parent(attrs={"aria-hidden": "true"}) or drawing.get("aria-hidden") == "true"
        icon = drawing.find_parent("button") or "sd-octicon" in drawing.get("class", [])
        inside = drawing.find_parent("svg")
        assert drawing.get("role") == "img" or hidden or icon or inside, str(drawing)[:200]


def test_links_within_the_book_lead_somewhere(page, html):
    name, soup = page
    here = (html / f"{name}.html").parent
    for link in soup.select("a[href]"):
        target, anchor = urldefrag(unquote(link["href"]))
        if re.match(r"^[a-z]+:", target) or link["href"] == "#":
            continue
        path = (here / target).resolve() if target else html / f"{name}.html"
        assert path.exists(), link["href"]
        if anchor and path.suffix == ".html":
            assert f'id="{anchor}"' in path.read_text(encoding="utf-8"), link["href"]


def test_no_identifier_stands_twice(page):
    _, soup = page
    names = [element["id"] for element in soup.find_all(id=True)]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_output_is_an_error(page):
    _, soup = page
    assert not soup.select(".cell_output .traceback, .cell_output .stderr")


@pytest.mark.parametrize("chapter", [path.stem for path in chapters()])
def test_a_chapter_can_be_taken_along(html, chapter):
    soup = BeautifulSoup((html / f"{chapter}.html").read_text(encoding="utf-8"), "html.parser")
    project, path = read_project(), f"notebooks/{chapter}.ipynb"
    addresses = [link["href"] for link in soup.select("a[href]")]
    assert project.colab_url(path) in addresses
    assert path in addresses and (html / path).exists()
    assert project.repository in addresses
    card = soup.select_one(".chapter-card").get_text(" ")
    assert re.search(r"\d+ minutes", card) and re.search(r"\d+ seconds, \d+ MB", card)


def test_equations_have_the_same_numbers_in_the_notebook(html):
    for chapter in chapters():
        soup = BeautifulSoup((html / f"{chapter.stem}.html").read_text(encoding="utf-8"), "html.parser")
        numbers = [number.get_text().strip("()#¶ \n") for number in soup.select("span.eqno")]
        numbers = [re.match(r"[\d.]+", number)[0] for number in numbers]
        notebook = (HTML.parents[1] / "notebooks" / f"{chapter.stem}.ipynb").read_text(encoding="utf-8")
        assert re.findall(r"\\\\tag\{([\d.]+)\}", notebook) == numbers
        captions = [text.get_text() for text in soup.select("figcaption .caption-number")]
        numbers = [re.search(r"\d[\d.]*\d", text)[0] for text in captions]
        assert re.findall(r"\*\*Fig\. ([\d.]+)\.\*\*", notebook) == numbers
