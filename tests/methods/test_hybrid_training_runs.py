"""The whole loss of HybridNet in a run: its noise, its stability targets, and training that is continued."""

import pytest
import torch
from torch import nn

from course_lib import training
from course_lib.data import Augment, ImageSet, TwoStreams
from course_lib.methods.hybrid_losses import COURSE, TEXT
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import HybridNet
from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.preactivations import pre_activations
from course_lib.methods.shade import Shade, shade_penalty
from course_lib.methods.stability import SecondPass
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from course_lib.nets import mirrored
from course_lib.training import Step
from tests.methods import literal_hybrid as literal
from tests.methods.hybrid_nets import batch_of, copies, small, unchanged
from tests.methods.hybrid_terms import MIDDLE, START, Fixed, by_hand, moved, whole

# --- noise -----------------------------------------------------------------------------------------------


def test_noise_is_on_what_the_net_sees_and_not_on_what_it_should_draw():
    model, batch, seen = small(), batch_of(), []
    model.encoder_c.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    before = batch.x.clone()
    torch.manual_seed(3)
    values = whole(noise=0.5)(model, batch, START)
    torch.manual_seed(3)
    expected = before + 0.5 * torch.randn_like(before)
    torch.testing.assert_close(seen[0], expected)
    assert torch.equal(batch.x, before)
    out = model(expected)
    terms = by_hand(out, batch, TEXT, Fixed())
    assert {name: values[name].item() for name in terms} == pytest.approx(terms)
    assert values["x"].item() == pytest.approx(literal.rec(before, out.x_hat, "mean"))


def test_without_noise_nothing_is_drawn():
    model, batch, random, seen = small(), batch_of(), torch.get_rng_state(), []
    model.encoder_c.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    whole()(model, batch, START)
    assert torch.equal(random, torch.get_rng_state()) and torch.equal(seen[0], batch.x)


def test_a_loss_changes_neither_net_nor_batch():
    model, batch = small(dropout=0.3).eval(), batch_of()
    before, x, y = copies(model), batch.x.clone(), batch.y.clone()
    whole(noise=0.1)(model, batch, START)
    assert unchanged(model, before) and torch.equal(batch.x, x) and torch.equal(batch.y, y)
    assert not any(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters()) and torch.is_grad_enabled()


# --- stability -------------------------------------------------------------------------------------------


def test_the_target_is_told_first_what_was_said_and_then_asked():
    model, batch, target = small(), batch_of(), Fixed()
    loss = whole(target)
    loss(model, batch, MIDDLE)
    assert target.calls == [("observe", batch, 2), ("target", batch)]
    said = target.said[0]
    torch.testing.assert_close(said, model(batch.x).logits.softmax(1).detach())
    assert not said.requires_grad
    loss.after_step(model, MIDDLE)
    assert target.calls[2:] == [("update",)]


def test_without_a_target_there_is_nothing_to_do_after_a_step():
    HybridLoss(Weights()).after_step(small(), START)


def test_samples_without_a_target_add_nothing():
    model, batch = small(), batch_of()
    target = Fixed([True, False, True, False, False])
    found = whole(target)(model, batch, START)["stab"].item()
    logits = model(batch.x).logits[[0, 2]]
    assert found == pytest.approx(literal.stab(logits, target.prob[[0, 2]]) * 2 / 5)
    nothing = Fixed([False] * 5)
    assert whole(nothing)(model, batch, START)["stab"].item() == 0


def test_stability_is_0_at_the_target_and_bounded_by_2_over_the_classes():
    model, batch, target = small(), batch_of(), Fixed()
    target.prob = model(batch.x).logits.softmax(1).detach()
    assert whole(target)(model, batch, START)["stab"].item() == 0
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([1e3, 0, 0, 0]))
    target.prob = torch.tensor([[0.0, 1, 0, 0]], dtype=torch.float64).expand(5, 4)
    assert whole(target, convention=COURSE)(model, batch, START)["stab"].item() == pytest.approx(2 / 4)
    assert whole(target, convention=TEXT)(model, batch, START)["stab"].item() == pytest.approx(2)


def test_stability_teaches_the_discriminative_path_to_agree_with_the_target():
    model, batch, target = small(), batch_of(), Fixed()
    whole(target)(model, batch, START)["stab"].backward()
    assert moved(model.classifier) and moved(model.encoder_c)
    assert not any(moved(part) for part in (model.encoder_u, model.decoder_u, model.decoder_c))
    found = model.classifier[-1].bias.grad.clone()
    logits = model(batch.x).logits.detach().requires_grad_()
    ((logits.softmax(1) - target.prob) ** 2).sum(1).mean().backward()
    torch.testing.assert_close(found, logits.grad.sum(0))


