"""What the journal says of each task: tries, hints, and whether it was ever passed."""

from dataclasses import dataclass

from course_lib.grading import store
from course_lib.grading.outcome import NOT_ATTEMPTED, PASSED, Outcome


@dataclass
class Record:
    """What has become of one task.

    A task that passed once is done, whatever a later check says: ``passed`` and ``points`` never fall.
    ``last`` is what the last check found.
    """

    task: str
    tries: int = 0  # checks of something that was attempted
    hints: int = 0  # the highest level that was shown
    points: int = 0  # the most that a check gave
    passed: str | None = None  # when it first passed
    last: str | None = None
    checked: str | None = None  # when the last check was

    @property
    def done(self) -> bool:
        return self.passed is not None

    @property
    def state(self) -> str:
        """What the last check found, and that an earlier one passed."""
        if self.last is None:
            return "not checked"
        return f"{self.last}, passed before" if self.done and self.last != PASSED else self.last

    def add(self, event: store.Event) -> None:
        if event["kind"] == "hint":
            self.hints = max(self.hints, event["level"])
            return
        self.last, self.checked = event["state"], event["time"]
        self.tries += event["state"] != NOT_ATTEMPTED
        self.points = max(self.points, event["points"])
        if event["state"] == PASSED and self.passed is None:
            self.passed = event["time"]


def records() -> dict[str, Record]:
    """The record of every task in the journal, also of tasks that the course no longer has."""
    found: dict[str, Record] = {}
    for event in store.events():
        found.setdefault(event["task"], Record(event["task"])).add(event)
    return found


def record(task_id: str) -> Record:
    """The record of a task; an empty one where nothing has been done."""
    return records().get(task_id) or Record(task_id)


def note_check(outcome: Outcome) -> Record:
    """Keep what a check found; the record with it."""
    store.append("check", outcome.task.id, state=outcome.state, points=outcome.points, cause=outcome.cause)
    return record(outcome.task.id)


def note_hint(task_id: str, level: int) -> None:
    """Keep that a hint was shown."""
    store.append("hint", task_id, level=level)
