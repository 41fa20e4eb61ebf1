"""The Jacobian penalty against one derivative at a time, trained through, and estimated without bias."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods import Shade, jacobian_penalty
from course_lib.nets import SmallConvNet
from tests.methods.small_nets import DEVICES


class Tanh(nn.Module):
    """Two layers whose weights are plain tensors, so that gradcheck can move them."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return torch.tanh(x @ self.first.T) @ self.second.T


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((5, 4), (3, 5)))


def inputs(n=6, seed=1):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def literal(first, second, x):
    """Σ over logits and inputs of (∂logit/∂input)², one number at a time, mean over samples."""
    total = 0.0
    for sample in x.tolist():
        inner = [math.tanh(sum(w * value for w, value in zip(row, sample))) for row in first.tolist()]
        for out in second.tolist():
            for d in range(len(sample)):
                slope = sum(
                    v * (1 - a * a) * row[d] for v, a, row in zip(out, inner, first.tolist(), strict=True)
                )
                total += slope**2
    return total / len(x)


def test_it_is_the_sum_over_single_derivatives():
    first, second = weights()
    found = jacobian_penalty(Tanh(first, second), inputs())
    assert found.item() == pytest.approx(literal(first, second, inputs()), rel=1e-12)


def test_it_is_the_jacobian_of_autograd_for_images():
    torch.manual_seed(0)
    net = SmallConvNet((3, 8, 8), 5, width=4, dropout=0.5).double()
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    net.eval()
    expected = sum(
        torch.autograd.functional.jacobian(lambda one: net(one[None])[0], image).square().sum() for image in x
    )
    net.train()
    torch.testing.assert_close(jacobian_penalty(net, x).detach(), expected / 3)


def test_of_a_linear_net_it_is_the_square_of_the_weights():
    net = nn.Linear(4, 3).double()
    for x in (inputs(), 100 * inputs(2)):
        torch.testing.assert_close(jacobian_penalty(net, x), net.weight.square().sum())


def test_gradcheck_in_the_weights_and_in_x():
    first, second = (w.requires_grad_() for w in weights())
    x = inputs(3).requires_grad_()
    for options in ({}, {"projections": 2}):

        def penalty(first, second, x, options=options):
            generator = torch.Generator().manual_seed(0)
            return jacobian_penalty(Tanh(first, second), x, generator=generator, **options)

        assert torch.autograd.gradcheck(penalty, (first, second, x))
    assert torch.autograd.gradgradcheck(lambda w: jacobian_penalty(Tanh(w, second), x), first)


def test_the_gradient_of_a_linear_net_is_weight_decay():
    net = nn.Linear(4, 3).double()
    jacobian_penalty(net, inputs()).backward()
    torch.testing.assert_close(net.weight.grad, 2 * net.weight.detach())


def test_training_on_it_shrinks_it():
    torch.manual_seed(0)
    net = SmallConvNet((3, 8, 8), 5, width=4)
    x = torch.randn(4, 3, 8, 8)
    before = jacobian_penalty(net, x).item()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(10):
        optimizer.zero_grad()
        jacobian_penalty(net, x, projections=1).backward()
        optimizer.step()
    assert jacobian_penalty(net, x).item() < before / 2


# --- random projections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("projections", [1, 3])
def test_the_estimate_is_right_on_average(projections):
    net, x = Tanh(*weights()), inputs()
    exact = jacobian_penalty(net, x).item()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        draws = torch.tensor(
            [
                jacobian_penalty(net, x, projections=projections, generator=generator).item()
                for _ in range(2000)
            ],
            dtype=torch.float64,
        )
    error = draws.std().item() / 2000**0.5
    assert draws.std() > 0 and error < 0.02 * exact
    assert abs(draws.mean().item() - exact) < 4 * error


def test_one_logit_needs_no_luck_and_more_directions_scatter_less():
    x = inputs()
    net = nn.Linear(4, 1).double()
    torch.testing.assert_close(jacobian_penalty(net, x, projections=2), net.weight.square().sum())
    net, one, many = Tanh(*weights()), [], []
    for seed in range(60):
        for projections, found in ((1, one), (16, many)):
            generator = torch.Generator().manual_seed(seed)
            found.append(jacobian_penalty(net, x, projections=projections, generator=generator))
    assert torch.stack(many).std() < 0.5 * torch.stack(one).std()


