"""The task hybridnet.hybrid_loss: right answers pass in any form, wrong ones get their own message."""

import torch
import torch.nn.functional as F

from course_lib.grading.tasks.hybridnet.hybrid_loss import PARTS, TASK, TERMS, oracle, use
from course_lib.grading.tasks.hybridnet.loss_pieces import loss
from course_lib.grading.tasks.hybridnet.tiny_hybrid import TinyHybrid
from course_lib.methods.hybrid_losses import (
    balanced_reconstruction_loss,
    classification_loss,
    intermediate_loss,
)
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------

in_pieces = loss()


def in_a_row(model, x_tilde, x, y, target, weights):
    """One sum, with torch's own losses and the labels by `ignore_index`."""
    out = model(x_tilde)
    e_c, e_u = (F.mse_loss(each, x, reduction="none").mean((1, 2, 3), True) for each in (out.x_c, out.x_u))
    to_u = e_u >= e_c
    x_hat = torch.where(to_u, out.x_c.detach() + out.x_u, out.x_c + out.x_u.detach())
    taps = out.taps_c + out.taps_u
    return (
        weights["cls"] * F.cross_entropy(out.logits, y, ignore_index=-1)
        + weights["rec"] * F.mse_loss(x_hat, x)
        + weights["inter"] * sum(F.mse_loss(h_hat, h.detach()) for h, h_hat in taps)
        + weights["stab"] * F.mse_loss(out.logits.softmax(-1), target.detach())
    )


def image_by_image(model, x_tilde, x, y, target, weights):
    """Loops, and no term whose weight is 0."""
    out, total = model(x_tilde), x.new_zeros(())
    n, labelled = len(x), [k for k in range(len(y)) if y[k] != -1]
    if weights["cls"]:
        for k in labelled:
            total = total - weights["cls"] * out.logits[k].log_softmax(0)[y[k]] / len(labelled)
    if weights["rec"]:
        for k in range(n):
            c, u = out.x_c[k], out.x_u[k]
            if (c - x[k]).norm() > (u - x[k]).norm():
                u = u.detach()
            else:
                c = c.detach()
            total = total + weights["rec"] * (c + u - x[k]).square().mean() / n
    if weights["inter"]:
        for pairs in (out.taps_c, out.taps_u):
            for h, h_hat in pairs:
                total = total + weights["inter"] * (h.detach() - h_hat).square().flatten(1).mean(1).sum() / n
    if weights["stab"]:
        prob = out.logits.exp() / out.logits.exp().sum(1, keepdim=True)
        total = total + weights["stab"] * (prob - target.data).pow(2).sum() / prob.numel()
    return total


def with_two_passes(model, x_tilde, x, y, target, weights):
    """What is stopped comes from a second pass that knows no gradient."""
    out = model(x_tilde)
    with torch.no_grad():
        known, target = model(x_tilde), target.clone()
        e_c, e_u = ((each - x).pow(2).sum((1, 2, 3)) for each in (known.x_c, known.x_u))
    to_c = (e_c > e_u).to(x.dtype)
    rec_c = (out.x_c + known.x_u - x).pow(2).mean((1, 2, 3))
    rec_u = (known.x_c + out.x_u - x).pow(2).mean((1, 2, 3))
    inter = 0
    for made, fixed in ((out.taps_c, known.taps_c), (out.taps_u, known.taps_u)):
        inter = inter + torch.stack([(a[1] - b[0]).pow(2).mean() for a, b in zip(made, fixed)]).sum()
    cls = F.nll_loss(out.logits.log_softmax(1)[y > -1], y[y > -1])
    stab = (F.softmax(out.logits, 1) - target).pow(2).sum(1).mean() / target.shape[1]
    terms = torch.stack([cls, (to_c * rec_c + (1 - to_c) * rec_u).mean(), inter, stab])
    return terms @ terms.new_tensor([weights[name] for name in ("cls", "rec", "inter", "stab")])


def one_hot_labels(model, x_tilde, x, y, target, weights):
    """-Σ y log ŷ with rows of zeros for images without a label."""
    out = model(x_tilde)
    wanted = F.one_hot(y.clamp(min=0), out.logits.shape[1]) * (y >= 0)[:, None]
    cls = -(wanted * F.log_softmax(out.logits, 1)).sum() / wanted.sum()
    other = in_a_row(lambda _: out, x_tilde, x, y, target, weights | {"cls": 0.0})
    return weights["cls"] * cls + other


def of_the_library(model, x_tilde, x, y, target, weights):
    out = model(x_tilde)
    return (
        weights["cls"] * classification_loss(out.logits, y)
        + weights["rec"] * balanced_reconstruction_loss(x, out.x_c, out.x_u, pixels="mean")
        + weights["inter"] * intermediate_loss([*out.taps_c, *out.taps_u], detach=True, pixels="mean")
        + weights["stab"] * (out.logits.softmax(1) - target.detach()).square().mean()
    )


class AModule(torch.nn.Module):
    def forward(self, net, noisy, clean, labels, wanted, lambdas):
        return image_by_image(net, noisy, clean, labels, wanted, lambdas)


RIGHT = [
    in_pieces, in_a_row, image_by_image, with_two_passes, one_hot_labels, AModule(), of_the_library,
]  # fmt: skip


