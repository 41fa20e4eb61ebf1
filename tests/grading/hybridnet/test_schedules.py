"""The task hybridnet.schedules: Table B.2 passes however written, wrong columns get their own message."""

import math

import numpy as np
import pytest
import torch

from course_lib.grading.tasks.hybridnet.schedules import NAMES, TASK, oracle
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def up(step, start, end):
    return torch.exp(-5 * (1 - ((step - start) / (end - start)).clamp(0, 1)) ** 2)


def down(step, start, end):
    return torch.exp(-5 * ((step - start) / (end - start)).clamp(0, 1) ** 2)


def column_by_column(step, total):
    lr = 0.003 * ((total - step) / (total / 3)).clamp(max=1)
    beta1 = 0.5 + 0.4 * down(step, 4 * total // 5, total)
    lambda_s = 100 * up(step, 0, total // 4) * down(step, 4 * total // 5, total)
    return lr, beta1, up(step, 0, 800), lambda_s, down(step, 19 * total // 20, total)


def smaller_of_two(step, total):
    """Outside of its interval a ramp is 1, so the smaller of two is their product."""
    s = step.double()
    lambda_s = 100 * torch.minimum(up(s, 0, total / 4), down(s, 0.8 * total, total))
    late = (s - 0.8 * total).clamp(min=0) / (0.2 * total)
    beta1 = 0.9 - (0.9 - 0.5) * (1 - (-5 * late.square()).exp())
    return [
        0.003 * (3 * (1 - s / total)).clamp(0, 1),
        beta1,
        up(s, 0, 800),
        lambda_s,
        down(s, 0.95 * total, total),
    ]


def plain_loop(step, total):
    def bell(t):
        return math.exp(-5 * min(max(t, 0), 1) ** 2)

    rows = []
    for s in step.tolist():
        p = s / total
        late = bell((p - 0.8) / 0.2)
        lr = 0.003 if p < 2 / 3 else 0.003 * (1 - p) * 3
        rows.append(
            (lr, 0.5 + 0.4 * late, bell(1 - s / 800), 100 * bell(1 - 4 * p) * late, bell(20 * p - 19))
        )
    return tuple(torch.tensor(column) for column in zip(*rows))


def in_numpy(step, total):
    s = step.numpy()

    def bell(start, end, of=(0, 1)):
        return np.exp(-5 * np.interp(s, [start, end], of) ** 2)

    late = bell(0.8 * total, total)
    columns = [
        np.interp(s, [total * 2 / 3, total], [0.003, 0]),
        0.5 + 0.4 * late,
        bell(0, 800, (1, 0)),
        100 * late * bell(0, total / 4, (1, 0)),
        bell(0.95 * total, total),
    ]
    return tuple(torch.from_numpy(each) for each in columns)


def one_matrix(step, total):
    """All intervals at once."""
    starts = torch.tensor([2 / 3, 0.8, 0, 0, 0.95]) * total
    ends = torch.tensor([1, 1, 800 / total, 0.25, 1]) * total
    t = ((step[:, None] - starts) / (ends - starts)).clamp(0, 1)
    t[:, 2:4] = 1 - t[:, 2:4]
    made = (-5 * t**2).exp()
    made[:, 0] = 0.003 * (1 - t[:, 0])
    made[:, 3] *= 100 * made[:, 1]
    made[:, 1] = 0.5 + 0.4 * made[:, 1]
    return made.unbind(1)


class AModule(torch.nn.Module):
    def forward(self, step, total, **options):
        return column_by_column(step.float(), total)


RIGHT = [column_by_column, smaller_of_two, plain_loop, in_numpy, one_matrix, AModule()]

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"writes into step": "inputs"}


@pytest.mark.parametrize(
    "change, name",
    [
        (lambda made: [made[0], made[1], torch.ones_like(made[2]), *made[3:]], "λ_c constant"),
        (lambda made: [made[0], (2.25 * (made[1] - 0.5)), *made[2:]], "β₁ to 0"),
        (lambda made: [made[0] / 0.003, *made[1:3], made[3] / 100, made[4]], "no base values"),
        (lambda made: [*made[:2], made[3], made[2], made[4]], "λ_c and λ_s exchanged"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(change, name):
    assert (
        verdict(TASK, lambda step, total: tuple(change(column_by_column(step, total)))).misconception == name
    )


def test_a_table_of_another_size_is_told():
    outcome = verdict(TASK, lambda step, total: column_by_column(step, total)[:4])
    assert outcome.cause == "unusable" and "a tuple of 5 tensors" in outcome.says


# --- the oracle, against Table B.2 -----------------------------------------------------------


def at(*share, total=60_000):
    step = torch.tensor([round(each * total) for each in share])
    return {name: column.tolist() for name, column in zip(NAMES, oracle(step, total))}


def test_the_base_values_hold_in_the_middle_of_the_run():
    middle = at(0.5)
    assert {name: value[0] for name, value in middle.items()} == {
        "lr": 0.003, "beta1": 0.9, "lambda_c": 1.0, "lambda_s": 100.0, "lambda_r": 1.0,
    }  # fmt: skip


def test_the_ends_of_the_run():
    ends = at(0, 1)
    small = math.exp(-5)
    assert ends["lr"] == pytest.approx([0.003, 0])
    assert ends["beta1"] == pytest.approx([0.9, 0.5027], abs=1e-4)
    assert ends["lambda_c"] == pytest.approx([small, 1])
    assert ends["lambda_s"] == pytest.approx([100 * small, 100 * small])
    assert ends["lambda_r"] == pytest.approx([1, small])


def test_each_column_moves_only_where_the_table_says():
    steps = [n / 600 for n in range(601)]
    moves = {
        name: [a for a, x, y in zip(steps, values, values[1:]) if x != y]
        for name, values in at(*steps).items()
    }
    borders = {"lr": (2 / 3, 1), "beta1": (0.8, 1), "lambda_c": (0, 800 / 60_000), "lambda_r": (0.95, 1)}
    for name, (start, end) in borders.items():
        assert (
            min(moves[name]) == pytest.approx(start) and end - 1 / 600 <= max(moves[name]) + 1e-9 < end + 1e-9
        )
    assert all(a < 0.25 or a >= 0.8 for a in moves["lambda_s"]) and len(moves["lambda_s"]) == 150 + 120


def test_800_batches_are_800_batches_in_a_short_run_too():
    short = at(0.5, total=1600)["lambda_c"] + at(0.25, total=1600)["lambda_c"]
    assert short == pytest.approx([1, math.exp(-1.25)])
