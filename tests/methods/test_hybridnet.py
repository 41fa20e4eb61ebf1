"""HybridNet: which modules it has, what depends on what (Eq. 3.3 to 3.7), and what is kept of it."""

import copy
import dataclasses

import pytest
import torch

from course_lib.methods.hybridnet import BRANCHES, FUSIONS, HybridNet, HybridOutput
from course_lib.nets import mirrored
from tests.methods.hybrid_nets import copies, count, parts_of, pictures, small, spoil, unchanged

EARLY = [fusion for fusion in FUSIONS if fusion != "late_add"]
ENCODER, DECODER, CLASSIFIER = 3_120_512, 3_120_259, 1_290  # parameters of ConvLarge


def same(one, other):
    return all(map(torch.equal, one, other))


# --- the forward pass ------------------------------------------------------------------------------------


def test_late_fusion_is_the_sum_of_what_both_branches_draw():
    model, x = small(), pictures()
    out = model(x)
    c, u = model.encoder_c(x), model.encoder_u(x)
    drawn_c, drawn_u = model.decoder_c(c.h), model.decoder_u(u.h, u.switches)
    assert torch.equal(out.logits, model.classifier(c.h)) and out.logits.shape == (5, 4)
    assert torch.equal(out.h_c, c.h) and torch.equal(out.h_u, u.h)
    assert torch.equal(out.x_c, drawn_c.x) and torch.equal(out.x_u, drawn_u.x)
    assert torch.equal(out.x_hat, drawn_c.x + drawn_u.x) and out.x_hat.shape == x.shape
    for taps, encoded, drawn in ((out.taps_c, c, drawn_c), (out.taps_u, u, drawn_u)):
        assert len(taps) == 2 and all(h.shape == made.shape for h, made in taps)
        assert same([h for h, _ in taps], encoded.taps) and same([made for _, made in taps], drawn.taps)


@pytest.mark.parametrize("fusion", EARLY)
def test_early_fusion_draws_once_from_merged_latents(fusion):
    model, x = small(fusion=fusion), pictures()
    out = model(x)
    c, u = model.encoder_c(x), model.encoder_u(x)
    assert model.merge.how == fusion.removeprefix("early_")
    assert torch.equal(out.x_hat, model.decoder(model.merge(c.h, u.h)).x)
    assert torch.equal(out.logits, model.classifier(c.h))
    assert torch.equal(out.h_c, c.h) and torch.equal(out.h_u, u.h)
    assert out.x_c is None and out.x_u is None and out.taps_c == () and out.taps_u == ()
    h_c, h_u = c.h.tolist(), u.h.tolist()
    if fusion == "early_add":
        assert model.merge(c.h, u.h)[1, 2, 1, 0].item() == h_c[1][2][1][0] + h_u[1][2][1][0]
    if fusion == "early_mul":
        assert model.merge(c.h, u.h)[1, 2, 1, 0].item() == h_c[1][2][1][0] * h_u[1][2][1][0]


def test_the_baselines_are_the_same_path_without_a_partner():
    x = pictures()
    hybrid, ae, cls = (small(branches=branches) for branches in ("hybrid", "ae", "cls"))
    full = hybrid(x)
    for model in (ae, cls):
        model.deployed.load_state_dict(hybrid.deployed.state_dict())
    ae.decoder_c.load_state_dict(hybrid.decoder_c.state_dict())
    out = ae(x)
    assert torch.equal(out.logits, full.logits) and torch.equal(out.h_c, full.h_c)
    assert torch.equal(out.x_hat, full.x_c)
    assert all(same(one, other) for one, other in zip(out.taps_c, full.taps_c, strict=True))
    assert out.h_u is None and out.x_c is None and out.x_u is None and out.taps_u == ()
    out = cls(x)
    assert torch.equal(out.logits, full.logits) and torch.equal(out.h_c, full.h_c)
    assert out == HybridOutput(out.logits, out.h_c, None, None, None, None, (), ())


def test_the_discriminative_path_does_not_depend_on_the_other():
    model, x = small(), pictures()
    before = model(x)
    spoil(model.encoder_u), spoil(model.decoder_u)
    after = model(x)
    for name in ("logits", "h_c", "x_c"):
        assert torch.equal(getattr(after, name), getattr(before, name)), name
    assert all(same(one, other) for one, other in zip(after.taps_c, before.taps_c))
    assert not torch.equal(after.h_u, before.h_u) and not torch.equal(after.x_u, before.x_u)


def test_the_other_path_does_not_depend_on_the_discriminative_one():
    model, x = small(), pictures()
    before = model(x)
    spoil(model.deployed), spoil(model.decoder_c)
    after = model(x)
    assert torch.equal(after.h_u, before.h_u) and torch.equal(after.x_u, before.x_u)
    assert all(same(one, other) for one, other in zip(after.taps_u, before.taps_u))


