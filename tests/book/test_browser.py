"""The built pages in a real browser: quiet, offline, readable in both themes, for keyboard and phone."""

import pytest

from tests.book.built import built_pages
from tests.book.visits import CONTRAST, DESK, FOCUSED, INKS, NUMBERED, PHONE, SIDEWAYS, Visit
from tools.pages import chapters

pytestmark = pytest.mark.pages

PAGES = built_pages() or ["intro"]
CHAPTERS = [path.stem for path in chapters()]
LOOKS = {"light": (DESK, "light"), "dark": (DESK, "dark"), "phone": (PHONE, "light")}


@pytest.fixture
def visit(browser, address):
    """A function that opens a page of the book in a fresh browser."""
    visits = []

    def make(name, viewport=DESK, theme="light", fragment=""):
        visits.append(Visit(browser, address, viewport, theme))
        visits[-1].open(name, fragment)
        return visits[-1]

    yield make
    for one in visits:
        one.context.close()


@pytest.fixture(scope="module", params=[(name, look) for name in PAGES for look in LOOKS], ids="-".join)
def seen(request, browser, address):
    """Every page in every look, opened once for all tests that only look at it."""
    name, look = request.param
    one = Visit(browser, address, *LOOKS[look])
    one.open(name)
    yield one
    one.context.close()


# ---- every page, on a light and a dark desk and on a phone ------------------------------------------


def test_a_page_is_quiet_and_asks_nothing_of_other_machines(seen):
    assert seen.complaints == []
    assert seen.outside == []


def test_formulas_are_drawn(seen):
    formulas = seen.page.locator(".bd-article .math").count()
    assert seen.page.locator(".bd-article mjx-container").count() >= formulas
    assert seen.page.locator("mjx-merror, [data-mjx-error]").count() == 0
    text = seen.page.locator(".bd-article").inner_text()
    assert not [raw for raw in ("\\(", "\\[", "$$") if raw in text]


def test_nothing_scrolls_the_page_sideways(seen):
    width, wide = seen.page.evaluate(SIDEWAYS)
    assert width <= seen.page.viewport_size["width"], wide


def test_text_stands_out_from_its_background(seen):
    worst = seen.page.evaluate(CONTRAST)
    assert worst and worst[0][0] >= 4.5, worst


def test_figures_take_the_ink_of_the_page(seen):
    inks, ink = seen.page.evaluate(INKS)
    assert set(inks) <= {ink}


# ---- what somebody does -----------------------------------------------------------------------------


def test_a_request_to_another_machine_would_be_seen(visit):
    one = visit(PAGES[0])
    one.page.evaluate("() => fetch('https://example.org/x.js').catch(() => null)")
    assert one.outside == ["https://example.org/x.js"]


def test_the_theme_is_the_one_the_reader_prefers(visit):
    for theme in ("light", "dark"):
        assert (
            visit(PAGES[0], theme=theme).page.evaluate("() => document.documentElement.dataset.theme")
            == theme
        )


def test_the_first_tab_offers_to_skip_to_the_text(visit):
    page = visit(PAGES[0]).page
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate("() => document.activeElement.textContent").lower()
    assert page.evaluate(FOCUSED)["visible"]
    page.keyboard.press("Enter")
    assert page.evaluate("() => location.hash") == "#main-content"


@pytest.mark.parametrize("name", [*CHAPTERS, "intro"])
def test_everything_is_reached_by_the_tab_key_and_seen_there(visit, name):
    page = visit(name).page
    wanted = page.evaluate(NUMBERED)
    reached, without_ring = set(), []
    for _ in range(2 * len(wanted) + 20):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["number"] is not None:
            if focused["number"] in reached and len(reached) >= len(wanted):
                break
            reached.add(focused["number"])
            if not focused["ring"]:
                without_ring.append(focused["what"])
    assert [what for number, what in enumerate(wanted) if str(number) not in reached] == []
    assert without_ring == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_player_works_with_the_keyboard(visit, name):
    page = visit(name).page
    players = page.locator(".course-player")
    assert players.count(), "a chapter has a player"
    for number in range(players.count()):
        player = players.nth(number)
        if player.locator("select").count():
            choose_in_each_menu(page, player)
        else:
            move_the_slider(page, player)


def move_the_slider(page, player):
    slider, said = player.locator("input[type=range]"), player.locator("output")
    shown = player.locator(".course-frame:visible")
    before = said.inner_text(), shown.get_attribute("data-value")
    slider.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    after = said.inner_text(), shown.get_attribute("data-value")
    assert shown.count() == 1 and before != after
    assert slider.get_attribute("aria-valuetext") == after[0] == after[1]


def choose_in_each_menu(page, player):
    shown = player.locator(".course-frame:visible")
    for menu in player.locator("select").all():
        assert player.locator(f"label[for='{menu.get_attribute('id')}']").inner_text()
        for key in ("Home", "ArrowDown"):
            before = shown.get_attribute("data-at")
            menu.focus()
            page.keyboard.press(key)
        places = [one.evaluate("(e) => e.selectedIndex") for one in player.locator("select").all()]
        assert menu.evaluate("(e) => e.selectedIndex") == 1
        assert shown.count() == 1 and before != shown.get_attribute("data-at")
        assert shown.get_attribute("data-at") == " ".join(map(str, places))


@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_folded_opens_with_the_keyboard(visit, name):
    page = visit(name).page
    summary = page.locator(".bd-article details > summary").first
    before = summary.evaluate("(e) => e.parentElement.open")
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("(e) => e.parentElement.open") != before


def test_search_finds_a_word_of_the_book(visit):
    page = visit("search", fragment="?q=entropy").page
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li").count() > 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_page_works_from_a_folder_on_the_disk(browser, html, name):
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto((html / f"{name}.html").as_uri())
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert page.locator(".bd-article mjx-container").count() > 0
    context.close()
