"""The `train` that the check of hybridnet.project hands over: it knows every accuracy, and counts."""

from torch import Tensor

LINES = "abcdefghi"  # of Table 3.5


class KnownLines:
    """Looks an accuracy up instead of training.

    A seed that was not given trains a network that is neither better nor worse than the others: the mean.

    Args:
        accuracies: (L, S), by line (the first L letters) and seed.
        seeds: the S seeds.

    Attributes:
        calls: how often it was called.
        other_seeds: how many of these were with a seed that was not given.
    """

    def __init__(self, accuracies: Tensor, seeds: list[int]):
        self.accuracies, self.seeds = accuracies, seeds
        self.lines = LINES[: len(accuracies)]
        self.calls = self.other_seeds = 0

    def __call__(self, line: str, seed: int) -> float:
        if line not in list(self.lines):
            raise ValueError(f"train got the line {line!r}, possible are {', '.join(self.lines)}")
        self.calls += 1
        row = self.accuracies[self.lines.index(line)]
        if seed in self.seeds:
            return row[self.seeds.index(seed)].item()
        self.other_seeds += 1
        return row.mean().item()
