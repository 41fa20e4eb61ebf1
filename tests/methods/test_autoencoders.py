"""Autoencoders with a classifier: the formulas in loops, HybridNet's baseline beside them, and limits."""

import math

import pytest
import torch

from course_lib import data
from course_lib.methods.autoencoders import Autoencoder, AutoencoderLoss
from course_lib.methods.hybrid_losses import CODE, COURSE, TEXT, Convention
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import HybridNet
from course_lib.nets import mirrored
from course_lib.training import Step, accuracy_of, fit
from tests.methods.partly_labelled import partly_labelled, reached, slopes_along, state_of
from tests.methods.small_nets import DEVICES

STEP = Step(0, 0, 0.0)


def family(dropout=0.0):
    return mirrored.build("conv_small", num_classes=3, in_channels=2, width=3, dropout=dropout)


def autoencoder(up="nearest", seed=1, dropout=0.0):
    torch.manual_seed(seed)
    return Autoencoder(family(dropout), up).double()


def cross_entropy(logits, y, over):
    """Eq. 3.9, one sample after the other."""
    total, n = 0.0, 0
    for row, label in zip(logits.tolist(), y.tolist()):
        if label >= 0:
            total -= row[label] - math.log(sum(math.exp(value) for value in row))
            n += 1
    return total / (n if over == "labelled" else len(y))


def squared_norm(one, other, pixels):
    """‖·‖² of each sample, mean over the samples, one number after the other."""
    total = 0.0
    for a, b in zip(one.flatten(1).tolist(), other.flatten(1).tolist(), strict=True):
        square = sum((p - q) ** 2 for p, q in zip(a, b, strict=True))
        total += square if pixels == "sum" else square / len(a)
    return total / len(one)


# --- the net ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", ["nearest", "unpool"])
def test_the_latent_is_classified_and_redrawn(up):
    net, x = autoencoder(up).eval(), partly_labelled().x
    out = net.redraw(x)
    encoded = net.encoder(x)
    drawn = net.decoder(encoded.h, encoded.switches)
    torch.testing.assert_close(out.h, encoded.h)
    torch.testing.assert_close(out.logits, net.classifier(encoded.h))
    torch.testing.assert_close(out.x_hat, drawn.x)
    assert out.x_hat.shape == x.shape and out.logits.shape == (6, 3) and len(out.taps) == 2
    for (h, redrawn), tap, made in zip(out.taps, encoded.taps, drawn.taps, strict=True):
        assert torch.equal(h, tap) and torch.equal(redrawn, made) and h.shape == redrawn.shape


def test_called_it_classifies_and_draws_nothing():
    net, x = autoencoder().train(), partly_labelled().x
    before = state_of(net.decoder)
    logits = net(x)
    assert all(torch.equal(before[name], value) for name, value in net.decoder.state_dict().items())
    torch.testing.assert_close(logits, net.redraw(x).logits)
    assert net.training and logits.shape == (6, 3)


def test_nothing_is_shared_by_its_parts_or_by_two_nets():
    nets = [Autoencoder(family()), Autoencoder(family())]
    parts = [part for net in nets for part in (net.encoder, net.classifier, net.decoder)]
    pointers = [p.data_ptr() for part in parts for p in part.parameters()]
    assert len(set(pointers)) == len(pointers)


@pytest.mark.parametrize("up", ["nearest", "unpool"])
def test_switches_matter_to_swwae_and_not_to_a_plain_autoencoder(up):
    """The same latent with where another image had its maxima."""
    net, x = autoencoder(up).eval(), partly_labelled().x
    encoded = net.encoder(x)
    moved = net.decoder(encoded.h, tuple(where.roll(1, 0) for where in encoded.switches)).x
    same = torch.allclose(moved, net.redraw(x).x_hat)
    assert same is (up == "nearest")


