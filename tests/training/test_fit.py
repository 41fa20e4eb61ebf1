"""The loop against one written out by hand, what it tells of the run, and what it leaves as it found it."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import training
from course_lib.training import schedules


def test_fit_does_what_a_loop_by_hand_does(toy):
    model, by_hand = toy.net(), toy.net()
    random = torch.get_rng_state()
    training.fit(model, toy.batches(), training.cross_entropy, lr=0.01, epochs=3)
    after = torch.get_rng_state()

    torch.set_rng_state(random)
    optimizer, batches = torch.optim.Adam(by_hand.parameters(), lr=0.01), toy.batches()
    for _ in range(3):
        for batch in batches:
            optimizer.zero_grad()
            F.cross_entropy(by_hand(batch.x), batch.y).backward()
            optimizer.step()
    for name, tensor in by_hand.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    assert torch.equal(after, torch.get_rng_state())  # nothing is drawn but the model's dropout


def test_steps_are_counted_from_nought_and_progress_stays_below_one(toy):
    seen = []
    training.fit(toy.net(), toy.batches(), steps=7, on_step=lambda model, step: seen.append(step))
    assert [s.step for s in seen] == list(range(7))
    assert [s.epoch for s in seen] == [0, 0, 0, 1, 1, 1, 2]
    assert [s.progress for s in seen] == [i / 7 for i in range(7)]


def test_loss_and_on_step_see_the_same_step(toy):
    in_loss, after = [], []

    def loss(model, batch, step):
        in_loss.append(step)
        return training.cross_entropy(model, batch, step)

    training.fit(toy.net(), toy.batches(), loss, epochs=2, on_step=lambda model, step: after.append(step))
    assert in_loss == after and len(after) == 6


def test_the_schedule_multiplies_each_groups_rate_at_its_step(toy):
    model, seen = toy.net(), []
    groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[5].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    training.fit(
        model,
        toy.batches(),
        optimizer=optimizer,
        steps=6,
        schedule=schedules.cosine,
        on_step=lambda *_: seen.append([group["lr"] for group in optimizer.param_groups]),
    )
    factors = [(1 + math.cos(math.pi * i / 6)) / 2 for i in range(6)]
    assert [first for first, _ in seen] == pytest.approx([0.5 * f for f in factors])
    assert [second for _, second in seen] == pytest.approx([0.1 * f for f in factors])
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]  # as before


def test_without_a_schedule_the_rates_belong_to_the_caller(toy):
    model, seen = toy.net(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    own = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def on_step(model, step):
        seen.append(optimizer.param_groups[0]["lr"])
        own.step()

    training.fit(model, toy.batches(), optimizer=optimizer, steps=3, on_step=on_step)
    assert seen == [1.0, 0.5, 0.25]


def test_epoch_means_weight_each_batch_by_its_size(toy):
    """20 samples in batches of 8, 8 and 4: the mean over samples, not over batches."""
    batches, model = toy.batches(), toy.net()

    def loss(model, batch, step):
        return {
            "loss": model(batch.x).square().mean() * 0 + batch.index.double().mean(),
            "steps": step.step,
            "half": torch.tensor(0.5),
        }

    history = training.fit(model, batches, loss, epochs=2)
    assert history.losses["loss"] == pytest.approx([9.5, 9.5])
    assert history.losses["steps"] == pytest.approx(
        [(0 * 8 + 1 * 8 + 2 * 4) / 20, (3 * 8 + 4 * 8 + 5 * 4) / 20]
    )
    assert history.losses["half"] == [0.5, 0.5]


def test_history_tells_of_the_run(toy):
    history = training.fit(
        toy.net(), toy.batches(), epochs=5, every=2, evaluate=lambda model: {"one": torch.tensor(1.0)}
    )
    assert history.evaluations == [
        {"epoch": 2, "step": 6, "one": 1.0},
        {"epoch": 4, "step": 12, "one": 1.0},
        {"epoch": 5, "step": 15, "one": 1.0},  # the end is always looked at
    ]
    assert (history.steps, history.epochs, len(history.losses["loss"])) == (15, 5, 5)
    assert history.seconds > 0


def test_a_run_of_steps_ends_within_an_epoch(toy):
    batches = toy.batches()
    history = training.fit(toy.net(), batches, steps=4)
    assert (history.steps, history.epochs, batches.epoch) == (4, 2, 2)


def test_training_lowers_the_loss(toy):
    history = training.fit(toy.net(), toy.batches(), lr=0.01, epochs=30)
    assert history.losses["loss"][-1] < 0.5 * history.losses["loss"][0]


def test_the_average_moves_after_each_step(toy):
    model = toy.net()
    average = training.Average(model, decay=0.7)
    expected = model[5].weight.detach().clone()

    def on_step(model, step):
        expected.mul_(0.7).add_(model[5].weight.detach(), alpha=0.3)

    training.fit(model, toy.batches(), steps=5, average=average, on_step=on_step)
    torch.testing.assert_close(average.model[5].weight, expected)
    assert torch.equal(average.model[1].running_mean, model[1].running_mean)
    assert average.updates == 5


@pytest.mark.parametrize("was_training", [True, False])
def test_steps_train_evaluations_do_not_and_the_mode_comes_back(toy, was_training):
    model, modes = toy.net().train(was_training), []
    training.fit(
        model,
        toy.batches(),
        epochs=2,
        evaluate=lambda model: modes.append(("evaluate", model.training)) or {},
        on_step=lambda model, step: modes.append(("step", model.training)),
    )
    assert modes == ([("step", True)] * 3 + [("evaluate", False)]) * 2
    assert all(module.training is was_training for module in model.modules())


def test_frozen_parts_stay_in_evaluation_mode(toy):
    model = toy.net()
    model[1].eval()
    before = model[1].running_mean.clone()
    training.fit(model, toy.batches(), epochs=1, evaluate=lambda model: {})
    assert torch.equal(model[1].running_mean, before)
    assert model.training and not model[1].training


def test_the_mode_comes_back_after_an_error(toy):
    model = toy.net().eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def stumble(model, step):
        if step.step == 2:
            raise RuntimeError("stumbled")

    with pytest.raises(RuntimeError, match="stumbled"):
        training.fit(
            model, toy.batches(), optimizer=optimizer, epochs=1, schedule=schedules.cosine, on_step=stumble
        )
    assert not any(module.training for module in model.modules())
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert all(parameter.grad is None for parameter in model.parameters())


def test_evaluations_do_not_change_the_training(toy):
    def noisy(model):
        torch.randn(100), np.random.rand(5)
        return {"accuracy": training.accuracy_of(model, batches)}

    finals = []
    for evaluate in (None, noisy):
        model, batches = toy.net(), toy.batches()
        training.fit(model, batches, epochs=3, evaluate=evaluate)
        finals.append(model.state_dict())
    assert all(torch.equal(finals[0][name], finals[1][name]) for name in finals[0])


def test_no_gradient_and_no_hook_is_left_behind(toy):
    model = toy.net()
    training.fit(model, toy.batches(), epochs=1, average=training.Average(model))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_plain_pairs_and_loaders_will_do(toy):
    data = toy.batches()
    pairs = [(data.x[:8], data.y[:8]), [data.x[8:], data.y[8:]]]
    assert training.fit(toy.net(), pairs, epochs=2).steps == 4
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data.x, data.y), batch_size=5)
    assert training.fit(toy.net(), loader, epochs=1).steps == 4


def test_only_what_requires_a_gradient_is_trained(toy):
    model = toy.net()
    model[0].requires_grad_(False)
    before = model[0].weight.clone(), model[5].weight.clone()
    training.fit(model, toy.batches(), epochs=1)
    assert torch.equal(model[0].weight, before[0]) and not torch.equal(model[5].weight, before[1])


def test_a_loss_that_is_not_finite_stops_the_run_and_says_where(toy):
    def loss(model, batch, step):
        return training.cross_entropy(model, batch, step) * (math.inf if step.step >= 4 else 1.0)

    with pytest.raises(FloatingPointError, match="became inf at step 4"):
        training.fit(toy.net(), toy.batches(), loss, epochs=5)


def returning(make):
    return lambda model, batch, step: make(model(batch.x).square().mean())


@pytest.mark.parametrize(
    "options, kind, says",
    [
        ({}, ValueError, "exactly one"),
        ({"epochs": 1, "steps": 1}, ValueError, "exactly one"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"steps": 1.5}, ValueError, "steps is 1.5"),
        ({"epochs": 1, "every": 0}, ValueError, "every is 0"),
        ({"epochs": 1, "precision": "float16"}, ValueError, "'float16', possible are float32, bfloat16"),
        ({"epochs": 1, "batches": []}, ValueError, "batches is empty"),
        ({"epochs": 1, "batches": iter([])}, ValueError, "give steps"),
        ({"steps": 1, "batches": iter([])}, ValueError, "no batch"),
        ({"steps": 1, "batches": [torch.zeros(2)]}, TypeError, "A batch is a Tensor"),
        ({"steps": 1, "loss": returning(lambda l: {"total": l})}, ValueError, 'returned total.*"loss"'),
        ({"steps": 1, "loss": returning(lambda l: l.detach())}, ValueError, "no gradient"),
        ({"steps": 1, "loss": returning(lambda l: l[None])}, ValueError, r"loss of shape \(1,\)"),
        ({"steps": 1, "evaluate": lambda model: 0.5}, TypeError, "evaluate returned a float"),
        ({"steps": 1, "model": nn.ReLU()}, ValueError, "nothing to train"),
        (
            {"steps": 1, "optimizer": torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1)},
            ValueError,
            "another one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(toy, options, kind, says):
    arguments = {"model": toy.net(), "batches": toy.batches(), "loss": training.cross_entropy, **options}
    with pytest.raises(kind, match=says):
        training.fit(**arguments)


def test_names_of_the_record_may_not_change(toy):
    def loss(model, batch, step):
        value = training.cross_entropy(model, batch, step)
        return {"loss": value, "late": 1.0} if step.step else {"loss": value}

    with pytest.raises(ValueError, match="loss, late after loss"):
        training.fit(toy.net(), toy.batches(), loss, epochs=1)


def test_a_second_pass_over_what_is_used_up_is_noticed(toy):
    with pytest.raises(ValueError, match="only once"):
        training.fit(toy.net(), (batch for batch in toy.batches()), steps=10)
