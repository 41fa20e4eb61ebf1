"""What the tests of figures and players share: a plain figure, and a notebook that records what it shows."""

import matplotlib.pyplot as plt
import pytest

from course_lib import plots

plt.switch_backend("agg")  # it looks for a kernel when it does this, and the fixtures' kernel is none


@pytest.fixture
def draw():
    """Makes a small figure with two lines, labels and a legend; takes the height of the second line."""

    def make(height=1.0):
        fig, ax = plots.figure(4, 2.5, title="Two lines", xlabel="$x$", ylabel="$y$")
        ax.plot([0, 1, 2], [0, 1, 0], label="first", **plots.look(0))
        ax.plot([0, 1, 2], [1, height, 1], label="second", **plots.look(1))
        ax.axhline(0.5, color=plots.INK)
        ax.legend(frameon=False)
        return fig

    return make


@pytest.fixture
def shown(monkeypatch):
    """Behaves like a notebook: a list of the (data, metadata) that were displayed."""
    outputs = []
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr(
        "IPython.display.display",
        lambda data, raw, metadata: outputs.append((data, metadata)) if raw else None,
    )
    return outputs


@pytest.fixture
def book(monkeypatch, shown):
    """As ``shown``, while the book is built."""
    monkeypatch.setenv("COURSE_BOOK", "1")
    return shown
