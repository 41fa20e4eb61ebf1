"""All-pairs stability against the double sum of Eq. 2.7, and at its limits."""

import pytest
import torch

from course_lib.methods import all_pairs_stability


def passes(k=4, b=3, c=5, seed=0):
    return torch.randn(k, b, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.7


def literal(predictions):
    """Eq. 2.7, one sample after the other, every ordered pair of passes."""
    each = []
    for i in range(predictions.shape[1]):
        total = 0.0
        for y_k in predictions[:, i].tolist():
            for y_j in predictions[:, i].tolist():
                total += sum((a - b) ** 2 for a, b in zip(y_k, y_j))
        each.append(total)
    return sum(each) / len(each)


@pytest.mark.parametrize("shape", [(2, 3, 5), (4, 3, 5), (5, 1, 2), (3, 7, 1)])
def test_it_is_the_double_sum(shape):
    y = passes(*shape)
    assert all_pairs_stability(y).item() == pytest.approx(literal(y), rel=1e-12)


def test_it_is_2k_times_the_squares_around_the_mean():
    y = passes()
    around = sum(((y_k - y.mean(0)) ** 2).sum(1) for y_k in y).mean()
    torch.testing.assert_close(all_pairs_stability(y), 2 * 4 * around)


def test_limits():
    y = passes()
    assert all_pairs_stability(y[:1].expand(4, -1, -1)).item() == 0
    torch.testing.assert_close(all_pairs_stability(y + passes(1, seed=1)), all_pairs_stability(y))
    torch.testing.assert_close(all_pairs_stability(3 * y), 9 * all_pairs_stability(y))
    torch.testing.assert_close(all_pairs_stability(y.flip(0)), all_pairs_stability(y))
    two = torch.tensor([[[0.0, 1.0]], [[1.0, 3.0]]])
    assert all_pairs_stability(two).item() == 2 * (1 + 4)  # the pair, from both sides


def test_gradients_reach_every_pass():
    y = passes().requires_grad_()
    assert torch.autograd.gradcheck(all_pairs_stability, y)
    assert torch.autograd.gradgradcheck(all_pairs_stability, y)
    all_pairs_stability(y).backward()
    torch.testing.assert_close(y.grad, 4 * 4 * (y - y.mean(0)).detach() / 3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision_is_added_up_in_float32(dtype):
    y = passes().to(dtype)
    found = all_pairs_stability(y)
    assert found.dtype == torch.float32 and all_pairs_stability(passes()).dtype == torch.float64
    assert found.item() == pytest.approx(literal(y.double()), rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 5), (4, 5), (4, 0, 5), (0, 3, 5), (2, 2, 3, 5)])
def test_impossible_shapes(shape):
    with pytest.raises(ValueError, match=r"needed is \(K, B, C\) with K at least 2"):
        all_pairs_stability(torch.zeros(shape))


def test_impossible_type():
    with pytest.raises(TypeError, match=r"predictions have type torch.int64"):
        all_pairs_stability(torch.zeros(2, 3, 5, dtype=torch.long))
