"""Predictions: in the order of the data, in evaluation mode, and without a trace."""

import pytest
import torch

from course_lib import training


def test_predictions_are_those_of_evaluation_mode_in_order(toy):
    model, data = toy.net(), toy.batches()
    found = training.predict(model, data.x, batch_size=7)
    assert model.training
    torch.testing.assert_close(found, model.eval()(data.x).detach())


def test_batches_are_read_in_order_without_moving_their_epoch(toy):
    model, data = toy.net(), toy.batches()
    data.epoch = 4
    torch.testing.assert_close(training.predict(model, data), training.predict(model, data.x))
    assert data.epoch == 4


def test_plain_pairs_will_do(toy):
    model, data = toy.net(), toy.batches()
    pairs = [(data.x[:3], data.y[:3]), (data.x[3:], data.y[3:])]
    torch.testing.assert_close(training.predict(model, pairs), training.predict(model, data.x))


def test_nothing_is_left_behind(toy):
    model, data = toy.net(), toy.batches()
    model[4].eval()
    random, buffers = torch.get_rng_state(), {k: v.clone() for k, v in model.state_dict().items()}
    logits = training.predict(model, data.x)
    assert torch.equal(random, torch.get_rng_state())
    assert [module.training for module in model] == [True, True, True, True, False, True]
    assert all(torch.equal(v, buffers[k]) for k, v in model.state_dict().items())
    assert not logits.requires_grad
    scale = torch.ones(2, requires_grad=True)
    (logits * scale).sum().backward()  # an ordinary tensor, not one of inference mode
    assert scale.grad is not None


def test_the_mode_comes_back_after_an_error(toy):
    model = toy.net()
    with pytest.raises(RuntimeError):
        training.predict(model, torch.zeros(2, 5, 2, 3))
    assert model.training


def test_accuracy_counts_samples_not_batches(toy):
    model, data = toy.net(), toy.batches()
    right = (training.predict(model, data.x).argmax(1) == data.y).float().mean().item()
    assert training.accuracy_of(model, data) == pytest.approx(right)
    assert training.accuracy_of(model, [(data.x[:3], data.y[:3]), (data.x[3:], data.y[3:])]) == pytest.approx(
        right
    )


def test_bad_input_is_refused(toy):
    with pytest.raises(ValueError, match="no batch"):
        training.predict(toy.net(), [])
    with pytest.raises(ValueError, match="batch_size is 0"):
        training.predict(toy.net(), torch.zeros(2, 1, 2, 3), batch_size=0)
