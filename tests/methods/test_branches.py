"""Who draws what: errors, inner products and shares, sample by sample in plain loops."""

import pytest
import torch

from course_lib.methods.branches import BranchReport, branch_report
from tests.methods import literal_hybrid as literal
from tests.methods.small_nets import DEVICES


def three(n=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x, x_c, x_u = torch.randn(3, n, 3, 2, 4, generator=generator, dtype=torch.float64) + 0.3
    return x.to(dtype), (0.6 * x + 0.4 * x_c).to(dtype), (0.3 * x + 0.2 * x_u).to(dtype)


def inner(a, b):
    """⟨a, b⟩ as a mean over the pixels."""
    products = [p * q for p, q in zip(a.flatten().tolist(), b.flatten().tolist())]
    return sum(products) / len(products)


def test_every_number_is_its_formula():
    x, x_c, x_u = three()
    report = branch_report(x, x_c, x_u)
    assert BranchReport._fields == ("error_c", "error_u", "error", "inner", "share_c", "share_u")
    for i in range(5):
        x_hat = x_c[i] + x_u[i]
        expected = [
            literal.squared(x_c[i], x[i], "mean"),
            literal.squared(x_u[i], x[i], "mean"),
            literal.squared(x_hat, x[i], "mean"),
            inner(x_c[i], x_u[i]),
            inner(x_c[i], x_hat) / inner(x_hat, x_hat),
            inner(x_u[i], x_hat) / inner(x_hat, x_hat),
        ]
        assert [part[i].item() for part in report] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype, within", [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_errors_obey_the_identity(dtype, within):
    x, x_c, x_u = three(dtype=dtype)
    report = branch_report(x, x_c, x_u)
    energy = torch.tensor([inner(each, each) for each in x], dtype=dtype)
    made_of = report.error_c + report.error_u - energy + 2 * report.inner
    torch.testing.assert_close(report.error, made_of, atol=within, rtol=0)


def test_shares_add_to_one():
    report = branch_report(*three(50))
    torch.testing.assert_close(report.share_c + report.share_u, torch.ones(50, dtype=torch.float64))


def test_limits_of_the_shares():
    x, x_c, _ = three()
    nothing = torch.zeros_like(x)
    for c, u, share in [(nothing, x_c, 0), (x_c, nothing, 1), (x_c, x_c, 0.5), (3 * x_c, -x_c, 1.5)]:
        report = branch_report(x, c, u)
        torch.testing.assert_close(report.share_c, torch.full((5,), float(share), dtype=torch.float64))
        torch.testing.assert_close(report.share_u, 1 - report.share_c)
    report = branch_report(x, x_c, -x_c)  # they draw nothing together
    assert (report.share_c == 0.5).all() and (report.share_u == 0.5).all() and (report.inner < 0).all()


def test_one_sample_that_is_empty_does_not_touch_the_others():
    x, x_c, x_u = three()
    expected = branch_report(x, x_c, x_u)
    x_c[2] = x_u[2] = 0
    report = branch_report(x, x_c, x_u)
    others = [0, 1, 3, 4]
    for found, wanted in zip(report, expected):
        assert torch.equal(found[others], wanted[others])
    assert report.share_c[2] == report.share_u[2] == 0.5


def test_no_gradient_is_kept_and_nothing_changed():
    x, x_c, x_u = three()
    before = [each.clone() for each in (x, x_c, x_u)]
    report = branch_report(x, x_c.requires_grad_(), x_u.requires_grad_())
    assert not any(part.requires_grad for part in report)
    assert all(map(torch.equal, before, (x, x_c, x_u)))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("device", DEVICES)
def test_low_precision_is_added_up_in_float32(device):
    x, x_c, x_u = (each.to(device) for each in three(dtype=torch.bfloat16))
    report = branch_report(x, x_c, x_u)
    exact = branch_report(x.double(), x_c.double(), x_u.double())
    for found, wanted in zip(report, exact):
        assert found.dtype == torch.float32 and found.device == x.device
        torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_shapes_must_agree(which):
    given = list(three())
    given[which] = given[which][:, :1]
    with pytest.raises(ValueError, match=r"\(5, 1, 2, 4\).*which must be the same\.$") as refused:
        branch_report(*given)
    assert str(refused.value).startswith("x, x_c and x_u have shapes")