# --- wrong answers ---------------------------------------------------------------------------


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def the_target_moves(model, x_tilde, x, y, target, weights):
        fixed = in_a_row(model, x_tilde, x, y, target, weights | {"stab": 0.0})
        return fixed + weights["stab"] * F.mse_loss(F.softmax(model(x_tilde).logits, 1), target)

    assert verdict(TASK, the_target_moves).misconception == "gradient through the target"


def test_the_message_names_the_term_and_the_module():
    outcome = verdict(TASK, next(m.wrong for m in TASK.misconceptions if m.name == "no balancing"))
    assert "the gradient of the reconstruction loss in " in outcome.message


def test_labels_of_minus_one_given_to_cross_entropy_are_told_as_torch_tells_them():
    def forgets(model, x_tilde, x, y, target, weights):
        return F.cross_entropy(model(x_tilde).logits, y)

    outcome = verdict(TASK, forgets)
    assert outcome.cause == "unusable" and "-1" in outcome.message


def test_a_loss_that_is_no_tensor_is_told_so():
    outcome = verdict(TASK, lambda *given: in_a_row(*given).item())
    assert outcome.cause == "unusable" and "it returned a float" in outcome.message


def test_one_number_for_each_image_is_a_wrong_shape():
    outcome = verdict(TASK, lambda *given: in_a_row(*given).repeat(5))
    assert outcome.cause == "shape"


def test_a_module_handed_over_may_be_called_and_the_library_may_not():
    assert verdict(TASK, in_a_row, watch=True).says == ""
    assert verdict(TASK, of_the_library, watch=True).cause == "borrowed"


# --- the oracle ------------------------------------------------------------------------------


def results(number=0, change=None):
    given = TASK.cases[number].exact()
    if change:
        change(given)
    return dict(zip(TASK.gives, oracle(**given)))


def test_which_term_reaches_which_module():
    """§2.3 of the chapter: the whole pattern of zeros, where both branches are behind in some image."""
    reaches = {
        "classification": {"E_c", "C"},
        "reconstruction": {"E_c", "D_c", "E_u", "D_u"},
        "intermediate": {"E_c", "D_c", "E_u", "D_u"},
        "stability": {"E_c", "C"},
    }
    assert list(reaches) == list(TERMS.values())
    found = results()
    for term, parts in reaches.items():
        for part in PARTS:
            assert bool(found[f"gradient of the {term} loss in {part}"].any()) == (part in parts), (
                term,
                part,
            )


def test_where_u_is_always_behind_the_reconstruction_reaches_no_part_of_c():
    found = results(2)
    for part in ("E_c", "C", "D_c"):
        assert not found[f"gradient of the reconstruction loss in {part}"].any()
    assert found["gradient of the reconstruction loss in D_u"].any()


def test_both_branches_are_behind_in_some_image():
    given = TASK.cases[0].exact()
    out = TinyHybrid(given["net"], 4)(given["x_tilde"])
    e_c, e_u = (((each - given["x"]) ** 2).mean((1, 2, 3)) for each in (out.x_c, out.x_u))
    assert (e_u >= e_c).tolist() == [True, False, True, True, False]


def test_unlabelled_images_change_nothing_of_the_classification():
    def labelled_only(given):
        for name in ("x_tilde", "x", "target", "y"):
            given[name] = given[name][[1, 3]]

    name = "classification loss"
    assert torch.allclose(results()[name], results(0, labelled_only)[name], rtol=1e-12)


def test_the_stability_is_zero_at_the_target_and_at_most_two_over_the_classes():
    def reached(given):
        given["target"] = TinyHybrid(given["net"], 4)(given["x_tilde"]).logits.softmax(1).detach()

    assert results(0, reached)["stability loss"].abs() < 1e-15
    for number, case in enumerate(TASK.cases):
        assert results(number)["stability loss"] <= 2 / case.exact()["target"].shape[1]


def test_the_intermediate_gradient_of_the_encoder_comes_through_the_latent_alone():
    given = TASK.cases[0].exact()
    model = TinyHybrid(given["net"], 4)
    out = model(given["x_tilde"])
    (at_latent,) = torch.autograd.grad(
        sum(F.mse_loss(made, seen.detach()) for seen, made in out.taps_c), out.h_c, retain_graph=True
    )
    weights = list(model.encoder_c.parameters())
    through = torch.autograd.grad(out.h_c, weights, at_latent)
    expected = torch.cat([each.flatten() for each in through])
    found = results()["gradient of the intermediate loss in E_c"]
    assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_the_gradient_of_the_total_is_the_numerical_one_where_nothing_is_stopped():
    """With a weight on the classification alone; a step in a direction, both ways."""
    given = TASK.cases[0].exact() | {"lambdas": torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)}
    direction = torch.randn_like(given["net"])

    def total(step):
        return dict(zip(TASK.gives, oracle(**given | {"net": given["net"] + step * direction})))

    slope = (total(1e-6)["total loss"] - total(-1e-6)["total loss"]) / 2e-6
    found = total(0.0)
    parts = [
        found[f"gradient of the classification loss in {part}"] for part in ("E_c", "D_c", "E_u", "D_u", "C")
    ]
    assert torch.allclose(torch.cat(parts) @ direction, slope, rtol=1e-5)


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(in_a_row, **given)
    assert all(torch.equal(each, given[name]) for name, each in TASK.cases[0].inputs().items())
