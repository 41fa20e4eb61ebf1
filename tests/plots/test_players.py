"""The slider: stored frames in the book, live with a kernel, and usable without eyes or mouse."""

import re
import sys

import pytest

from course_lib import players


def page_of(outputs) -> str:
    [(data, _)] = outputs
    return next(text for mime, text in data.items() if mime.endswith("text/html"))


def test_the_book_stores_a_frame_for_each_value_with_its_own_alt_text(draw, book):
    players.explore(draw, height=[0.5, 1.0, 2.0], alt=lambda h: f"The second line is at {h}.", start=1)
    page = page_of(book)
    frames = re.findall(r'<div class="course-frame" data-value="([\d.]+)"( hidden)?>', page)
    assert frames == [("0.5", " hidden"), ("1.0", ""), ("2.0", " hidden")]
    alts = re.findall(r'role="img" aria-label="([^"]+)"', page)
    assert alts == [f"The second line is at {h}." for h in (0.5, 1.0, 2.0)]


def test_one_alt_text_is_completed_by_the_value(draw, book):
    players.explore(draw, height=[1, 2], alt="Two lines.")
    assert re.findall(r'role="img" aria-label="([^"]+)"', page_of(book)) == [
        "Two lines. height = 1.",
        "Two lines. height = 2.",
    ]


def test_the_slider_is_a_labelled_range_that_the_keyboard_reaches(draw, book):
    players.explore(draw, height=[1, 2, 3], label="height of the <second> line", alt="Two lines.", start=2)
    page = page_of(book)
    [slider] = re.findall(r"<input[^>]+>", page)
    for part in ('type="range"', 'min="0"', 'max="2"', 'step="1"', 'value="2"', 'aria-valuetext="3"'):
        assert part in slider
    assert "tabindex" not in slider and "disabled" not in slider
    named = re.search(r'id="([^"]+)"', slider)[1]
    assert f'<label for="{named}">height of the &lt;second&gt; line</label>' in page
    assert f'<output for="{named}"' in page


def test_the_page_needs_nothing_from_elsewhere(draw, book):
    players.explore(draw, height=[1, 2], alt="Two lines.")
    page = page_of(book)
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<script[^>]+src|<link|@import", page)


def test_two_equal_players_share_no_id(draw, book):
    for _ in range(2):
        players.explore(draw, height=[1, 2], alt="Two lines.")
    ids = [set(re.findall(r'\bid="([^"]+)"', data["text/html"])) for data, _ in book]
    assert ids[0] and not ids[0] & ids[1]


def test_a_name_places_the_player_in_the_book(draw, book):
    players.explore(draw, height=[1, 2], alt="Two lines.", name="player")
    assert book[0][1]["scrapbook"]["name"] == "player"


def test_a_live_notebook_draws_what_is_asked_for(draw, monkeypatch):
    drawn, boxes = [], []

    def record(height):
        drawn.append(height)
        return draw(height)

    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", boxes.append)
    players.explore(record, height=[1, 2, 3], alt="Two lines.", label="height")
    slider, picture = boxes[0].children
    assert drawn == [1] and slider.description == "height"
    slider.value = 3
    assert drawn == [1, 3]
    assert 'aria-label="Two lines. height = 3."' in picture.value


def test_without_ipywidgets_the_frames_are_stored(draw, shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    players.explore(draw, height=[1, 2], alt="Two lines.")
    assert 'type="range"' in page_of(shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a name with its values"),
        ({"a": [1], "b": [2], "label": "c"}, "menus for a, b"),
        ({"a": [1], "start": {"b": 0}}, "a position of 'b'"),
        ({"a": [1], "b": []}, "b has 0 values"),
        ({"a": []}, "a has 0 values"),
        ({"a": [1, 2], "start": 2}, "start is 2, but a has 2 values"),
        ({"a": [1], "alt": " "}, "alt is ' '; say in a sentence"),
        ({"a": [1], "alt": lambda value: ""}, "alt is ''; say in a sentence"),
    ],
)
def test_what_cannot_be_explored_is_refused(draw, arguments, message):
    with pytest.raises(ValueError, match=message):
        players.explore(draw, **{"alt": "Two lines.", **arguments})
