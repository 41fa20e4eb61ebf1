"""The whole loss of HybridNet (Eq. 3.8): its terms and its weights, by hand."""

import dataclasses

import pytest
import torch

from course_lib.methods.hybrid_losses import CODE, COURSE, TEXT
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import FUSIONS
from tests.methods import literal_hybrid as literal
from tests.methods.hybrid_nets import batch_of, parts_of, small
from tests.methods.hybrid_terms import MIDDLE, START, Fixed, by_hand, items, moved, whole

CONVENTIONS = {"TEXT": TEXT, "CODE": CODE, "COURSE": COURSE}


# --- the terms and their sum -----------------------------------------------------------------------------


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_the_loss_is_the_weighted_sum_of_the_formulas(convention, balanced):
    model, batch, target = small(), batch_of(), Fixed()
    values = whole(target, convention=convention, balanced=balanced)(model, batch, START)
    out = model(batch.x)
    terms = by_hand(out, batch, convention, target)
    errors = {
        name: literal.rec(batch.x, drawn, "mean")
        for name, drawn in (("c", out.x_c), ("u", out.x_u), ("x", out.x_hat))
    }
    total = 0.5 * terms["cls"] + 2 * terms["rec"] + 3 * terms["inter"] + 7 * terms["stab"] + 11 * 0.25
    assert list(values) == ["loss", "cls", "rec", "inter", "stab", "extra", "c", "u", "x"]
    assert items(values) == pytest.approx({"loss": total, **terms, **errors}, rel=1e-10)


def test_the_text_is_the_default():
    model, batch = small(), batch_of()
    assert items(whole()(model, batch, START)) == items(whole(convention=TEXT)(model, batch, START))


def test_the_default_weights():
    model, batch = small(), batch_of()
    values = items(HybridLoss(Weights())(model, batch, START))
    assert list(values) == ["loss", "cls", "rec", "inter", "c", "u", "x"]
    assert values["loss"] == pytest.approx(values["cls"] + values["rec"] + values["inter"])


def test_the_classification_of_the_code_is_smaller_by_the_labelled_part():
    model, batch = small(), batch_of((2, 0, -1, -1, -1))
    found = [whole(convention=convention)(model, batch, START)["cls"] for convention in (COURSE, CODE)]
    assert (found[0] / found[1]).item() == pytest.approx(5 / 2)


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=CONVENTIONS)
def test_whether_intermediate_targets_are_constants_is_a_convention(convention):
    model, batch = small(), batch_of()
    loss = HybridLoss(Weights(cls=0, rec=0), convention=convention)
    loss(model, batch, START)["loss"].backward()
    found = [p.grad.clone() for p in model.encoder_c.parameters()]
    model.zero_grad()
    out = model(batch.x)
    for h, made in (*out.taps_c, *out.taps_u):
        target = h.detach() if convention is not TEXT else h
        squares = (made - target).square().flatten(1)
        (squares.sum(1) if convention is TEXT else squares.mean(1)).mean().backward(retain_graph=True)
    for gradient, parameter in zip(found, model.encoder_c.parameters()):
        torch.testing.assert_close(gradient, parameter.grad)


def test_balancing_is_the_default_and_routes_the_gradient():
    batch = batch_of()
    for bias, reached in ((50.0, {"encoder_u", "decoder_u"}), (0.0, {"encoder_c", "decoder_c"})):
        model = small()
        with torch.no_grad():
            model.decoder_u.steps[-1].bias.fill_(bias)
            model.decoder_c.steps[-1].bias.fill_(25.0)
        for options, taught in (({}, reached), ({"balanced": False}, set(HAS_DRAWN))):
            model.zero_grad()
            HybridLoss(Weights(cls=0, inter=0), **options)(model, batch, START)["loss"].backward()
            assert {name for name in HAS_DRAWN if moved(getattr(model, name))} == taught


HAS_DRAWN = ("encoder_c", "decoder_c", "encoder_u", "decoder_u")


def test_labels_minus_one_never_influence_the_classification():
    model, batch = small(), batch_of()
    only_cls = HybridLoss(Weights(rec=0, inter=0))
    labelled = batch.y >= 0
    logits = model(batch.x).logits
    expected = literal.cls(logits[labelled], batch.y[labelled])
    assert only_cls(model, batch, START)["loss"].item() == pytest.approx(expected)


def test_a_batch_without_labels_trains_by_the_other_terms():
    model, batch = small(), batch_of((-1, -1, -1, -1, -1))
    values = HybridLoss(Weights())(model, batch, START)
    values["loss"].backward()
    assert values["cls"].item() == 0 and values["loss"].isfinite()
    assert not moved(model.classifier) and moved(model.encoder_c)


@pytest.mark.parametrize("fusion", [fusion for fusion in FUSIONS if fusion != "late_add"])
@pytest.mark.parametrize("balanced", [True, False])
def test_early_fusion_has_one_reconstruction_to_learn(fusion, balanced):
    model, batch = small(fusion=fusion), batch_of()
    values = HybridLoss(Weights(inter=0), balanced=balanced)(model, batch, START)
    assert list(values) == ["loss", "cls", "rec", "x"]
    assert values["rec"].item() == pytest.approx(literal.rec(batch.x, model(batch.x).x_hat))
    values["rec"].backward()
    assert moved(model.encoder_c) and moved(model.encoder_u) and moved(model.decoder)


