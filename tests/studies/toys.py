"""A tiny study whose numbers are known, so that what is done with them can be checked by hand."""

from dataclasses import dataclass

from course_lib.studies import Claim, Study


@dataclass(frozen=True)
class Settings:
    data: str = "toys"
    labels: tuple[int, ...] = (50, 100)
    gain: float = 5.0


def measure(config, seed):
    """Plain: 20 + seed at 50 labels, 30 + seed at 100; the method adds the gain, and its own seed effect."""
    values = {}
    for labels in config.labels:
        plain = 10 + labels / 5 + seed
        values["plain", labels] = plain
        values["method", labels] = plain + config.gain + (0.1 * seed)
    return values


def make_study(**changes) -> Study:
    declared = {
        "id": "toys.table_1",
        "title": "Toys",
        "source": "Nobody 1900, Table 1",
        "claim": "The method helps.",
        "axes": ("method", "labels"),
        "unit": "accuracy (%)",
        "paper": {("plain", 50): 20.0, ("method", 50): 28.0, ("plain", 100): 31.0, ("method", 100): 33.0}
        | {("method", 500): 60.0},
        "spread": {("plain", 50): 1.5},
        "names": {"plain": "no | method"},
        "configs": {"smoke": Settings(labels=(50,)), "cpu": Settings()},
        "protocol": {"smoke": "Everything is smaller.", "cpu": "Toys instead of animals."},
        "measure": measure,
        "claims": (
            Claim("It gains at 50.", lambda at: at["method", 50] - at["plain", 50], above=0),
            Claim("It gains ten at 100.", lambda at: at["method", 100] - at["plain", 100], above=10),
            Claim("It gains at 500.", lambda at: at["method", 500] - at["plain", 500], above=0),
        ),
    }
    return Study(**(declared | changes))
