"""The progress bar: there for somebody who waits, silent in a log and in the built book."""

import sys
from types import TracebackType

from course_lib import runtime


def wanted(progress: bool | None) -> bool:
    """Whether to draw a bar: never in the built book, else as asked, else only in a terminal or notebook."""
    if runtime.in_book():
        return False
    if progress is not None:
        return bool(progress)
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    if "IPython" not in sys.modules:  # a notebook's kernel has imported it
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class Bar:
    """A bar of ``total`` steps that costs nothing when it is not wanted.

    Args:
        total: steps of the run.
        done: steps that an earlier call has done.
        title: what stands before the bar.
        progress: True, False, or None to look where the output goes.
    """

    def __init__(self, total: int, done: int = 0, title: str = "", progress: bool | None = None):
        self._bar = None
        if wanted(progress):
            from tqdm.auto import tqdm  # here, because it looks for a notebook when it is imported

            self._bar = tqdm(total=total, initial=done, desc=title or None, unit="step", mininterval=0.5)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self) -> None:
        """One step further."""
        if self._bar is not None:
            self._bar.update()

    def say(self, **values: float) -> None:
        """Show numbers beside the bar."""
        if self._bar is not None:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