def test_the_baselines_take_the_same_loss():
    batch = batch_of()
    model = small(branches="ae")
    values = HybridLoss(Weights())(model, batch, START)
    out = model(batch.x)
    assert list(values) == ["loss", "cls", "rec", "inter", "x"]
    assert values["inter"].item() == pytest.approx(literal.inter(out.taps_c))
    assert values["x"].item() == pytest.approx(literal.rec(batch.x, out.x_hat, "mean"))
    values = HybridLoss(Weights(rec=0, inter=0))(small(branches="cls"), batch, START)
    assert list(values) == ["loss", "cls"]


def test_recorded_errors_have_no_gradient():
    values = HybridLoss(Weights())(small(), batch_of(), START)
    assert [name for name, value in values.items() if value.requires_grad] == ["loss", "cls", "rec", "inter"]


# --- weights ---------------------------------------------------------------------------------------------

ALL = ("cls", "rec", "inter", "stab", "extra")


@pytest.mark.parametrize("left", ALL)
def test_a_weight_of_0_leaves_its_term_out(left):
    model, batch, target = small(), batch_of(), Fixed()
    called = []
    weights = dataclasses.replace(Weights(1.0, 1.0, 1.0, 1.0, 1.0), **{left: 0.0})
    penalty = lambda: called.append(1) or torch.tensor(0.25)
    values = HybridLoss(weights, target=target, penalty=penalty)(model, batch, START)
    assert [name for name in values if name in ALL] == [name for name in ALL if name != left]
    assert values["loss"].item() == pytest.approx(sum(values[name].item() for name in ALL if name != left))
    assert bool(target.calls) == (left != "stab") and bool(called) == (left != "extra")


@pytest.mark.parametrize(
    "weights, untouched",
    [
        (Weights(rec=0, inter=0), {"decoder_c", "encoder_u", "decoder_u"}),
        (Weights(cls=0, inter=0), {"classifier"}),
        (Weights(cls=0, rec=0), {"classifier"}),
    ],
)
def test_a_module_that_no_term_reaches_gets_no_gradient(weights, untouched):
    model = small()
    HybridLoss(weights, balanced=False)(model, batch_of(), START)["loss"].backward()
    present = {name: part for name, part in parts_of(model).items() if part is not None}
    assert {name for name, part in present.items() if not moved(part)} == untouched
    assert all(p.grad is None for name in untouched for p in present[name].parameters())


def test_a_weight_may_follow_the_run():
    model, batch = small(), batch_of()
    loss = HybridLoss(
        Weights(cls=lambda progress: 1 - progress, rec=lambda progress: 4 * progress, inter=0.5)
    )
    for step, cls, rec in ((START, 1.0, 0.0), (MIDDLE, 0.5, 2.0)):
        values = items(loss(model, batch, step))
        assert list(values) == ["loss", "cls", "rec", "inter", "c", "u", "x"]  # the same names at each step
        expected = cls * values["cls"] + rec * values["rec"] + 0.5 * values["inter"]
        assert values["loss"] == pytest.approx(expected)


def test_weights_at_a_part_of_the_run():
    weights = Weights(cls=2, rec=0, inter=lambda progress: progress, stab=0.0, extra=lambda progress: 3.0)
    assert weights.at(0.25) == {"cls": 2, "inter": 0.25, "extra": 3.0}
    assert list(Weights(stab=1, extra=1).at(0)) == list(ALL)
    assert Weights() == Weights(1.0, 1.0, 1.0, 0.0, 0.0)


def test_a_penalty_is_called_after_the_forward_pass():
    model, batch, order = small(), batch_of(), []
    model.encoder_c.register_forward_hook(lambda *_: order.append("pass"))
    weight = model.encoder_c.steps[0][0].weight

    def penalty():
        order.append("penalty")
        return weight.square().sum()

    loss = HybridLoss(Weights(cls=0, rec=0, inter=0, extra=3.0), penalty=penalty)
    values = loss(model, batch, START)
    assert order == ["pass", "penalty"]
    values["loss"].backward()
    torch.testing.assert_close(weight.grad, 6 * weight.detach())


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stab", "extra"])
@pytest.mark.parametrize("weight", [0.5, lambda progress: progress])
def test_a_weight_without_its_part_is_refused_in_one_sentence(name, weight):
    words = rf"^{name} has the weight .*, but nothing to compute it\.$"
    with pytest.raises(ValueError, match=words):
        HybridLoss(Weights(**{name: weight}))
    HybridLoss(Weights())


@pytest.mark.parametrize(
    "options, weights, words",
    [
        ({"branches": "cls"}, Weights(), "rec has a weight, but this net draws nothing; give rec=0."),
        (
            {"branches": "cls"},
            Weights(rec=0),
            "pairs are empty: this net has no intermediate reconstruction.",
        ),
        (
            {"fusion": "early_add"},
            Weights(),
            "pairs are empty: this net has no intermediate reconstruction.",
        ),
    ],
)
def test_a_term_that_the_net_cannot_have_is_refused_in_one_sentence(options, weights, words):
    with pytest.raises(ValueError) as refused:
        HybridLoss(weights)(small(**options), batch_of(), START)
    assert str(refused.value) == words
