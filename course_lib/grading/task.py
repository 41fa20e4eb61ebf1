"""What a task is: data only, so that a chapter's file of tasks reads like a page of its book."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Case:
    """An input that answers are tried on.

    Args:
        name: what it is, in the learner's words and fit to follow "with": "5 samples of 3 units".
        make: draws the inputs from a generator, as float64 tensors by the name of the parameter.
        dtype: the type the answer receives its floating-point inputs in.
    """

    name: str
    make: Callable[[torch.Generator], dict[str, Tensor]]
    dtype: torch.dtype = torch.float64

    def inputs(self, device: str = "cpu") -> dict[str, Tensor]:
        """Fresh tensors, the same on every call; no global random state is read or moved."""
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))
        made = self.make(generator).items()
        return {k: v.to(device, self.dtype if v.is_floating_point() else v.dtype, copy=True) for k, v in made}

    def exact(self) -> dict[str, Tensor]:
        """The same numbers in float64 on the CPU: what the oracle gets."""
        return {k: v.double() if v.is_floating_point() else v for k, v in self.inputs().items()}


@dataclass(frozen=True, eq=False)
class Misconception:
    """A wrong answer that people give, its name, and what to tell whoever's answer behaves like it."""

    name: str
    wrong: Callable[..., Any]
    message: str


def call(answer: Callable, **inputs: Tensor) -> Any:
    """How most tasks use an answer: it is a function, called with the inputs in their order."""
    return answer(*inputs.values())


@dataclass(frozen=True, eq=False)
class Task:
    """One graded task.

    Args:
        id: chapter and name, ``shade.penalty``; the chapter is the name of the file it stands in.
        title: a short heading.
        difficulty: 1 (a line) to 5 (an afternoon).
        minutes: how long most people need.
        points: what a right answer earns.
        function: the name the answer has in the notebook.
        takes: the parameters in their order, each with its shape in symbols.
        gives: the results in their order, each with its shape in symbols; several come as a tuple.
        hints: direction, formula, pseudo-code.
        oracle: the literal formula with plain loops, float64 tensors in and out, differentiable by
            autograd.  It takes the inputs by name, and gives one tensor or a tuple like ``gives``.
        cases: the inputs; the most ordinary first, because a fault is told on the first that shows it.
        misconceptions: wrong answers that get a message of their own.
        gradients: the parameters that the gradient must reach.
        large: an input large enough to time an answer on; None does not time.
        use: how an answer makes results from the inputs, for answers that are not plain functions.

    Raises:
        ValueError: something is missing or does not fit together.
    """

    id: str
    title: str
    difficulty: int
    minutes: int
    points: int
    function: str
    takes: Mapping[str, str]
    gives: Mapping[str, str]
    hints: tuple[str, str, str]
    oracle: Callable[..., Any]
    cases: tuple[Case, ...]
    misconceptions: tuple[Misconception, ...] = ()
    gradients: tuple[str, ...] = ()
    large: Case | None = None
    use: Callable[..., Any] = field(default=call)

    def __post_init__(self) -> None:
        def need(holds: bool, sentence: str) -> None:
            if not holds:
                raise ValueError(f"task {self.id!r}: {sentence}")

        need(self.id.count(".") == 1 and "-" not in self.id, "id is a chapter, a dot and a name.")
        need(self.difficulty in range(1, 6), f"difficulty is {self.difficulty}, possible are 1 to 5.")
        need(len(self.hints) == 3, "hints are three: direction, formula, pseudo-code.")
        need(len(self.cases) > 0, "cases are empty; give at least one input.")
        need(set(self.gradients) <= set(self.takes), "gradients names a parameter that it does not take.")
        for case in (*self.cases, *([self.large] if self.large else [])):
            fits = list(case.inputs()) == list(self.takes)
            need(fits, f"the case {case.name!r} does not make {', '.join(self.takes)} in this order.")

    @property
    def chapter(self) -> str:
        return self.id.split(".")[0]

    @property
    def signature(self) -> str:
        """``shade_penalty(h: (K, D), mu: (2, D)) -> (D,)``"""
        takes = ", ".join(f"{name}: {shape}" for name, shape in self.takes.items())
        return f"{self.function}({takes}) -> {', '.join(self.gives.values())}"
