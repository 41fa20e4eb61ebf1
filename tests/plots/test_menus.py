"""Several choices for one figure: a stored frame for each combination, and menus that find it."""

import re
import sys

import pytest

from course_lib import players, plots


def page_of(outputs) -> str:
    [(data, _)] = outputs
    return next(text for mime, text in data.items() if mime.endswith("text/html"))


@pytest.fixture
def draw_two():
    def draw(first, second):
        fig, ax = plots.figure(title=f"{first} and {second}")
        ax.plot([0, first])
        return fig

    return draw


def alt(first, second):
    return f"A line to {first}, {second}."


def test_every_combination_has_a_frame_with_its_own_alt_text(draw_two, book):
    players.explore(draw_two, first=[1, 2], second=["a", "b", "<c>"], alt=alt, start={"second": 1})
    page = page_of(book)
    frames = re.findall(r'<div class="course-frame" data-at="([\d ]+)"( hidden)?>', page)
    assert [at for at, _ in frames] == ["0 0", "0 1", "0 2", "1 0", "1 1", "1 2"]
    assert [at for at, hidden in frames if not hidden] == ["0 1"]
    alts = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert alts[0] == "A line to 1, a." and alts[-1] == "A line to 2, &lt;c&gt;."


def test_every_menu_is_labelled_and_lists_its_values(draw_two, book):
    players.explore(draw_two, first=[1, 2], second=["a", "b", "<c>"], alt="A line.", start={"second": 1})
    page = page_of(book)
    menus = re.findall(
        r'<label for="([^"]+)">([^<]+)</label>\s*<select id="([^"]+)"[^>]*>(.*?)</select>', page
    )
    assert [(name, label_of == own) for label_of, name, own, _ in menus] == [
        ("first", True),
        ("second", True),
    ]
    assert menus[1][3] == "<option>a</option><option selected>b</option><option>&lt;c&gt;</option>"
    assert 'aria-label="A line. first = 1, second = a."' in page


def test_two_equal_players_share_no_id(draw_two, book):
    for _ in range(2):
        players.explore(draw_two, first=[1, 2], second=["a"], alt=alt)
    ids = [set(re.findall(r'\bid="([^"]+)"', data["text/html"])) for data, _ in book]
    assert ids[0] and not ids[0] & ids[1]


def test_a_live_notebook_draws_what_is_asked_for(draw_two, monkeypatch):
    drawn, boxes = [], []

    def record(first, second):
        drawn.append((first, second))
        return draw_two(first, second)

    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", boxes.append)
    players.explore(record, first=[1, 2], second=["a", "b"], alt=alt)
    menus, picture = boxes[0].children
    assert drawn == [(1, "a")] and [menu.description for menu in menus.children] == ["first", "second"]
    menus.children[1].value = "b"
    menus.children[0].value = 2
    assert drawn == [(1, "a"), (1, "b"), (2, "b")]
    assert 'aria-label="A line to 2, b."' in picture.value


def test_without_ipywidgets_the_frames_are_stored(draw_two, shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    players.explore(draw_two, first=[1], second=["a", "b"], alt=alt)
    assert page_of(shown).count('class="course-frame"') == 2