def test_an_ensemble_gives_the_first_batch_of_a_pass_its_targets():
    """The pass before is closed by then, so that its answers are what the second pass is compared with."""
    model, batch = small(), batch_of()
    target = TemporalEnsembling(5, 4, dtype=torch.float64)
    loss = HybridLoss(Weights(cls=0, rec=0, inter=0, stab=1.0), target=target)
    assert loss(model, batch, START)["stab"].item() == 0
    said = model(batch.x).logits.softmax(1).detach()
    with torch.no_grad():
        model.classifier[-1].bias.add_(torch.tensor([1.0, 0, 0, 0]))
    found = loss(model, batch, Step(1, 1, 0.5))["stab"].item()
    assert found > 0 and found == pytest.approx(literal.stab(model(batch.x).logits, said))


@pytest.mark.parametrize("make", [SecondPass, MeanTeacher])
def test_targets_of_models_are_taken_from_the_second_view(make):
    model, batch = small(), batch_of()
    with torch.no_grad():
        expected = literal.stab(model(batch.x).logits, model.deployed(batch.views[1]).softmax(1))
    loss = HybridLoss(Weights(stab=1.0), target=make(model.deployed))
    assert loss(model, batch, START)["stab"].item() == pytest.approx(expected)


# --- training --------------------------------------------------------------------------------------------


class Run:
    """All that a run needs, made anew as in a fresh process."""

    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (18, 3, 8, 8), dtype=torch.uint8, generator=generator)
        pool = ImageSet(images, torch.arange(18) % 4)
        self.batches = TwoStreams(
            pool.subset(range(6)), pool, 2, 4, augment=Augment(flip=True, noise=0.1), views=2, seed=3
        )
        self.model = small(dropout=0.3, dtype=torch.float32)
        self.target = MeanTeacher(self.model.deployed, decay=0.9, noise=0.1)
        weights = Weights(stab=lambda progress: 2 * progress, rec=0.5)
        self.loss = HybridLoss(weights, target=self.target, noise=0.15, convention=COURSE)
        torch.manual_seed(5)

    def fit(self, path=None, stop=None):
        def on_step(model, step):
            self.loss.after_step(model, step)
            if step.step == stop:
                raise KeyboardInterrupt

        self.history = training.fit(
            self.model,
            self.batches,
            self.loss,
            epochs=4,
            lr=0.01,
            on_step=on_step,
            stateful={"target": self.target},
            checkpoint=path,
        )
        return self

    def tensors(self):
        return [*self.model.state_dict().values(), *self.target.model.state_dict().values()]


@pytest.mark.parametrize("step", [4, 9, 15])
def test_a_stopped_run_ends_with_the_same_bits(tmp_path, step):
    straight = Run().fit()
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        Run().fit(path, stop=step)
    after = Run().fit(path)
    assert all(map(torch.equal, after.tensors(), straight.tensors()))
    assert after.history.losses == straight.history.losses
    assert after.target.average.updates == 16 and len(straight.history.losses["loss"]) == 4
    assert straight.history.losses["loss"][-1] < straight.history.losses["loss"][0]
    assert not torch.equal(straight.tensors()[0], next(Run().model.parameters()))


@pytest.mark.parametrize("branches", ["cls", "ae", "hybrid"])
def test_a_few_steps_make_the_loss_smaller(branches):
    model, batch = small(branches=branches), batch_of()
    drawn = float(branches != "cls")
    loss = HybridLoss(Weights(rec=drawn, inter=0.1 * drawn), convention=COURSE)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    found = []
    for _ in range(8):
        value = loss(model, batch, START)["loss"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        found.append(value.item())
    assert found[-1] < 0.9 * found[0]


def test_shade_on_e_c_may_be_the_penalty():
    torch.manual_seed(2)
    model = HybridNet(mirrored.build("conv_shade", num_classes=4, width=3, side=8), fusion="early_add")
    batch = batch_of(dtype=torch.float32)
    with Shade(model.encoder_c) as shade:
        entered = pre_activations(model.encoder_c, batch.x)
        expected = sum(shade_penalty(h, shade.unit(name).mu).mean() for name, h in entered.items())
        loss = HybridLoss(Weights(inter=0, extra=0.5), penalty=shade.penalty)
        values = loss(model, batch, START)
        assert len(entered) == 3 and values["extra"].item() == pytest.approx(expected.item(), rel=1e-5)
        values["loss"].backward()
    assert moved(model.encoder_c)


def test_it_can_be_computed_in_bfloat16():
    model, batch = small(dtype=torch.float32), batch_of(dtype=torch.float32)
    loss = HybridLoss(Weights(stab=1.0), target=SecondPass(model.deployed), convention=COURSE)
    exact = loss(model, batch, START)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = loss(model, batch, START)
    for name, value in exact.items():
        assert rough[name].dtype == torch.float32
        torch.testing.assert_close(rough[name], value, rtol=0.05, atol=0.01)
    rough["loss"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_it_is_a_loss_of_the_training_loop_with_its_hook():
    model, target = small(), Fixed()
    training.fit(model, [batch_of()], loss := whole(target), steps=2, on_step=loss.after_step)
    assert [call[0] for call in target.calls] == ["observe", "target", "update"] * 2
    assert isinstance(model.deployed, nn.Module)
