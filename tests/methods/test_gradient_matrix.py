"""The gradient matrix: its numbers on two linear maps, and its pattern for every loss of HybridNet."""

import math

import pytest
import torch
from torch import nn

from course_lib.methods.gradient_matrix import gradient_matrix
from course_lib.methods.hybrid_losses import (
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
    reconstruction_loss,
)
from course_lib.methods.hybridnet import FUSIONS, HybridNet
from course_lib.methods.stability import stability_loss
from course_lib.nets import mirrored
from tests.methods.hybrid_nets import batch_of, copies, parts_of, small, unchanged

# --- the numbers -----------------------------------------------------------------------------------------


def two_maps():
    torch.manual_seed(0)
    return nn.Linear(3, 4).double(), nn.Linear(4, 2).double()


def losses_of(first, second):
    hidden = first(torch.randn(5, 3, dtype=torch.float64))
    return {"both": second(hidden).square().sum(), "first": hidden.pow(3).mean()}


def norm_by_hand(loss, module):
    """√Σ (∂loss/∂w)², one weight after the other."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return math.sqrt(sum(v * v for g in gradients if g is not None for v in g.flatten().tolist()))


def test_each_number_is_the_norm_of_a_gradient():
    first, second = two_maps()
    losses = losses_of(first, second)
    matrix = gradient_matrix(losses, {"one": first, "two": second, "all": nn.ModuleList([first, second])})
    assert list(matrix) == [(loss, part) for loss in losses for part in ("one", "two", "all")]
    for (loss, part), found in matrix.items():
        module = {"one": first, "two": second, "all": nn.ModuleList([first, second])}[part]
        assert isinstance(found, float) and found == pytest.approx(norm_by_hand(losses[loss], module))
    assert matrix["first", "two"] == 0 and matrix["first", "one"] > 0
    assert matrix["both", "all"] ** 2 == pytest.approx(
        matrix["both", "one"] ** 2 + matrix["both", "two"] ** 2
    )


def test_a_part_of_which_only_the_bias_is_used():
    first, _ = two_maps()
    matrix = gradient_matrix({"bias": 3 * first.bias.sum()}, {"one": first})
    assert matrix == {("bias", "one"): pytest.approx(3 * math.sqrt(4))}


def test_nothing_is_left_behind_and_a_training_step_can_follow():
    first, second = two_maps()
    first.weight.grad = torch.ones_like(first.weight)
    losses = losses_of(first, second)
    gradient_matrix(losses, {"one": first, "two": second})
    assert (first.weight.grad == 1).all() and second.weight.grad is None
    wanted = torch.autograd.grad(sum(losses.values()), first.weight, retain_graph=True)[0]
    sum(losses.values()).backward()
    torch.testing.assert_close(first.weight.grad, 1 + wanted)


def test_what_is_not_there_or_cannot_learn():
    first, second = two_maps()
    second.weight.requires_grad_(False)
    losses = losses_of(first, second) | {"constant": torch.tensor(2.0)}
    parts = {"one": first, "none": None, "two": second, "empty": nn.Sequential(), "plain": nn.ReLU()}
    matrix = gradient_matrix(losses, parts)
    assert {part for _, part in matrix} == {"one", "two", "empty", "plain"}
    assert matrix["both", "two"] == pytest.approx(norm_by_hand(losses["both"], second))
    for loss in losses:
        assert matrix[loss, "empty"] == matrix[loss, "plain"] == 0
    assert all(matrix["constant", part] == 0 for part in ("one", "two"))
    first.requires_grad_(False), second.requires_grad_(False)
    frozen = gradient_matrix({"input": torch.ones(2, requires_grad=True).sum()}, {"one": first})
    assert frozen == {("input", "one"): 0.0}


def test_norms_do_not_overflow_in_low_precision():
    layer = nn.Linear(2, 1, bias=False)
    matrix = gradient_matrix({"large": 1e30 * layer.weight.sum()}, {"one": layer})
    assert matrix["large", "one"] == pytest.approx(1e30 * math.sqrt(2))


# --- the pattern of HybridNet ----------------------------------------------------------------------------

PATTERN = {
    "cls": {"encoder_c", "classifier"},
    "stab": {"encoder_c", "classifier"},
    "rec": {"encoder_c", "decoder_c", "encoder_u", "decoder_u"},
    "balanced": {"encoder_c", "decoder_c", "encoder_u", "decoder_u"},
    "balanced, all to c": {"encoder_c", "decoder_c"},
    "balanced, all to u": {"encoder_u", "decoder_u"},
    "inter c": {"encoder_c", "decoder_c"},
    "inter u": {"encoder_u", "decoder_u"},
}


def large(**options):
    """A narrow ConvLarge."""
    torch.manual_seed(3)
    return HybridNet(mirrored.build("conv_large", num_classes=4, width=0.03), **options).double()


def losses_of_net(model, batch, detach=True):
    out, x = model(batch.x), batch.x
    losses = {
        "cls": classification_loss(out.logits, batch.y),
        "stab": stability_loss(out.logits.softmax(1), torch.full_like(out.logits, 0.25)),
        "rec": reconstruction_loss(x, out.x_hat),
    }
    if out.x_u is None:
        return losses
    u_is_worse = (out.x_u - x).square().flatten(1).sum(1) >= (out.x_c - x).square().flatten(1).sum(1)
    assert u_is_worse.any() and not u_is_worse.all()  # a mixed batch
    return losses | {
        "balanced": balanced_reconstruction_loss(x, out.x_c, out.x_u),
        "balanced, all to c": balanced_reconstruction_loss(x[~u_is_worse], *of(out, ~u_is_worse)),
        "balanced, all to u": balanced_reconstruction_loss(x[u_is_worse], *of(out, u_is_worse)),
        "inter c": intermediate_loss(out.taps_c, detach),
        "inter u": intermediate_loss(out.taps_u, detach),
    }


def of(out, some):
    return out.x_c[some], out.x_u[some]


def reached(matrix, loss):
    return {part for name, part in matrix if name == loss and matrix[name, part] != 0}


@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("make, side", [(small, 8), (large, 32)])
def test_pattern_of_late_fusion(make, side, detach):
    model = make()
    batch = batch_of((2, 0, 3, 1, -1, -1, -1, -1), side=side)
    with torch.no_grad():  # so that both are worse about as often
        scale = torch.linspace(-2.0, 2.0, 8, dtype=torch.float64).view(-1, 1, 1, 1)
        model.decoder_u.steps[-1].bias.fill_(0.7)
        batch.x.add_(scale)
    matrix = gradient_matrix(losses_of_net(model, batch, detach), parts_of(model))
    assert {part for _, part in matrix} == PATTERN["rec"] | {"classifier"}
    for loss, parts in PATTERN.items():
        assert reached(matrix, loss) == parts, loss


@pytest.mark.parametrize("fusion", [fusion for fusion in FUSIONS if fusion != "late_add"])
@pytest.mark.parametrize("make, side", [(small, 8), (large, 32)])
def test_pattern_of_early_fusion(make, side, fusion):
    model = make(fusion=fusion)
    matrix = gradient_matrix(losses_of_net(model, batch_of(side=side)), parts_of(model))
    merge = {"merge"} if fusion in ("early_cat", "early_bilinear") else set()
    assert reached(matrix, "rec") == {"encoder_c", "encoder_u", "decoder"} | merge
    assert reached(matrix, "cls") == reached(matrix, "stab") == {"encoder_c", "classifier"}


@pytest.mark.parametrize("branches", ["ae", "cls"])
def test_pattern_of_the_baselines(branches):
    model, batch = small(branches=branches), batch_of()
    out = model(batch.x)
    losses = {"cls": classification_loss(out.logits, batch.y)}
    if branches == "ae":
        losses["rec"] = reconstruction_loss(batch.x, out.x_hat)
        losses["inter"] = intermediate_loss(out.taps_c, detach=True)
    matrix = gradient_matrix(losses, parts_of(model))
    assert reached(matrix, "cls") == {"encoder_c", "classifier"}
    for loss in losses.keys() - {"cls"}:
        assert reached(matrix, loss) == {"encoder_c", "decoder_c"}


def test_intermediate_losses_teach_a_decoder_up_to_their_tap():
    model, batch = small(), batch_of()
    out = model(batch.x)
    steps = {"first": model.decoder_c.steps[0], "last": model.decoder_c.steps[-1]}
    losses = {
        "near the image": intermediate_loss(out.taps_c[:1], detach=True),
        "near h": intermediate_loss(out.taps_c[1:], detach=True),
        "rec": reconstruction_loss(batch.x, out.x_hat),
    }
    middle = model.decoder_c.steps[2]
    matrix = gradient_matrix(losses, steps | {"middle": middle})
    assert reached(matrix, "near h") == {"first"}
    assert reached(matrix, "near the image") == {"first", "middle"}
    assert reached(matrix, "rec") == {"first", "middle", "last"}


def test_detached_targets_leave_an_encoder_the_way_through_h():
    """With a latent that is cut off, nothing of a detached intermediate loss reaches the encoder."""
    model, batch = small(), batch_of()
    c = model.encoder_c(batch.x)
    drawn = model.decoder_c(c.h.detach())
    pairs = list(zip(c.taps, drawn.taps))
    losses = {"plain": intermediate_loss(pairs), "detached": intermediate_loss(pairs, detach=True)}
    matrix = gradient_matrix(losses, {"encoder_c": model.encoder_c, "decoder_c": model.decoder_c})
    assert reached(matrix, "plain") == {"encoder_c", "decoder_c"}
    assert reached(matrix, "detached") == {"decoder_c"}


def test_the_net_is_left_as_it_was():
    model, batch = small(), batch_of()
    losses = {"cls": classification_loss(model(batch.x).logits, batch.y)}
    before = copies(model)
    gradient_matrix(losses, parts_of(model))
    assert list(losses) == ["cls"]
    assert unchanged(model, before) and all(p.grad is None for p in model.parameters())
    assert all(p.requires_grad for p in model.parameters())
