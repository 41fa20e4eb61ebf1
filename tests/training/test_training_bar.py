"""The progress bar: seen where somebody looks, never in a log or in the built book."""

import sys
from types import SimpleNamespace

import pytest

from course_lib import training
from course_lib.training import bar


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_nothing_is_printed_into_a_log(toy, capfd):
    training.fit(toy.net(), toy.batches(), epochs=2, title="quiet")
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_drawn_when_asked_for(toy, capfd):
    training.fit(toy.net(), toy.batches(), epochs=2, title="toy", progress=True)
    drawn = capfd.readouterr().err
    assert "toy" in drawn and "6/6" in drawn
    assert drawn.count("\n") == 1  # one line, drawn over and over


def test_a_terminal_gets_one_unless_told_otherwise(terminal):
    assert bar.wanted(None)
    assert not bar.wanted(False)


def test_the_built_book_gets_none_even_if_asked(terminal, monkeypatch, toy, capfd):
    monkeypatch.setenv("COURSE_BOOK", "1")
    assert not bar.wanted(None) and not bar.wanted(True)
    training.fit(toy.net(), toy.batches(), epochs=2, progress=True)
    assert capfd.readouterr() == ("", "")


def test_a_notebook_gets_one(monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert bar.wanted(None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert not bar.wanted(None)


def test_a_continued_run_starts_where_it_was(toy, tmp_path, capfd):
    def stop(model, step):
        if step.step == 4:
            raise KeyboardInterrupt

    options = {"epochs": 2, "checkpoint": tmp_path / "run.pt"}
    with pytest.raises(KeyboardInterrupt):
        training.fit(toy.net(), toy.batches(), on_step=stop, **options)
    training.fit(toy.net(), toy.batches(), progress=True, **options)
    drawn = capfd.readouterr().err
    assert " 3/6" in drawn and " 6/6" in drawn