@pytest.mark.parametrize("up", ["nearest", "unpool"])
@pytest.mark.parametrize("convention", [TEXT, CODE, COURSE])
def test_the_baseline_of_hybridnet_is_the_same_net(up, convention):
    net, batch = autoencoder(up), partly_labelled()
    baseline = HybridNet(family(), branches="ae", up_c=up).double()
    baseline.encoder_c.load_state_dict(net.encoder.state_dict())
    baseline.classifier.load_state_dict(net.classifier.state_dict())
    baseline.decoder_c.load_state_dict(net.decoder.state_dict())
    torch.manual_seed(3)
    mine = AutoencoderLoss(0.7, 0.4, noise=0.2, convention=convention)(net, batch, STEP)
    torch.manual_seed(3)
    weights = Weights(cls=1.0, rec=0.7, inter=0.4)
    theirs = HybridLoss(weights, noise=0.2, convention=convention)(baseline, batch, STEP)
    for name in ("loss", "cls", "rec", "inter"):
        torch.testing.assert_close(mine[name], theirs[name])
    torch.testing.assert_close(net.eval()(batch.x), baseline.eval().deployed(batch.x))


# --- the loss --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("up", ["nearest", "unpool"])
@pytest.mark.parametrize("pixels", ["sum", "mean"])
@pytest.mark.parametrize("over", ["labelled", "batch"])
def test_the_terms_are_the_formulas(up, pixels, over):
    net, batch = autoencoder(up).eval(), partly_labelled()
    convention = Convention(pixels=pixels, labelled_over=over)
    found = AutoencoderLoss(rec=0.3, inter=0.2, convention=convention)(net, batch)
    out = net.redraw(batch.x)
    cls = cross_entropy(out.logits, batch.y, over)
    rec = squared_norm(out.x_hat, batch.x, pixels)
    inter = sum(squared_norm(h, redrawn, pixels) for h, redrawn in out.taps)
    expected = {"cls": cls, "rec": rec, "inter": inter, "loss": cls + 0.3 * rec + 0.2 * inter}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value, rel=1e-10), name


def test_by_default_it_is_a_plain_autoencoder_with_sums():
    net, batch = autoencoder().eval(), partly_labelled()
    state = torch.get_rng_state()
    found = AutoencoderLoss()(net, batch)
    out = net.redraw(batch.x)
    assert found.keys() == {"loss", "cls", "rec"}
    assert found["rec"].item() == pytest.approx(squared_norm(out.x_hat, batch.x, "sum"), rel=1e-10)
    torch.testing.assert_close(found["loss"], found["cls"] + found["rec"])
    assert torch.equal(state, torch.get_rng_state())


def test_without_weights_it_is_the_supervised_net():
    net, batch = autoencoder().eval(), partly_labelled()
    loss = AutoencoderLoss(rec=0.0)(net, batch)["loss"]
    assert loss.item() == pytest.approx(cross_entropy(net(batch.x), batch.y, "labelled"), rel=1e-10)


def test_denoising_sees_noise_and_redraws_the_clean_image():
    net, batch = autoencoder("unpool").eval(), partly_labelled()
    before = batch.x.clone()
    torch.manual_seed(4)
    found = AutoencoderLoss(inter=1.0, noise=0.6)(net, batch)
    torch.manual_seed(4)
    out = net.redraw(batch.x + 0.6 * torch.randn_like(batch.x))
    assert found["rec"].item() == pytest.approx(squared_norm(out.x_hat, before, "sum"), rel=1e-10)
    assert found["cls"].item() == pytest.approx(cross_entropy(out.logits, batch.y, "labelled"), rel=1e-10)
    assert found["inter"].item() == pytest.approx(sum(squared_norm(*pair, "sum") for pair in out.taps))
    assert torch.equal(batch.x, before)
    assert found["rec"] != AutoencoderLoss(inter=1.0)(net, batch)["rec"]


@pytest.mark.parametrize("up", ["nearest", "unpool"])
def test_slopes_are_those_of_the_loss(up):
    net, batch = autoencoder(up).train(), partly_labelled()
    loss = AutoencoderLoss(rec=0.3, inter=0.2)
    by_autograd, by_steps = slopes_along(lambda: loss(net, batch)["loss"], net.parameters())
    assert by_autograd == pytest.approx(by_steps, rel=1e-5) and abs(by_steps) > 0.1


def test_which_term_trains_which_part():
    net, batch = autoencoder().train(), partly_labelled()
    found = AutoencoderLoss(inter=1.0)(net, batch)
    parts = {term: {name.split(".")[0] for name in reached(found[term], net)} for term in found}
    assert parts["cls"] == {"encoder", "classifier"}
    assert parts["rec"] == {"encoder", "decoder"} == parts["inter"]
    assert parts["loss"] == {"encoder", "classifier", "decoder"}


