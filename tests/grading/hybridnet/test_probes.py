"""The task hybridnet.probes: right probes pass, and each slip gets its own message."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from course_lib.grading.tasks.hybridnet.probes import TASK, oracle
from course_lib.grading.tasks.hybridnet.wrong_probes import probing
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def with_sklearn(h, t, h_test, t_test, ridge=1.0):
    model = Ridge(alpha=ridge, solver="svd").fit(h.numpy(), t.numpy())
    predicted = model.predict(h_test.numpy()).reshape(t_test.shape)
    return torch.from_numpy(predicted), torch.tensor(r2_score(t_test.numpy(), predicted), dtype=t.dtype)


def with_more_rows(h, t, h_test, t_test, ridge=1.0):
    """The ridge as D more samples in an ordinary least squares problem."""
    middle, start = h.mean(0), t.mean(0)
    rows = torch.cat([h - middle, ridge**0.5 * torch.eye(h.shape[1], dtype=h.dtype)])
    targets = torch.cat([t - start, torch.zeros(h.shape[1], t.shape[1], dtype=t.dtype)])
    predicted = (h_test - middle) @ torch.linalg.lstsq(rows, targets).solution + start
    missed = ((t_test - predicted) ** 2).mean(0)
    return predicted, (1 - missed / t_test.var(0, unbiased=False)).mean()


def in_the_dual(h, t, h_test, t_test, ridge=1.0):
    """Weights for the samples, not for the units."""
    k = (h - h.mean(0)) @ (h - h.mean(0)).T
    a = torch.linalg.solve(k + ridge * torch.eye(len(h), dtype=h.dtype), t - t.mean(0))
    predicted = (h_test - h.mean(0)) @ (h - h.mean(0)).T @ a + t.mean(0)
    total = 0
    for want, got in zip(t_test.T, predicted.T):
        total = total + 1 - ((want - got) ** 2).sum() / ((want - want.mean()) ** 2).sum()
    return [predicted, total / t.shape[1]]


def with_an_offset_of_its_own(h, t, h_test, t_test, ridge=1.0):
    """A unit that is always 1, and a diagonal that leaves it alone."""
    one = lambda x: np.concatenate([np.ones((len(x), 1)), x.double().numpy()], axis=1)
    x = one(h)
    diagonal = np.diag([0.0] + [ridge] * h.shape[1])
    w = np.linalg.solve(x.T @ x + diagonal, x.T @ t.double().numpy())
    predicted = torch.from_numpy(one(h_test) @ w)
    spread = t_test.double() - t_test.double().mean(0)
    return predicted, (1 - (t_test - predicted).square().sum(0) / spread.square().sum(0)).mean()


RIGHT = [probing(), with_sklearn, with_more_rows, in_the_dual, with_an_offset_of_its_own]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"one R² for each target": "shape", "writes into h": "inputs"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def sklearn_without_offset(h, t, h_test, t_test, ridge=1.0):
        model = Ridge(alpha=ridge, fit_intercept=False, solver="svd").fit(h.numpy(), t.numpy())
        predicted = model.predict(h_test.numpy()).reshape(t_test.shape)
        return torch.from_numpy(predicted), torch.tensor(r2_score(t_test.numpy(), predicted), dtype=t.dtype)

    assert verdict(sklearn_without_offset).misconception == "no offset"


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_the_oracle_is_the_ridge_regression_of_a_library(number):
    given = TASK.cases[number].exact()
    for one, other in zip(oracle(**given), with_sklearn(**given)):
        assert torch.allclose(one, other, rtol=1e-8)


def test_a_huge_ridge_predicts_the_mean_and_targets_in_reach_are_found():
    given = TASK.cases[0].exact()
    predicted, _ = oracle(**given | {"ridge": 1e12})
    assert torch.allclose(predicted, given["t"].mean(0).expand_as(predicted), atol=1e-6)
    exact = {name: given[name] @ torch.ones(4, 2).double() for name in ("h", "h_test")}
    found = oracle(given["h"], exact["h"], given["h_test"], exact["h_test"], 1e-9)
    assert found[1].item() == pytest.approx(1)


def test_one_case_has_a_negative_r2():
    assert oracle(**TASK.cases[3].exact())[1] < 0
