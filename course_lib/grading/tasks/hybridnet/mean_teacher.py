"""hybridnet.mean_teacher: a teacher whose weights follow the student's (Robert 2019, §3.2.1).

The thesis names the moving average without writing it down.  The decay and its warm-up are those of the
code that Tarvainen & Valpola published with their paper of 2017.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.grading.calling import is_blank
from course_lib.grading.draws import normal, uniform
from course_lib.grading.task import Case, Task
from course_lib.grading.tasks.hybridnet.wrong_teachers import MISCONCEPTIONS

NETS = {  # their number of weights, and of channels whose statistics batch norm keeps
    "ConvNet": (2 * 1 * 9 + 2 + 4 + 3 * 2 + 3, 2),
    "MLP": (3 * 2 + 3 + 2 * 3 + 2, 0),
}
SEEN = (7.0, 12.0)  # the batches that the batch norms of teacher and student have counted


def oracle(
    net: str, teacher: Tensor, students: Tensor, statistics: Tensor, alpha: float, step: int
) -> tuple[Tensor, ...]:
    """w' <- a w' + (1 - a) w with a = min(1 - 1 / (t + 1), α), weight by weight."""
    weights, rows = teacher.tolist(), []
    for number, student in enumerate(students.tolist()):
        a = min(1 - 1 / (step + number + 1), alpha)
        weights = [a * old + (1 - a) * new for old, new in zip(weights, student, strict=True)]
        rows.append(torch.tensor(weights, dtype=teacher.dtype))
    after = torch.stack(rows)
    parameters = torch.tensor(float(len(list(build(net).parameters()))), dtype=teacher.dtype)
    none, yes = torch.zeros_like(parameters), torch.ones_like(parameters)
    own, others = (buffers_of(net, part, n) for part, n in zip(statistics, SEEN))
    return after, after, own, students, others, none, none, parameters, yes


def buffers_of(net: str, statistics: Tensor, seen: float) -> Tensor:
    """Mean and variance by channel and the number of batches; nothing where there is no batch norm."""
    return torch.cat([statistics, statistics.new_tensor([seen])]) if NETS[net][1] else statistics


# --- the scenario -----------------------------------------------------------------------------


def build(net: str) -> nn.Module:
    if net == "MLP":
        return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))


def write(model: nn.Module, weights: Tensor) -> None:
    """Put the weights into the tensors that are there, as an optimiser does."""
    with torch.no_grad():
        for place, part in zip(model.parameters(), weights.split([p.numel() for p in model.parameters()])):
            place.copy_(part.reshape(place.shape))


def flat(tensors: Any, like: Tensor) -> Tensor:
    return torch.cat([like[:0], *(each.detach().flatten().to(like) for each in tensors)])


def set_statistics(model: nn.Module, statistics: Tensor, seen: float) -> None:
    for norm in (each for each in model if isinstance(each, nn.BatchNorm2d)):
        norm.running_mean.copy_(statistics[:2])
        norm.running_var.copy_(statistics[2:])
        norm.num_batches_tracked.fill_(int(seen))


def use(
    answer: Callable,
    net: str,
    teacher: Tensor,
    students: Tensor,
    statistics: Tensor,
    alpha: float,
    step: int,
) -> Any:
    """One update after the other; after each the student trains on, and the teacher must not feel it."""
    if is_blank(answer):
        return NotImplemented
    theirs, ours = (build(net).to(teacher) for _ in range(2))
    for model, weights, part, seen in zip((theirs, ours), (teacher, students[0]), statistics, SEEN):
        write(model, weights)
        set_statistics(model, part, seen)
    theirs.requires_grad_(False)
    after, later, own = [], [], []
    for number, weights in enumerate(students):
        write(ours, weights)
        answer(theirs, ours, alpha, step + number)
        after.append(flat(theirs.parameters(), teacher))
        own.append(flat(ours.parameters(), teacher))
        write(ours, 2 * weights + 1)
        later.append(flat(theirs.parameters(), teacher))
    counts = (
        sum(each.grad_fn is not None for each in theirs.parameters()),
        sum(each.requires_grad for each in theirs.parameters()),
        sum(each.requires_grad for each in ours.parameters()),
        all(each.training for each in theirs.modules()),
    )
    return (
        torch.stack(after),
        torch.stack(later),
        flat(theirs.buffers(), teacher),
        torch.stack(own),
        flat(ours.buffers(), teacher),
        *(torch.tensor(float(count)).to(teacher) for count in counts),
    )


def updates(net: str, many: int, alpha: float, step: int):
    """Weights far from one another, so that every mix of them is told from every other."""

    def make(generator: torch.Generator) -> dict:
        weights, channels = NETS[net]
        spread = 0.5 + uniform(generator, 2, 2 * channels)
        return {
            "net": net,
            "teacher": 0.4 + normal(generator, weights),
            "students": 1.5 + 2 * normal(generator, many, weights),
            "statistics": spread,
            "alpha": alpha,
            "step": step,
        }

    return make


TASK = Task(
    id="hybridnet.mean_teacher",
    title="Mean Teacher: an average of the student",
    difficulty=2,
    minutes=20,
    points=2,
    function="update_ema",
    takes={
        "net": "text",
        "teacher": "(P,)",
        "students": "(U, P)",
        "statistics": "(2, Q)",
        "alpha": "number",
        "step": "number",
    },
    gives={
        "teacher's weights after each update": "(U, P)",
        "teacher's weights once the student has trained on": "(U, P)",
        "teacher's buffers": "(Q + 1,) or (0,)",
        "student's weights after each update": "(U, P)",
        "student's buffers": "(Q + 1,) or (0,)",
        "number of teacher's parameters that hang on the student for autograd": "scalar",
        "number of teacher's parameters that need a gradient": "scalar",
        "number of student's parameters that need a gradient": "scalar",
        "training mode of the teacher, 1 for yes,": "scalar",
    },
    written="update_ema(teacher, student, alpha, step)",
    use=use,
    hints=(
        "Teacher and student are two networks of the same build, so their parameters come in the same order. "
        "Go through both at once, and write into the tensors of the teacher.",
        "a  = min(1 - 1 / (t + 1), α)    with the step t counted from 0\n"
        "w' <- a · w' + (1 - a) · w      for every parameter w' of the teacher and w of the student",
        "a <- the smaller of 1 - 1 / (step + 1) and alpha\n"
        "without gradients:\n"
        "  for each parameter of the teacher, and the parameter of the student that belongs to it:\n"
        "    multiply the teacher's with a, in place\n"
        "    add (1 - a) times the student's to it, in place\n"
        "buffers, modes and the student stay as they are",
    ),
    oracle=oracle,
    cases=(
        Case("a ConvNet with batch norm from step 4 on", updates("ConvNet", 2, 0.95, 4)),
        Case("an MLP from step 0 on", updates("MLP", 4, 0.99, 0)),
        Case("a ConvNet late in training", updates("ConvNet", 2, 0.97, 5000)),
        Case("an MLP whose warm-up ends after step 1", updates("MLP", 3, 0.6, 0)),
        Case("an MLP with alpha 0", updates("MLP", 2, 0.0, 3)),
        Case("a ConvNet in float32", updates("ConvNet", 3, 0.9, 1), dtype=torch.float32),
    ),
    misconceptions=MISCONCEPTIONS,
)