def test_detached_taps_do_not_move_towards_their_reconstruction():
    net, batch = autoencoder().eval(), partly_labelled()
    slopes = []
    for detach in (False, True):
        loss = AutoencoderLoss(inter=1.0, convention=Convention(detach_taps=detach))(net, batch)["inter"]
        slopes.append(torch.autograd.grad(loss, next(net.encoder.parameters()))[0])
    assert not torch.allclose(*slopes)


def test_images_without_a_label_count_in_the_reconstruction_alone():
    net, batch = autoencoder().eval(), partly_labelled()
    batch.x.requires_grad_()
    found = AutoencoderLoss()(net, batch)
    (by_cls,) = torch.autograd.grad(found["cls"], batch.x, retain_graph=True)
    (by_rec,) = torch.autograd.grad(found["rec"], batch.x)
    moved = by_cls.flatten(1).abs().sum(1) > 0
    assert torch.equal(moved, batch.y >= 0)
    assert (by_rec.flatten(1).abs().sum(1) > 0).all()
    batch.y.fill_(-1)
    assert AutoencoderLoss()(net, batch)["cls"].item() == 0


# --- as a part of the course -----------------------------------------------------------------------------


def test_modes_stay_and_evaluation_moves_no_state():
    net, batch = autoencoder(dropout=0.5), partly_labelled()
    net.encoder.steps[0].eval()
    modes = [module.training for module in net.modules()]
    AutoencoderLoss(inter=1.0, noise=0.1)(net, batch)["loss"].backward()
    assert [module.training for module in net.modules()] == modes
    net.eval()
    before = state_of(net)
    AutoencoderLoss(inter=1.0, noise=0.1)(net, batch)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("device", DEVICES)
def test_low_precision_and_devices(device):
    net, batch = autoencoder("unpool").float().to(device), partly_labelled(dtype=torch.float32)
    batch.x, batch.y = batch.x.to(device), batch.y.to(device)
    loss = AutoencoderLoss(inter=1.0)
    exact = loss(net, batch)
    with torch.autocast(device, torch.bfloat16):
        found = loss(net, batch)
    assert all(found[name].dtype == torch.float32 and found[name].device == batch.x.device for name in exact)
    assert found["loss"].item() == pytest.approx(exact["loss"].item(), rel=0.05)


@pytest.mark.parametrize("up, options", [("nearest", {"noise": 0.2}), ("unpool", {"inter": 0.5})])
def test_it_learns_a_few_digits(up, options):
    digits = data.load("digits_m", "train", strength=0.0).subset(torch.arange(64))
    batches = data.Batches(digits, 32)
    torch.manual_seed(0)
    net = Autoencoder(mirrored.build("conv_small", width=6, dropout=0.0), up)
    loss = AutoencoderLoss(convention=COURSE, **options)
    history = fit(net, batches, loss, lr=1e-2, steps=100, progress=False)
    assert accuracy_of(net, batches) > 0.8
    assert history.losses["rec"][-1] < 0.7 * history.losses["rec"][0]


def test_impossible_options():
    for name in ("rec", "inter", "noise"):
        with pytest.raises(ValueError, match=f"{name} is -0.5, possible are numbers from 0"):
            AutoencoderLoss(**{name: -0.5})
    with pytest.raises(ValueError, match="up is 'stride', possible are nearest, unpool"):
        Autoencoder(family(), up="stride")


def bare_family(layers, redrawn):
    return mirrored.Family(
        "bare",
        4,
        lambda: mirrored.ConvEncoder(layers, 2),
        lambda up: mirrored.ConvDecoder(redrawn, 2, up),
        lambda: mirrored.convs.pooled_linear(4, 3),
    )


def test_a_net_without_taps_has_no_intermediate_reconstruction():
    layers = (mirrored.convs.Conv(4),)
    net, batch = Autoencoder(bare_family(layers, layers)).double(), partly_labelled()
    assert AutoencoderLoss()(net, batch)["loss"] > 0
    with pytest.raises(ValueError, match="pairs are empty"):
        AutoencoderLoss(inter=1.0)(net, batch)


def test_a_decoder_that_mirrors_another_net_is_noticed():
    conv, pool = mirrored.convs.Conv(4), mirrored.convs.Pool()
    net = Autoencoder(bare_family((conv, pool, conv), (conv, pool, conv, pool, conv))).double()
    with pytest.raises(ValueError, match="shorter|longer"):
        net.redraw(partly_labelled().x)