def with_other_switches(model, encoder):
    """What is drawn where an encoder says that its maxima stood elsewhere."""

    def elsewhere(module, inputs, encoded):
        return encoded._replace(switches=tuple(where.flip(0) for where in encoded.switches))

    handle = encoder.register_forward_hook(elsewhere)
    try:
        return model(pictures())
    finally:
        handle.remove()


def test_by_default_only_d_u_is_told_the_switches_and_they_are_those_of_e_u():
    model = small()
    plain = model(pictures())
    other = with_other_switches(model, model.encoder_u)
    assert torch.equal(other.x_c, plain.x_c) and not torch.equal(other.x_u, plain.x_u)
    other = with_other_switches(model, model.encoder_c)
    assert torch.equal(other.x_c, plain.x_c) and torch.equal(other.x_u, plain.x_u)


def test_the_ways_up_can_be_chosen():
    model = small(up_c="unpool", up_u="nearest")
    plain = model(pictures())
    other = with_other_switches(model, model.encoder_c)
    assert torch.equal(other.x_u, plain.x_u) and not torch.equal(other.x_c, plain.x_c)
    other = with_other_switches(model, model.encoder_u)
    assert torch.equal(other.x_u, plain.x_u) and torch.equal(other.x_c, plain.x_c)
    assert (model.decoder_c.up, model.decoder_u.up) == ("unpool", "nearest")


@pytest.mark.parametrize("options", [{"branches": "ae"}, {"fusion": "early_add"}])
def test_a_single_decoder_takes_up_c_and_the_switches_of_e_c(options):
    model = small(up_c="unpool", up_u="nearest", **options)
    plain = model(pictures()).x_hat
    assert not torch.equal(with_other_switches(model, model.encoder_c).x_hat, plain)
    if model.encoder_u is not None:
        assert torch.equal(with_other_switches(model, model.encoder_u).x_hat, plain)
        partial = [part.clone() for part in model.partial_reconstructions(pictures())]
        assert not torch.equal(partial[0], partial[1])
    assert small(**options)(pictures()).x_hat.shape == plain.shape  # "nearest" is the default


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_family_with_one_way_up_takes_it_for_all(fusion):
    family, asked = mirrored.build("conv_small", width=2), []

    def make_decoder(up):
        asked.append(up)
        return family.make_decoder("nearest")

    HybridNet(dataclasses.replace(family, make_decoder=make_decoder, ups=("stride",)), fusion=fusion)
    assert set(asked) == {"stride"} and len(asked) == (2 if fusion == "late_add" else 1)


# --- modules ---------------------------------------------------------------------------------------------

HAS = {
    ("cls", "late_add"): set(),
    ("cls", "early_add"): set(),
    ("ae", "late_add"): {"decoder_c"},
    ("ae", "early_cat"): {"decoder_c"},
    ("hybrid", "late_add"): {"decoder_c", "encoder_u", "decoder_u"},
    **{("hybrid", fusion): {"encoder_u", "merge", "decoder"} for fusion in EARLY},
}


@pytest.mark.parametrize("branches, fusion", HAS)
def test_which_modules_there_are(branches, fusion):
    model = small(branches=branches, fusion=fusion)
    present = {name for name, part in parts_of(model).items() if part is not None}
    assert present == {"encoder_c", "classifier"} | HAS[branches, fusion]
    assert (model.branches, model.fusion) == (branches, fusion)
    assert count(model) == sum(count(part) for part in parts_of(model).values() if part is not None)


@pytest.mark.parametrize(
    "branches, parameters",
    [
        ("cls", ENCODER + CLASSIFIER),
        ("ae", ENCODER + DECODER + CLASSIFIER),
        ("hybrid", 2 * ENCODER + 2 * DECODER + CLASSIFIER),
    ],
)
def test_conv_large_has_the_parameters_of_the_source(branches, parameters):
    with torch.device("meta"):
        model = HybridNet(mirrored.build("conv_large"), branches=branches)
    assert count(model) == parameters
    assert branches != "hybrid" or parameters == 12_482_832
    assert count(model.encoder_c) == ENCODER and count(model.classifier) == CLASSIFIER


def test_no_two_parts_share_weights_and_both_encoders_begin_elsewhere():
    model = small()
    places = [p.data_ptr() for p in model.parameters()]
    assert len(set(places)) == len(places)
    assert not torch.equal(next(model.encoder_c.parameters()), next(model.encoder_u.parameters()))


