"""Small students for the tests of stability, batches with two views, and a run that can be stopped."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from course_lib.methods.stability import stability_loss
from course_lib.training import fit


class Views(NamedTuple):
    x: Tensor
    y: Tensor
    index: Tensor
    views: tuple[Tensor, ...]


class OneView(NamedTuple):
    x: Tensor
    y: Tensor
    index: Tensor


class Passes:
    """Passes over ``n`` samples in an order of their own each, half of them with a label."""

    def __init__(self, n=10, batch_size=4):
        generator = torch.Generator().manual_seed(3)
        self.first, self.second = torch.randn(2, n, 4, generator=generator, dtype=torch.float64)
        self.y = torch.where(torch.arange(n) % 2 == 0, torch.arange(n) % 3, -1)
        self.batch_size, self.epoch = batch_size, 0

    def __len__(self):
        return -(-len(self.y) // self.batch_size)

    def __iter__(self):
        order = torch.randperm(len(self.y), generator=torch.Generator().manual_seed(self.epoch))
        self.epoch += 1
        for index in order.split(self.batch_size):
            yield Views(self.first[index], self.y[index], index, (self.first[index], self.second[index]))

    def state_dict(self):
        return {"epoch": self.epoch}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]


def student(dropout=0.0, norm=True, seed=0):
    torch.manual_seed(seed)
    middle = [nn.BatchNorm1d(6, dtype=torch.float64)] if norm else []
    return nn.Sequential(
        nn.Linear(4, 6), *middle, nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 3)
    ).double()  # fmt: skip


def a_batch(n=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, n, 4, generator=generator, dtype=torch.float64)
    index = torch.arange(n) * 2
    return Views(first, torch.arange(n) % 3, index, (first, second))


def snapshot(model):
    """Values, modes and gradients of a model, to compare."""
    return (
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        [module.training for module in model.modules()],
        [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()],
        [id(tensor) for tensor in (*model.parameters(), *model.buffers())],
    )


def same(one, other):
    values = one[0].keys() == other[0].keys() and all(torch.equal(one[0][k], other[0][k]) for k in one[0])
    gradients = all(
        a[0] == b[0] and (a[1] is b[1] is None or torch.equal(a[1], b[1])) for a, b in zip(one[2], other[2])
    )
    return values and one[1] == other[1] and gradients and one[3] == other[3]


class Stopped(Exception):
    pass


def run(make_targets, checkpoint=None, stop=None, epochs=4):
    """A run of a student with targets; ``stop`` is the step after which it breaks off."""
    model = student(dropout=0.3)
    targets = make_targets(model)
    torch.manual_seed(7)

    def loss(model, batch, step):
        prob = model(batch.x).softmax(1)
        targets.observe(batch, prob.detach(), step.epoch)
        target = targets.target(batch)
        stability = stability_loss(prob, target.prob, target.known)
        labelled = batch.y >= 0
        likelihood = prob[labelled].log()[torch.arange(int(labelled.sum())), batch.y[labelled]].sum()
        return {"loss": stability - 0.1 * likelihood, "stability": stability}

    def on_step(model, step):
        targets.update()
        if step.step == stop:
            raise Stopped

    history = fit(
        model, Passes(), loss, lr=0.02, epochs=epochs, on_step=on_step, checkpoint=checkpoint,
        stateful={"targets": targets}, progress=False,
    )  # fmt: skip
    return model, targets, history


def assert_a_stopped_run_continues(make_targets, tmp_path):
    """Broken off in its third pass and continued with everything made anew, a run ends with the same bits."""
    whole, targets, history = run(make_targets)
    path = tmp_path / "run.pt"
    with pytest.raises(Stopped):
        run(make_targets, path, stop=7)
    again, targets_again, history_again = run(make_targets, path)
    assert history.losses == history_again.losses and len(set(history.losses["stability"])) == 4
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    return targets, targets_again
