"""Mean Teacher: the averaged weights by hand, which images the teacher sees, and in which mode it runs."""

import pytest
import torch
from torch import nn

from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.stability import stability_loss
from tests.methods.students import OneView, a_batch, assert_a_stopped_run_continues, same, snapshot, student


def shifted(model, by):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += by


def test_the_target_is_what_the_teacher_says_about_the_second_view():
    model, batch = student(norm=False), a_batch()
    targets = MeanTeacher(model)
    expected = model(batch.views[1]).softmax(1).detach()
    shifted(model, 0.5)
    found = targets.target(batch)
    torch.testing.assert_close(found.prob, expected)
    assert found.known.tolist() == [True] * 5 and found.known.dtype == torch.bool
    for only in (OneView(batch.x, batch.y, batch.index), batch._replace(views=(batch.x,))):
        torch.testing.assert_close(
            targets.target(only).prob, targets.model(batch.x).softmax(1), rtol=0, atol=0
        )


@pytest.mark.parametrize(
    "warm_up, decays",
    [
        (True, [0, 1 / 2, 2 / 3, 0.7, 0.7]),
        ("mean", [0, 1 / 2, 2 / 3, 0.7, 0.7]),
        ("mean with start", [1 / 2, 2 / 3, 0.7, 0.7, 0.7]),
        (False, [0.7] * 5),
    ],
)
def test_the_weights_are_averaged_over_the_steps(warm_up, decays):
    model = student()
    targets = MeanTeacher(model, 0.7, warm_up)
    expected = model[0].weight.detach().clone()
    for step, decay in enumerate(decays):
        shifted(model, 0.1 * (step + 1) ** 2)
        targets.update()
        expected = decay * expected + (1 - decay) * model[0].weight.detach()
        torch.testing.assert_close(targets.model[0].weight, expected)
    assert targets.average.updates == 5


def test_by_default_it_warms_up_to_the_decay_of_the_released_code():
    model = student()
    targets = MeanTeacher(model)
    shifted(model, 1.0)
    targets.update()
    torch.testing.assert_close(targets.model[0].weight.detach(), model[0].weight.detach())
    targets.average.updates = 10_000
    before = targets.model[0].weight.clone()
    shifted(model, 1.0)
    targets.update()
    torch.testing.assert_close(targets.model[0].weight, 0.97 * before + 0.03 * model[0].weight.detach())


@pytest.mark.parametrize("warm_up", [True, False])
def test_in_training_mode_the_teacher_gathers_statistics_of_its_own(warm_up):
    model, batch = student(), a_batch()
    targets = MeanTeacher(model, warm_up=warm_up)
    model(batch.x)  # moves the student's
    h = targets.model[0](batch.views[1])
    found = targets.target(batch).prob
    targets.update()
    normed = (h - h.mean(0)) / (h.var(0, unbiased=False) + model[1].eps).sqrt()
    torch.testing.assert_close(found, targets.model[4](normed.tanh()).softmax(1))
    torch.testing.assert_close(targets.model[1].running_mean, 0.1 * h.mean(0))
    assert targets.model[1].num_batches_tracked == 1
    assert not torch.allclose(targets.model[1].running_mean, model[1].running_mean)
    assert not targets.model.training and not targets.model[1].training


def test_in_evaluation_mode_it_averages_the_students_statistics():
    model, batch = student(dropout=0.5), a_batch()
    targets = MeanTeacher(model, 0.9, False, training_mode=False)
    targets.model.train()
    for _ in range(2):  # without dropout, the same each time
        torch.testing.assert_close(
            targets.target(batch).prob, model.eval()(batch.views[1]).softmax(1).detach()
        )
    assert targets.model.training  # as it was
    model.train()(batch.x)
    targets.update()
    torch.testing.assert_close(targets.model[1].running_mean, 0.1 * model[1].running_mean)
    assert targets.model[1].num_batches_tracked == 1


def test_in_training_mode_the_teacher_drops():
    targets, batch = MeanTeacher(student(dropout=0.5, norm=False)), a_batch()
    assert not torch.equal(targets.target(batch).prob, targets.target(batch).prob)


def test_the_noise_comes_from_torchs_generator_or_the_given_one():
    model, batch = student(norm=False), a_batch()
    targets = MeanTeacher(model, noise=0.5)
    torch.manual_seed(4)
    found = targets.target(batch).prob
    torch.manual_seed(4)
    noisy = batch.views[1] + 0.5 * torch.randn(5, 4, dtype=torch.float64)
    torch.testing.assert_close(found, model(noisy).softmax(1).detach())
    before = torch.get_rng_state()
    given = MeanTeacher(model, noise=0.5, generator=torch.Generator().manual_seed(4))
    assert torch.equal(given.target(batch).prob, found)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(MeanTeacher(model).target(batch).prob, MeanTeacher(model).target(batch).prob)


def test_no_gradient_reaches_the_teacher_and_nothing_else_changes():
    model, batch = student(dropout=0.4), a_batch()
    targets = MeanTeacher(model)
    before, teacher = snapshot(model), snapshot(targets.model)
    target = targets.target(batch)
    targets.observe(batch, target.prob, 0)
    targets.update()
    assert same(before, snapshot(model)) and not target.prob.requires_grad
    stability_loss(model(batch.x).softmax(1), target.prob).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(p.grad is None and not p.requires_grad for p in targets.model.parameters())
    assert teacher[1] == snapshot(targets.model)[1]  # the modes
    ours = {parameter.data_ptr() for parameter in model.parameters()}
    assert not ours & {parameter.data_ptr() for parameter in targets.model.parameters()}


def test_probabilities_are_in_float32_or_float64():
    model = nn.Sequential(nn.Linear(4, 3)).bfloat16()
    batch = OneView(torch.ones(2, 4).bfloat16(), None, None)
    assert MeanTeacher(model).target(batch).prob.dtype == torch.float32
    assert MeanTeacher(student()).target(a_batch()).prob.dtype == torch.float64


def test_the_state_goes_over():
    model, batch = student(), a_batch()
    one, other = (
        MeanTeacher(model, noise=0.5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)
    )
    for _ in range(2):
        one.target(batch)
        shifted(model, 0.3)
        one.update()
    other.load_state_dict(one.state_dict())
    shifted(model, 0.3)
    for targets in (one, other):
        targets.update()
    assert torch.equal(one.target(batch, epoch=1).prob, other.target(batch, epoch=1).prob)
    assert all(
        torch.equal(a, b) for a, b in zip(one.model.state_dict().values(), other.model.state_dict().values())
    )


@pytest.mark.parametrize("generator", [False, True])
def test_a_stopped_run_ends_with_the_same_bits(tmp_path, generator):
    def make(model):
        given = torch.Generator().manual_seed(8) if generator else None
        return MeanTeacher(model, 0.9, noise=0.2, generator=given)

    one, other = assert_a_stopped_run_continues(make, tmp_path)
    assert one.average.updates == other.average.updates == 12
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name]), name
    assert one.model[1].num_batches_tracked == 12
    assert list(one.state_dict()["noise"]) == (["generator"] if generator else [])
    for name, state in one.state_dict()["noise"].items():
        assert torch.equal(state, other.state_dict()["noise"][name])


@pytest.mark.parametrize(
    "options, says",
    [({"decay": 1.0}, "decay is 1.0"), ({"noise": -1}, "noise is -1"), ({"warm_up": "x"}, "warm_up is 'x'")],
)
def test_impossible_arguments(options, says):
    with pytest.raises(ValueError, match=says):
        MeanTeacher(student(), **options)
