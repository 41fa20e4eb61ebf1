"""The task hybridnet.balanced: right answers pass in any form, wrong ones get their own message."""

import torch
from torch.nn.functional import mse_loss

from course_lib.grading.tasks.hybridnet.balanced import TASK, oracle
from course_lib.methods.hybrid_losses import balanced_reconstruction_loss
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def image_by_image(x, x_c, x_u):
    """An `if` for each image, with Python numbers; the sum is of plain losses."""
    total = 0
    for k in range(len(x)):
        c, u = x_c[k], x_u[k]
        if mse_loss(u, x[k]).item() >= mse_loss(c, x[k]).item():
            c = c.detach()
        else:
            u = u.detach()
        total = total + mse_loss(c + u, x[k])
    return total / len(x)


def with_a_mask(x, x_c, x_u):
    """Both cases, weighted with 1 and 0; the decision from sums of squares."""
    e_c, e_u = ((each - x).pow(2).sum((1, 2, 3)) for each in (x_c, x_u))
    to_u = (e_u >= e_c).to(x.dtype)
    rec_u = (x_u + x_c.detach() - x).pow(2).mean((1, 2, 3))
    rec_c = (x_u.detach() + x_c - x).pow(2).mean((1, 2, 3))
    return (to_u * rec_u + (1 - to_u) * rec_c).mean()


def stops_the_pictures(x, x_c, x_u):
    """The pictures are stopped before they are added, one number for each image broadcast over its pixels."""
    with torch.no_grad():
        to_c = (x_c - x).flatten(1).norm(dim=1) > (x_u - x).flatten(1).norm(dim=1)
    to_c = to_c[:, None, None, None]
    c = torch.where(to_c, x_c, x_c.detach())
    u = torch.where(to_c, x_u.detach(), x_u)
    return mse_loss(c + u, x)


def straight_through(x, x_c, x_u):
    """A gate g per image: g·x + stop((1 - g)·x) is x, with the gradient of g·x."""
    d = x_c.detach() - x, x_u.detach() - x
    gate = (torch.einsum("bchw,bchw->b", d[1], d[1]) < torch.einsum("bchw,bchw->b", d[0], d[0])).to(x)
    gate = gate.reshape(-1, 1, 1, 1)
    c = gate * x_c + ((1 - gate) * x_c).detach()
    u = (1 - gate) * x_u + (gate * x_u).detach()
    return (c + u - x).square().flatten(1).mean(1).mean()


class Routed(torch.autograd.Function):
    """The gradient written by hand."""

    @staticmethod
    def forward(ctx, x, x_c, x_u):
        to_u = ((x_u - x) ** 2).sum((1, 2, 3), keepdim=True) >= ((x_c - x) ** 2).sum((1, 2, 3), keepdim=True)
        off = x_c + x_u - x
        ctx.save_for_backward(off, to_u)
        return (off**2).mean()

    @staticmethod
    def backward(ctx, gradient):
        off, to_u = ctx.saved_tensors
        step = gradient * 2 * off / off.numel()
        return None, step * ~to_u, step * to_u


def by_hand(x, x_c, x_u):
    return Routed.apply(x, x_c, x_u)


def in_float32(x, x_c, x_u):
    return with_a_mask(x.float(), x_c.float(), x_u.float())


def of_the_library(x, x_c, x_u):
    return balanced_reconstruction_loss(x, x_c, x_u, pixels="mean")


class AModule(torch.nn.Module):
    def forward(self, images, discriminative, unsupervised, eps=0.0):
        return stops_the_pictures(images, discriminative, unsupervised) + eps


RIGHT = [
    image_by_image, with_a_mask, stops_the_pictures, straight_through, by_hand, in_float32, AModule(), oracle,
    of_the_library,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------

GRADIENT = (
    "no balancing", "one decision for the batch", "the branch ahead is trained", "a tie goes to c",
    "both are stopped", "always u", "always c", "each pixel decides", "each channel decides",
    "the smaller picture is behind", "the larger picture is behind", "decides by sizes",
    "decides by the mean difference", "half to each",
)  # fmt: skip
CAUSES_OF = dict.fromkeys(GRADIENT, "gradient") | {
    "one number for each image": "shape",
    "each group by itself": "finite",
    "writes into x_c": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def loops_with_an_if_for_all(x, x_c, x_u):
        if mse_loss(x_u, x).item() >= mse_loss(x_c, x).item():
            return mse_loss(x_u + x_c.detach(), x)
        return mse_loss(x_u.detach() + x_c, x)

    assert verdict(TASK, loops_with_an_if_for_all).misconception == "one decision for the batch"


def test_a_plain_number_is_told_that_it_is_no_tensor():
    outcome = verdict(TASK, lambda x, x_c, x_u: stops_the_pictures(x, x_c, x_u).item())
    assert outcome.cause == "unusable" and "it returns a float" in outcome.message


# --- the oracle, against what the source says of the loss -------------------------------------


def given(number=0):
    made = TASK.cases[number].exact()
    made["x_c"].requires_grad_()
    made["x_u"].requires_grad_()
    return made


def gradients(made):
    loss = oracle(**made)
    return loss, *torch.autograd.grad(loss, (made["x_c"], made["x_u"]))


def test_balancing_does_not_change_the_value():
    for case in TASK.cases:
        made = case.exact()
        plain = mse_loss(made["x_c"] + made["x_u"], made["x"])
        assert torch.allclose(oracle(**made), plain, rtol=1e-12)


def test_each_image_trains_exactly_one_branch_the_one_with_the_larger_error():
    made = given()
    _, at_c, at_u = gradients(made)
    reached_c, reached_u = at_c.flatten(1).any(1), at_u.flatten(1).any(1)
    e_c, e_u = (((made[name] - made["x"]) ** 2).flatten(1).mean(1) for name in ("x_c", "x_u"))
    assert torch.equal(reached_u, e_u >= e_c) and torch.equal(reached_c, ~reached_u)
    assert reached_c.any() and reached_u.any()


def test_the_gradient_is_twice_what_the_sum_is_off_over_images_and_pixels():
    made = given()
    _, at_c, at_u = gradients(made)
    off = made["x_c"] + made["x_u"] - made["x"]
    assert torch.allclose(at_c + at_u, 2 * off / off.numel(), rtol=0, atol=1e-12)


def test_a_tie_trains_u():
    made = given()
    made["x_c"] = made["x_u"].detach().clone().requires_grad_()
    loss = oracle(**made)
    at_c, at_u = torch.autograd.grad(loss, (made["x_c"], made["x_u"]), allow_unused=True)
    assert at_c is None and at_u.flatten(1).any(1).all()


def test_the_order_of_the_images_does_not_matter():
    made = TASK.cases[0].exact()
    turned = {name: each.flip(0) for name, each in made.items()}
    assert torch.allclose(oracle(**made), oracle(**turned), rtol=1e-12)
