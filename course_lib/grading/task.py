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
        make: draws the inputs from a generator, by the name of the parameter: float64 tensors, or plain
            numbers and strings, which answers get as they are.
        dtype: the type the answer receives its floating-point tensors in.
    """

    name: str
    make: Callable[[torch.Generator], dict[str, Any]]
    dtype: torch.dtype = torch.float64

    def inputs(self, device: str = "cpu") -> dict[str, Any]:
        """Fresh inputs, the same on every call; no global random state is read or moved."""
        generator = torch.Generator().manual_seed(zlib.crc32(self.name.encode()))

        def given(value: Any) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.to(device, self.dtype if value.is_floating_point() else value.dtype, copy=True)

        return {name: given(value) for name, value in self.make(generator).items()}

    def exact(self) -> dict[str, Any]:
        """The same numbers in float64 on the CPU: what the oracle gets."""

        def exactly(value: Any) -> Any:
            return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value

        return {name: exactly(value) for name, value in self.inputs().items()}


@dataclass(frozen=True, eq=False)
class Misconception:
    """A wrong answer that people give, its name, and what to tell whoever's answer behaves like it."""

    name: str
    wrong: Callable[..., Any]
    message: str


class Unfit(ValueError):
    """What a scenario (``Task.use``) cannot work with in an answer; learners are told its sentence."""


KINDS = ("function", "class", "figure")


def call(answer: Callable, **inputs: Any) -> Any:
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
        takes: the parameters in their order, each with its shape in symbols.  One with a default says so,
            ``"decay": "number = 0.8"``, and a case may leave it out.
        gives: the results in their order, each with its shape in symbols; several come as a tuple.
        hints: direction, formula, pseudo-code.
        oracle: the literal formula with plain loops, float64 tensors in and out, differentiable by
            autograd.  It takes the inputs by name, and gives one tensor or a tuple like ``gives``.
        cases: the inputs; the most ordinary first, because a fault is told on the first that shows it.
        misconceptions: wrong answers that get a message of their own.
        gradients: the parameters whose gradient is compared.  Where the oracle lets none through, the
            answer must not either.
        large: an input large enough to time an answer on; None does not time.
        tolerance: how far, relative to its size, a number may be from the oracle's; None means rounding.
        kind: what is handed in: a ``function``, a ``class``, or a function that draws a ``figure``.
        use: how an answer makes results from the inputs, where calling it is not enough.
        written: the signature as a learner writes it, where it is not ``function(takes) -> gives``.
        may_use: modules of this course that an answer may call; those that teach the methods are else
            refused, because an answer that calls them answers nothing.

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
    tolerance: float | None = None
    kind: str = "function"
    use: Callable[..., Any] = field(default=call)
    written: str | None = None
    may_use: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        def need(holds: bool, sentence: str) -> None:
            if not holds:
                raise ValueError(f"task {self.id!r}: {sentence}")

        need(self.id.count(".") == 1 and "-" not in self.id, "id is a chapter, a dot and a name.")
        need(self.difficulty in range(1, 6), f"difficulty is {self.difficulty}, possible are 1 to 5.")
        need(len(self.hints) == 3, "hints are three: direction, formula, pseudo-code.")
        need(len(self.cases) > 0, "cases are empty; give at least one input.")
        need(set(self.gradients) <= set(self.takes), "gradients names a parameter that it does not take.")
        need(self.kind in KINDS, f"kind is {self.kind!r}, possible are {', '.join(KINDS)}.")
        need(self.kind == "function" or self.use is not call, f"a {self.kind} needs `use`.")
        for case in (*self.cases, *([self.large] if self.large else [])):
            made = list(case.inputs())
            fits = made == list(self.takes)[: len(made)] and set(self.required) <= set(made)
            need(fits, f"the case {case.name!r} does not make {', '.join(self.takes)} in this order.")

    @property
    def chapter(self) -> str:
        return self.id.split(".")[0]

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that have no default."""
        return tuple(name for name, shape in self.takes.items() if "=" not in shape)

    @property
    def signature(self) -> str:
        """``shade_penalty(h: (K, D), mu: (2, D)) -> (D,)``"""
        if self.written:
            return self.written
        takes = ", ".join(f"{name}: {shape}" for name, shape in self.takes.items())
        return f"{self.function}({takes}) -> {', '.join(self.gives.values())}"