def test_each_sample_has_a_direction_of_its_own():
    """With one direction for all, the estimate for equal samples would be as uncertain as for one."""
    net, x = Tanh(*weights()), inputs(1)
    spread = []
    for copies in (1, 64):
        generator = torch.Generator().manual_seed(0)
        found = [
            jacobian_penalty(net, x.expand(copies, 4), projections=1, generator=generator) for _ in range(50)
        ]
        spread.append(torch.stack(found).std())
    assert spread[1] < 0.25 * spread[0]


def test_the_generator_decides_and_nothing_else_moves():
    net, x = Tanh(*weights()), inputs()
    state = torch.get_rng_state()
    first, again, other = (
        jacobian_penalty(net, x, projections=1, generator=torch.Generator().manual_seed(seed))
        for seed in (5, 5, 6)
    )
    assert first == again != other
    jacobian_penalty(net, x)
    assert torch.equal(state, torch.get_rng_state())
    jacobian_penalty(net, x, projections=1)
    assert not torch.equal(state, torch.get_rng_state())


# --- the model as found, types, refusals -----------------------------------------------------------------


def test_the_model_is_left_as_found():
    torch.manual_seed(0)
    net = SmallConvNet((3, 8, 8), 5, width=4, batch_norm=True, dropout=0.5)
    net.body.norm1.eval()
    x = torch.randn(4, 3, 8, 8)
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    with Shade(net) as shade:
        net(x)
        alone = shade.penalty().item()
        before = {name: value.clone() for name, value in shade.state_dict().items()}
        net.load_state_dict(state)
        shade.load_state_dict(Shade(net).state_dict())
        net(x)
        jacobian_penalty(net, x)
        assert shade.penalty().item() == alone
        assert all(torch.equal(before[name], value) for name, value in shade.state_dict().items())
    after_one_pass = {name: value.clone() for name, value in net.state_dict().items()}
    jacobian_penalty(net, x, projections=1)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(after_one_pass[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())
    assert not x.requires_grad and x.grad is None


def test_without_gradients_it_is_a_number():
    net, x = nn.Linear(4, 3).double(), inputs()
    with torch.no_grad():
        found = jacobian_penalty(net, x)
    assert not found.requires_grad and found.item() == pytest.approx(net.weight.square().sum().item())
    assert jacobian_penalty(net, x).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision_is_added_up_in_float32(dtype):
    net = nn.Linear(4, 3).to(dtype)
    exact = net.weight.double().square().sum().item()
    found = jacobian_penalty(net, inputs(50).to(dtype))
    assert found.dtype == torch.float32 and found.item() == pytest.approx(exact, rel=1e-5)
    found = jacobian_penalty(net, inputs(50).to(dtype), projections=20)
    assert found.dtype == torch.float32 and found.item() == pytest.approx(exact, rel=0.2)
    assert jacobian_penalty(nn.Linear(4, 3).double(), inputs()).dtype == torch.float64


@pytest.mark.parametrize("device", DEVICES)
def test_everything_stays_on_the_device(device):
    net, x = nn.Linear(4, 3).double().to(device), inputs().to(device)
    generator = torch.Generator(device).manual_seed(0)
    for options in ({}, {"projections": 1, "generator": generator}):
        assert jacobian_penalty(net, x, **options).device == x.device


@pytest.mark.parametrize(
    "make", [lambda x: x.sum(1), lambda x: x[:, :, None], lambda x: x[:2], lambda x: x[:, :0]]
)
def test_what_are_no_logits_is_refused(make):
    class Odd(nn.Module):
        def forward(self, x):
            return make(x)

    with pytest.raises(ValueError, match=r"needed is \(B, C\) for B samples"):
        jacobian_penalty(Odd(), inputs())


def test_other_impossible_input():
    net = nn.Linear(4, 3).double()
    with pytest.raises(TypeError, match=r"x has type torch.int64"):
        jacobian_penalty(net, inputs().long())
    with pytest.raises(ValueError, match=r"logits have shape \(0, 3\)"):
        jacobian_penalty(net, inputs(0))
    for projections in (0, -1):
        with pytest.raises(ValueError, match=f"projections is {projections}, possible are whole numbers"):
            jacobian_penalty(net, inputs(), projections=projections)
