"""What a page may cost, checked on the record of the last execution."""

import pytest

from tools.execute import BUDGET
from tools.pages import executable_pages, recorded_runs


@pytest.fixture
def record():
    found = recorded_runs()
    if not found["chapters"]:
        pytest.skip("no page has been executed here; ./run book does it.")
    if found["scale"] != "cpu":
        pytest.skip(f"the last execution was at scale {found['scale']}; the budget is for cpu.")
    return found


def test_the_budget_is_the_one_that_was_promised():
    assert BUDGET == {"quiet_seconds": 120, "cpu_seconds": 120, "megabytes": 2000}


@pytest.mark.parametrize("page", [path.stem for path in executable_pages()])
@pytest.mark.parametrize("what", list(BUDGET))
def test_a_page_stays_within_its_budget(record, page, what):
    if page not in record["chapters"]:
        pytest.skip(f"{page} has not been executed here; ./run book does it.")
    assert record["chapters"][page][what] <= BUDGET[what]


def test_the_whole_book_builds_in_a_quarter_of_an_hour(record):
    assert sum(cost["quiet_seconds"] for cost in record["chapters"].values()) / 2 <= 15 * 60
