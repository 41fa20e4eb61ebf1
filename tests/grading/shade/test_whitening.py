"""The task shade.whitening: every whitening passes however written, wrong ones get their own message."""

import numpy as np
import pytest
import torch
from torch import linalg

from course_lib.grading.draws import normal
from course_lib.grading.tasks.shade.varentropy import oracle as variance_of_unit
from course_lib.grading.tasks.shade.whitening import TASK, oracle, use
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def pca(x):
    centred = x - x.mean(0)
    values, vectors = linalg.eigh(centred.T @ centred / len(x))
    return centred @ vectors / values.sqrt()


def zca(x):
    values, vectors = linalg.eigh(torch.cov(x.T, correction=0))
    return (x - x.mean(0)) @ vectors @ torch.diag(values.rsqrt()) @ vectors.T


def cholesky(x):
    centred = x - x.mean(0)
    factor = linalg.cholesky(centred.T @ centred / len(x))
    return linalg.solve_triangular(factor, centred.T, upper=False).T


def cholesky_of_the_inverse(x):
    return (x - x.mean(0)) @ linalg.cholesky(linalg.inv(torch.cov(x.T, correction=0)))


def svd(x):
    return linalg.svd(x - x.mean(0), full_matrices=False).U * len(x) ** 0.5


def qr(x):
    return linalg.qr(x - x.mean(0)).Q * len(x) ** 0.5


def zca_of_the_standardised(x):
    """First each input by itself, then the correlation: a whitening as well."""
    z = (x - x.mean(0)) / x.std(0, correction=0)
    values, vectors = linalg.eigh(z.T @ z / len(z))
    return z @ vectors / values.sqrt() @ vectors.T


def gram_schmidt_loops(x):
    """Column by column: take away what the columns before explain, then scale."""
    columns = []
    for d in range(x.shape[1]):
        column = x[:, d] - x[:, d].mean()
        for before in columns:
            column = column - (column * before).mean() * before
        columns.append(column / (column**2).mean() ** 0.5)
    return torch.stack(columns, 1)


def in_numpy(x):
    centred = x.numpy() - x.numpy().mean(0)
    values, vectors = np.linalg.eigh(np.cov(centred, rowvar=False, bias=True))
    return torch.from_numpy(centred @ vectors / np.sqrt(values))


def in_float32(x):
    return zca(x.float())


def with_a_small_eps(x, eps=1e-5, **options):
    centred = x - x.mean(0)
    values, vectors = linalg.eigh(centred.T @ centred / len(x))
    return centred @ vectors / (values + eps).sqrt()


def with_flipped_signs_as_a_view(x):
    return -pca(x).flip(1)


class AModule(torch.nn.Module):
    def forward(self, samples):
        return cholesky(samples)


RIGHT = [
    pca, zca, cholesky, cholesky_of_the_inverse, svd, qr, zca_of_the_standardised, gram_schmidt_loops,
    in_numpy, in_float32, with_a_small_eps, with_flipped_signs_as_a_view, AModule(),
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "root of each number": "finite",
    "transposed": "shape",
    "the matrix alone": "shape",
    "writes into x": "inputs",
}


@pytest.mark.parametrize(
    "answer, name",
    [
        (lambda x: svd(x) / len(x) ** 0.5, "no N"),
        (lambda x: zca(x) / len(x) ** 0.5, "no N"),
        (lambda x: cholesky(x) * (1 - 1 / len(x)) ** 0.5, "N - 1"),
        (lambda x: torch.nn.functional.batch_norm(x, None, None, training=True), "each input by itself"),
        (lambda x: linalg.solve(torch.cov(x.T, correction=0), (x - x.mean(0)).T).T, "Λ⁻¹"),
    ],
)
def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written(answer, name):
    assert verdict(TASK, answer).misconception == name


def test_an_unknown_mistake_gets_no_advice_but_says_what_is_wrong():
    outcome = verdict(TASK, lambda x: 1.1 * pca(x))
    assert (outcome.cause, outcome.misconception, outcome.advice) == ("value", None, "")
    assert "the covariance of the result at index" in outcome.says
    assert "should be 1 and is 1.21" in outcome.says


def test_white_is_not_enough_if_the_map_is_not_linear():
    """Mean 0 and covariance 1 are kept if the samples are exchanged, but not which sample is where."""
    outcome = verdict(TASK, lambda x: pca(x).flip(0))
    assert (outcome.cause, "the inner products of the rows" in outcome.says) == ("value", True)


def forgets_to_return(x):
    pca(x)


@pytest.mark.parametrize(
    "answer, cause, said",
    [
        (forgets_to_return, "unusable", "without `return`"),
        (lambda x: pca(x).numpy(), "unusable", "it returns a ndarray"),
        (lambda x: pca(x).sum(), "shape", "yours has shape ()"),
        (lambda x: pca(x)[:, 0], "shape", "yours has shape (20,)"),
        (lambda x: torch.complex(pca(x), pca(x)), "dtype", "complex128"),
        (lambda x, y: x, "unusable", "missing 1 required positional argument"),
    ],
)
def test_what_is_no_white_matrix_is_named(answer, cause, said):
    outcome = verdict(TASK, answer)
    assert outcome.cause == cause and said in outcome.says


# --- the oracle, against what the source says of white inputs ---------------------------------


def draw():
    generator = torch.Generator().manual_seed(0)
    x = normal(generator, 15, 4) @ normal(generator, 4, 4) + normal(generator, 4)
    return x, normal(generator, 4), normal(generator)


def test_the_oracle_is_what_pca_zca_and_cholesky_have_in_common():
    x, _, _ = draw()
    for whitening in (pca, zca, cholesky):
        for found, right in zip(use(whitening, x), oracle(x), strict=True):
            assert torch.allclose(found, right, rtol=0, atol=1e-9)


def test_the_diagonal_of_the_products_are_the_mahalanobis_distances_and_their_mean_is_the_dimension():
    x, _, _ = draw()
    centred = x - x.mean(0)
    precision = linalg.inv(torch.cov(x.T, correction=0))
    distances = oracle(x)[2].diagonal()
    assert torch.allclose(distances, torch.einsum("ki,ij,kj->k", centred, precision, centred))
    assert torch.allclose(distances.mean(), torch.tensor(4.0, dtype=torch.float64))


def test_with_white_inputs_varentropy_is_weight_decay():
    x, w, b = draw()
    for whitening in (pca, zca, cholesky):
        assert torch.allclose(variance_of_unit(whitening(x), w, b), w @ w, rtol=0, atol=1e-9)
