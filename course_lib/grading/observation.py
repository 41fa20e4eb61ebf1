"""What was seen of an answer, as plain data that travels as JSON from one process to another."""

from dataclasses import asdict, dataclass

from course_lib.grading.values import Value


@dataclass(frozen=True)
class Trouble:
    """A fault that shows without knowing the right answer: its cause (of ``judge.CAUSES``) and a sentence."""

    cause: str
    message: str


@dataclass(frozen=True)
class Call:
    """What happened on one case and device.

    Args:
        case: its number in the task.
        device: "cpu" or "cuda".
        troubles: what went wrong.
        results: by name; empty where there was none.
        gradients: of the weighted sum of all results, by parameter; None where no gradient arrives.
        changed: the inputs that the call wrote into, as it left them.
    """

    case: int
    device: str
    troubles: tuple[Trouble, ...] = ()
    results: dict[str, Value] | None = None
    gradients: dict[str, Value | None] | None = None
    changed: dict[str, Value] | None = None


@dataclass(frozen=True)
class Observation:
    """Everything that was seen of one answer."""

    troubles: tuple[Trouble, ...] = ()
    calls: tuple[Call, ...] = ()

    def to_data(self) -> dict:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: dict) -> "Observation":
        """The inverse of ``to_data``; KeyError, TypeError or ValueError where the data are no observation."""

        def troubles(entry: dict) -> tuple[Trouble, ...]:
            return tuple(Trouble(str(t["cause"]), str(t["message"])) for t in entry["troubles"])

        def value(entry: dict | None) -> Value | None:
            if entry is None:
                return None
            numbers = entry["numbers"]
            made = Value(
                tuple(int(size) for size in entry["shape"]),
                str(entry["dtype"]),
                str(entry["device"]),
                None if numbers is None else tuple(float(number) for number in numbers),
            )
            if made.numbers is not None:
                made.tensor()  # raises where there are too many numbers or too few
            return made

        def values(entry: dict | None) -> dict | None:
            return None if entry is None else {str(name): value(each) for name, each in entry.items()}

        return cls(
            troubles(data),
            tuple(
                Call(
                    int(each["case"]),
                    str(each["device"]),
                    troubles(each),
                    *(values(each[name]) for name in ("results", "gradients", "changed")),
                )
                for each in data["calls"]
            ),
        )
