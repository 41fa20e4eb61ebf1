"""`check`, `hint` and `progress` as a learner meets them."""

import random
import sys

import numpy as np
import pytest
import torch

from course_lib.grading import check, hint, passed, progress, report, tasks
from course_lib.grading.engine import CheckFailed, NotAttempted
from course_lib.grading.records import record
from tests.grading.answers import right, stub


@pytest.fixture(autouse=True)
def not_under_nbgrader(monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def sums(h, mu):
    return right(h, mu) * len(h)


def test_a_right_answer(capsys):
    outcome = check("shade.penalty", right)
    assert outcome.passed and outcome.points == 2
    assert capsys.readouterr().out == "✓ passed · shade.penalty · 2 of 2 points\n"


def test_a_wrong_answer_raises_nothing_and_is_told_what_is_wrong(capsys):
    outcome = check("shade.penalty", sums)
    printed = capsys.readouterr()
    assert not outcome.passed
    assert printed.out.startswith("✗ not yet · shade.penalty · 0 of 2 points\n  With 5 samples of 3 units, ")
    assert "This is the sum over the samples." in printed.out
    assert 'For the first of three hints, run hint("shade.penalty").' in printed.out
    assert printed.err == ""


def test_the_stub_is_not_attempted(capsys):
    assert check("shade.penalty", stub).state == "not attempted"
    assert capsys.readouterr().out.startswith("○ not attempted · shade.penalty · 0 of 2 points\n")


def test_the_outcome_of_a_last_line_is_not_shown_again(capsys):
    outcome = check("shade.penalty", stub)
    capsys.readouterr()
    assert outcome._ipython_display_() is None
    assert capsys.readouterr().out == ""
    assert repr(outcome) == "<shade.penalty: not attempted>"


def test_what_the_answer_prints_does_not_drown_the_verdict(capsys):
    def chatty(h, mu):
        print("✓ passed · shade.penalty")
        print(h, file=sys.stderr)
        return sums(h, mu)

    check("shade.penalty", chatty)
    printed = capsys.readouterr()
    assert "passed" not in printed.out and printed.err == ""


@pytest.mark.parametrize("answer", [right, sums, stub])
def test_random_states_are_as_before(answer):
    def draws_and_seeds(h, mu):
        torch.manual_seed(3)
        np.random.seed(3)
        random.seed(3)
        return answer(h, mu)

    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    check("shade.penalty", draws_and_seeds)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_the_verdict_does_not_depend_on_settings_of_the_notebook():
    with torch.no_grad():
        assert check("shade.penalty", right).passed
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert check("shade.penalty", right).passed
    torch.set_default_dtype(torch.float64)
    try:
        assert check("shade.penalty", right).passed
        assert check("shade.penalty", sums).misconception == "sum over the samples"
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_verdict_is_the_same_every_time():
    said = set()
    for seed in range(3):
        torch.manual_seed(seed)
        said.add(check("shade.penalty", sums).says)
    assert len(said) == 1


# --- strict ----------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["COURSE_STRICT", "NBGRADER_EXECUTION"])
def test_a_strict_check_raises_one_line(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    assert check("shade.penalty", right).passed
    with pytest.raises(CheckFailed) as failed:
        check("shade.penalty", sums)
    with pytest.raises(NotAttempted) as missing:
        check("shade.penalty", stub)
    for error in (failed, missing):
        (line,) = error.value._render_traceback_()
        assert "\n" not in line and line.startswith("shade.penalty: not ")


# --- requests that cannot be met -------------------------------------------------------------


@pytest.mark.parametrize("name", ["shade.penaltty", "shade", "nothing.here", 3])
def test_an_unknown_task_is_one_sentence(name):
    with pytest.raises(ValueError, match=r"There is no task .*shade\.") as refused:
        check(name, right)
    assert refused.value._render_traceback_() == [str(refused.value)]


@pytest.mark.parametrize("level", [0, 4, "two"])
def test_an_unknown_level_is_one_sentence(level):
    with pytest.raises(ValueError, match="possible are 1, 2 and 3"):
        hint("shade.penalty", level)


def test_an_unknown_chapter_is_one_sentence():
    with pytest.raises(
        ValueError, match="There is no chapter 'shadow' with tasks; possible are hybridnet, saliency, shade"
    ):
        progress("shadow")


# --- hints and progress ----------------------------------------------------------------------


def test_hints_escalate_and_the_check_offers_the_next(capsys):
    said = []
    for _ in range(4):
        check("shade.penalty", stub)
        hint("shade.penalty")
        said.append(capsys.readouterr().out)
    assert "the first of three hints" in said[0] and "Hint 1 of 3" in said[0]
    assert "the second hint" in said[1] and "Hint 2 of 3" in said[1]
    assert "the last hint" in said[2] and "Hint 3 of 3" in said[2]
    assert "Hint 3 of 3" in said[3]
    for level, text in enumerate(tasks.get("shade.penalty").hints):
        assert text.split("\n")[0] in said[level]


def test_a_passed_check_offers_no_hint(capsys):
    check("shade.penalty", right)
    assert "hint" not in capsys.readouterr().out


def test_progress_tells_what_the_checks_found(capsys):
    progress("shade")
    assert (
        "· shade.penalty · The SHADE penalty of one layer · not checked · 0 of 2" in capsys.readouterr().out
    )
    check("shade.penalty", sums)
    progress("shade")
    assert "✗ shade.penalty · The SHADE penalty of one layer · not yet · 0 of 2" in capsys.readouterr().out
    check("shade.penalty", right)
    capsys.readouterr()
    progress()
    total = sum(task.points for task in tasks.of_chapter("shade"))
    assert capsys.readouterr().out.startswith(f"2 of {total} points\n  ✓ shade.penalty")
    assert record("shade.penalty").tries == 2


def test_a_cell_can_ask_whether_the_answer_above_is_right():
    assert not passed("shade.penalty")
    check("shade.penalty", right)
    assert passed("shade.penalty") and not passed("shade.averages")
    check("shade.penalty", sums)
    assert not passed("shade.penalty")
    with pytest.raises(ValueError, match="There is no task"):
        passed("shade.penaltty")


# --- how it looks ----------------------------------------------------------------------------


def test_html_says_the_state_in_words_and_takes_its_colour_from_the_page():
    borders = set()
    for answer, state in ((right, "passed"), (sums, "not yet"), (stub, "not attempted")):
        page = report.page(check("shade.penalty", answer))
        assert f" {state} · shade.penalty" in page
        assert 'role="status"' in page and "currentColor" in page
        assert "#" not in page.replace("&#x27;", "") and "rgb" not in page
        borders.add(page.split("border-left:")[1].split(";")[0])
    assert len(borders) == 3


def test_html_escapes_what_the_learner_wrote():
    def cruel(h, mu):
        raise ValueError("<script>alert(1)</script> `tick")

    page = report.page(check("shade.penalty", cruel))
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_html_in_a_notebook_and_text_elsewhere(monkeypatch):
    shown = []
    monkeypatch.setattr(report, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    check("shade.penalty", right)
    assert set(shown[0]) == {"text/html", "text/plain"}
    assert shown[0]["text/plain"] == "✓ passed · shade.penalty · 2 of 2 points"


def test_a_terminal_that_cannot_write_the_signs_gets_the_words(capsys, monkeypatch):
    class Old:
        encoding = "ascii"

        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text.encode("ascii").decode()

        def flush(self):
            pass

    old = Old()
    monkeypatch.setattr(sys, "stdout", old)
    report.say("✓ passed · shade.penalty")
    assert old.text == "? passed ? shade.penalty\n"
