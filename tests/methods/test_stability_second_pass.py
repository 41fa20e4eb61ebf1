"""The Π model: which images the second pass sees, what it leaves alone, and where gradients go."""

import pytest
import torch
from torch import nn

from course_lib.methods.stability import SecondPass, stability_loss
from tests.methods.small_nets import DEVICES
from tests.methods.students import OneView, a_batch, assert_a_stopped_run_continues, same, snapshot, student


def test_the_target_is_what_the_student_says_about_the_second_view():
    model, batch = student(norm=False), a_batch()
    target = SecondPass(model).target(batch)
    torch.testing.assert_close(target.prob, model(batch.views[1]).softmax(1).detach())
    assert target.known.tolist() == [True] * 5 and target.known.dtype == torch.bool
    assert not target.prob.requires_grad


def test_without_a_second_view_it_is_about_the_images():
    model, batch = student(norm=False), a_batch()
    expected = model(batch.x).softmax(1)
    for only in (OneView(batch.x, batch.y, batch.index), batch._replace(views=(batch.x,))):
        torch.testing.assert_close(SecondPass(model).target(only).prob, expected.detach())


def test_of_three_views_it_is_the_second():
    model, batch = student(norm=False), a_batch()
    three = batch._replace(views=(*batch.views, batch.x + 1))
    assert torch.equal(SecondPass(model).target(three).prob, SecondPass(model).target(batch).prob)


@pytest.mark.parametrize("device", DEVICES)
def test_it_runs_where_the_student_is(device):
    batch = OneView(torch.ones(2, 4, dtype=torch.float64, device=device), None, None)
    target = SecondPass(student().to(device), noise=0.1).target(batch)
    assert target.prob.device.type == target.known.device.type == device


def test_the_noise_is_gaussian_of_the_given_width_and_drawn_anew():
    seen = []
    model = nn.Flatten()
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = torch.full((50, 400), 3.0)
    targets = SecondPass(model, noise=0.15)
    for _ in range(2):
        targets.target(OneView(images, None, None))
    assert seen[0].mean().item() == pytest.approx(3, abs=0.005)
    assert seen[0].std().item() == pytest.approx(0.15, rel=0.02)
    assert not torch.equal(seen[0], seen[1]) and (images == 3).all()


def test_noise_comes_from_torchs_generator_or_the_given_one():
    model, batch = student(norm=False), a_batch()
    targets = SecondPass(model, noise=0.5)
    torch.manual_seed(4)
    found = targets.target(batch).prob
    torch.manual_seed(4)
    noisy = batch.views[1] + 0.5 * torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(found, model(noisy).softmax(1).detach())
    before = torch.get_rng_state()
    given = SecondPass(model, 0.5, torch.Generator().manual_seed(4))
    assert torch.equal(given.target(batch).prob, found)
    SecondPass(model).target(batch)  # no noise, no draw
    assert torch.equal(before, torch.get_rng_state())
    assert not torch.equal(given.target(batch).prob, found)


def test_the_student_is_left_as_it_was():
    model, batch = student(dropout=0.4), a_batch()
    model(batch.x).sum().backward()
    model[3].eval()
    before = snapshot(model)
    SecondPass(model).target(batch)
    assert same(before, snapshot(model))
    model.eval()
    assert not same(before, snapshot(model))  # the comparison can tell


def test_in_training_mode_it_normalises_by_the_batch_and_in_evaluation_mode_by_the_statistics():
    model, batch = student(), a_batch()
    model[1].running_mean.fill_(0.3)
    found = SecondPass(model).target(batch).prob
    h = model[0](batch.views[1])
    h = (h - h.mean(0)) / (h.var(0, unbiased=False) + model[1].eps).sqrt()
    torch.testing.assert_close(found, model[4](h.tanh()).softmax(1).detach())
    model.eval()
    torch.testing.assert_close(
        SecondPass(model).target(batch).prob, model(batch.views[1]).softmax(1).detach()
    )


def test_dropout_is_drawn_anew_in_the_second_pass():
    model, batch = student(dropout=0.5, norm=False), a_batch()
    targets = SecondPass(model)
    assert not torch.equal(targets.target(batch).prob, targets.target(batch).prob)


def gradients(both, loss_of_both):
    model, batch = student(norm=False), a_batch()
    prob = model(batch.x).softmax(1)
    target = SecondPass(model, both=both).target(batch).prob
    return torch.autograd.grad(stability_loss(prob, target, both=loss_of_both), model[0].weight)[0]


def test_the_gradient_goes_through_one_pass_or_through_both():
    model, batch = student(norm=False), a_batch()
    one, two = (model(view).softmax(1) for view in batch.views)
    through_one = torch.autograd.grad(
        (one - two.detach()).square().sum(1).mean(), model[0].weight, retain_graph=True
    )[0]
    through_both = torch.autograd.grad((one - two).square().sum(1).mean(), model[0].weight)[0]
    torch.testing.assert_close(gradients(False, False), through_one)
    torch.testing.assert_close(gradients(True, True), through_both)
    torch.testing.assert_close(gradients(True, False), through_one)
    assert not torch.allclose(through_one, through_both)
    with torch.no_grad():
        assert not SecondPass(model, both=True).target(batch).prob.requires_grad


def test_probabilities_are_in_float32_or_float64():
    model, batch = student(norm=False), a_batch()
    assert SecondPass(model).target(batch).prob.dtype == torch.float64
    batch = batch._replace(views=(batch.x, batch.views[1].bfloat16()))
    assert SecondPass(model.bfloat16()).target(batch).prob.dtype == torch.float32


def test_the_state_is_that_of_the_given_generator():
    model, batch = student(norm=False), a_batch()
    one, other = (SecondPass(model, 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    one.target(batch)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.target(batch).prob, other.target(batch).prob)
    without = SecondPass(model, 0.5)
    assert without.state_dict() == {}
    without.load_state_dict(one.state_dict())  # whose generator it has no place for
    without.load_state_dict({})


def test_it_neither_remembers_nor_learns():
    model, batch = student(norm=False), a_batch()
    targets = SecondPass(model)
    before = snapshot(model)
    targets.observe(batch, targets.target(batch, epoch=3).prob, 3)
    targets.update()
    assert same(before, snapshot(model))


@pytest.mark.parametrize("generator", [False, True])
def test_a_stopped_run_ends_with_the_same_bits(tmp_path, generator):
    def make(model):
        return SecondPass(model, 0.2, torch.Generator().manual_seed(8) if generator else None)

    one, other = assert_a_stopped_run_continues(make, tmp_path)
    assert list(one.state_dict()) == (["generator"] if generator else [])
    for name, state in one.state_dict().items():
        assert torch.equal(state, other.state_dict()[name])


@pytest.mark.parametrize("noise", [-0.1, float("nan")])
def test_negative_noise_is_refused(noise):
    with pytest.raises(ValueError, match=f"noise is {noise}"):
        SecondPass(student(), noise)
