"""The task shade.discriminative: every way to project on the rows of W passes, and no other."""

import numpy as np
import pytest
import scipy.linalg
import torch

from course_lib.grading.tasks.shade.discriminative import TASK, oracle
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def with_pinv(H, W):
    return H @ (torch.linalg.pinv(W) @ W)


def through_the_logits(H, W, rtol=None):
    """The shortest vector with the same logits."""
    return H @ W.T @ torch.linalg.pinv(W, rtol=rtol).T


def sample_by_sample(H, W):
    P = torch.linalg.pinv(W) @ W
    return torch.stack([P @ h for h in H])


def least_squares(H, W):
    return torch.linalg.lstsq(W.T, H.T, driver="gelsd").solution.T @ W


def with_svd(H, W):
    _, s, Vh = torch.linalg.svd(W, full_matrices=False)
    V = Vh[s > 1e-6 * s[0]]
    return torch.einsum("nd,kd,ke->ne", H, V, V)


def with_eigenvectors(H, W):
    values, vectors = torch.linalg.eigh(W.double().T @ W.double())
    V = vectors[:, values > 1e-10 * values[-1]]
    return H.double() @ V @ V.T


def in_float32(H, W):
    return with_pinv(H.float(), W.float())


def in_numpy(H, W):
    H, W = H.numpy(), W.numpy()
    return torch.from_numpy(H @ np.linalg.pinv(W) @ W)


def from_what_is_left(H, W):
    N = torch.from_numpy(scipy.linalg.null_space(W.numpy(), rcond=1e-6))
    return H - H @ N @ N.T


def from_orthogonal_columns(features, weights, *, extra=None):
    Q = torch.from_numpy(scipy.linalg.orth(weights.numpy().T, rcond=1e-6))
    return (features @ Q).matmul(Q.T)


def as_a_view(H, W):
    return with_pinv(H, W).T.contiguous().T


RIGHT = [
    with_pinv, through_the_logits, sample_by_sample, least_squares, with_svd, with_eigenvectors, in_float32,
    in_numpy, from_what_is_left, from_orthogonal_columns, as_a_view, oracle,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "products with W": "shape",
    "pseudo-inverse alone": "shape",
    "samples as columns": "shape",
    "the projection itself": "shape",
    "writes into H": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def one_class_after_the_other(H, W):
        return sum(torch.outer(H @ w, w) / (w @ w).clamp(min=1e-9) for w in W)

    assert verdict(one_class_after_the_other).misconception == "rows of length 1"


def test_the_inverse_of_a_singular_matrix_is_refused_with_torchs_own_words():
    outcome = verdict(lambda H, W: H @ W.T @ torch.linalg.inv(W @ W.T) @ W)
    assert outcome.state == "not yet" and outcome.cause in ("unusable", "finite", "value")


def test_a_projection_on_the_wrong_side_is_no_answer():
    assert verdict(lambda H, W: (torch.linalg.pinv(W) @ W) @ H).cause == "unusable"


# --- the oracle, against what the source says of the component --------------------------------

GIVEN = [case.exact() for case in TASK.cases]


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: "x".join(map(str, given["W"].shape)))
def test_the_classes_see_no_difference_and_nothing_of_the_rest(given):
    H, W = given["H"], given["W"]
    star = oracle(H, W)
    assert torch.allclose(star @ W.T, H @ W.T, rtol=0, atol=1e-8)
    assert torch.allclose(((H - star) * star).sum(1), torch.zeros(len(H)).double(), rtol=0, atol=1e-8)


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: "x".join(map(str, given["W"].shape)))
def test_it_is_an_orthogonal_projection_of_the_rank_of_w(given):
    W = given["W"]
    P = oracle(torch.eye(W.shape[1], dtype=torch.float64), W)
    assert torch.allclose(P, P.T, rtol=0, atol=1e-8) and torch.allclose(P @ P, P, rtol=0, atol=1e-8)
    assert round(P.trace().item()) == torch.linalg.matrix_rank(W, rtol=1e-6)


def test_as_many_independent_classes_as_units_see_everything():
    H, W = torch.randn(3, 4).double(), torch.randn(4, 4).double()
    assert torch.allclose(oracle(H, W), H, rtol=0, atol=1e-8)


def test_a_class_of_no_weights_sees_nothing():
    assert not oracle(torch.randn(3, 4).double(), torch.zeros(2, 4).double()).any()