@pytest.mark.parametrize("branches", BRANCHES)
def test_what_is_deployed_is_c_of_e_c_and_no_copy(branches):
    model, x = small(dropout=0.5, branches=branches).eval(), pictures()
    assert torch.equal(model.deployed(x), model.classifier(model.encoder_c(x).h))
    assert torch.equal(model.deployed(x), model(x).logits)
    own = [*model.encoder_c.parameters(), *model.classifier.parameters()]
    assert {id(p) for p in model.deployed.parameters()} == {id(p) for p in own}
    assert count(model.deployed) == count(model.encoder_c) + count(model.classifier)
    spoil(model.encoder_c)
    assert torch.equal(model.deployed(x), model(x).logits)


def test_what_is_deployed_does_not_run_the_other_branch():
    model = small()
    for name in ("encoder_u", "decoder_c", "decoder_u"):
        setattr(model, name, None)
    assert model.deployed(pictures()).shape == (5, 4)


def test_a_copy_and_a_saved_state_are_whole():
    model, x = small().eval(), pictures()
    again, other = copy.deepcopy(model), small(seed=8).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(again(x).x_hat, model(x).x_hat) and torch.equal(other(x).x_hat, model(x).x_hat)
    spoil(again)
    assert not torch.equal(again(x).logits, model(x).logits)
    assert again.deployed.encoder is again.encoder_c


# --- partial reconstructions -----------------------------------------------------------------------------


def test_partial_reconstructions_of_late_fusion_are_those_of_the_pass():
    model, x = small(), pictures()
    out = model(x)
    assert same(model.partial_reconstructions(x), (out.x_c, out.x_u))


@pytest.mark.parametrize("fusion", EARLY)
def test_partial_reconstructions_of_early_fusion_leave_the_other_latent_out(fusion):
    model, x = small(fusion=fusion).eval(), pictures()
    x_c, x_u = model.partial_reconstructions(x)
    out = model(x)
    silence = torch.full_like(out.h_c, 1.0 if fusion in ("early_mul", "early_bilinear") else 0.0)
    assert torch.equal(x_c, model.decoder(model.merge(out.h_c, silence)).x)
    assert torch.equal(x_u, model.decoder(model.merge(silence, out.h_u)).x)
    spoil(model.encoder_u)
    again = model.partial_reconstructions(x)
    assert torch.equal(again[0], x_c) and not torch.equal(again[1], x_u)


@pytest.mark.parametrize("up_c", mirrored.build("conv_small").ups)
def test_partial_reconstructions_of_early_fusion_use_the_switches_of_e_c(up_c):
    model, x = small(fusion="early_add", up_c=up_c).eval(), pictures()
    c, u = model.encoder_c(x), model.encoder_u(x)
    x_c, x_u = model.partial_reconstructions(x)
    assert torch.equal(x_c, model.decoder(c.h, c.switches).x)
    assert torch.equal(x_u, model.decoder(u.h, c.switches).x)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_passes_in_evaluation_mode_leave_the_net_as_it_is(fusion):
    model, x = small(fusion=fusion).eval(), pictures()
    before, random = copies(model), torch.get_rng_state()
    model(x), model.deployed(x), model.partial_reconstructions(x)
    assert unchanged(model, before) and torch.equal(random, torch.get_rng_state())
    assert not any(module.training for module in model.modules())
    assert torch.equal(x, pictures())


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, words",
    [
        ({"branches": "both"}, "branches is 'both', possible are cls, ae, hybrid."),
        (
            {"fusion": "late_mul"},
            "fusion is 'late_mul', possible are late_add, early_add, early_cat, early_mul, early_bilinear.",
        ),
        ({"up_c": "bilinear"}, "up is 'bilinear', possible are nearest, unpool."),
        ({"up_u": "bilinear"}, "up is 'bilinear', possible are nearest, unpool."),
    ],
)
def test_impossible_arguments_are_refused_in_one_sentence(options, words):
    with pytest.raises(ValueError) as refused:
        small(**options)
    assert str(refused.value) == words


@pytest.mark.parametrize("branches", ["cls", "ae"])
@pytest.mark.parametrize("fusion", ["late_add", "early_add"])
def test_one_branch_has_no_partial_reconstructions(branches, fusion):
    with pytest.raises(ValueError) as refused:
        small(branches=branches, fusion=fusion).partial_reconstructions(pictures())
    assert str(refused.value) == f"A net with branches='{branches}' has no two partial reconstructions."


@pytest.mark.parametrize("name", ["decoder_c", "decoder_u"])
def test_a_decoder_that_does_not_mirror_its_encoder_is_noticed(name):
    model = small()
    getattr(model, name).register_forward_hook(lambda _, inputs, drawn: drawn._replace(taps=drawn.taps[:1]))
    with pytest.raises(ValueError, match="shorter"):
        model(pictures())
