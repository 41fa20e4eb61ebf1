"""Runs that one process and several must end alike, and what only several show: see test_distributed.

As a program, started by torchrun, it saves what each process found as ``OUT/<rank>.pt``.
"""

import random
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, files, training
from course_lib.data import TwoStreams
from course_lib.methods.hybrid_losses import COURSE
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import HybridNet
from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from course_lib.nets import mirrored
from course_lib.training import distributed, processes, schedules
from course_lib.training.shares import share

WORLD = 2


def images(n=21, seed=0, side=4):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=generator)
    return data.ImageSet(pixels, torch.arange(n) % 3)


def batches(n=21, batch_size=8):
    """The last batch has 5 images, which two processes share as 3 and 2."""
    return data.Batches(
        images(n), batch_size, augment=data.Augment(translate=1, flip=True), dtype=torch.float64
    )


def mlp(*more):
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 8), *more, nn.Tanh(), nn.Linear(8, 3)).double()


def found(model, history, **more):
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return {"model": tensors, "losses": history.losses, "evaluations": history.evaluations, **more}


# --- the same in one process -----------------------------------------------------------------


def sgd(fit):
    """A loss dict, momentum, a schedule, an evaluation."""

    def loss(model, batch, step):
        logits = model(batch.x)
        size = logits.square().mean()
        return {"loss": F.cross_entropy(logits, batch.y) + step.progress * size, "size": size, "one": 1}

    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    how = {"optimizer": optimizer, "schedule": schedules.cosine, "epochs": 3}
    return found(model, fit(model, batches(), loss, evaluate=accuracy, **how))


def accuracy(model):
    return {"accuracy": training.accuracy_of(model, batches()), "draw": torch.rand(())}


def adam(fit):
    """Adam, the moving average, a step that is counted; and a second run of the same model."""
    model, steps = mlp(), []
    average = training.Average(model, decay=0.9, warm_up=True)
    how = {"average": average, "on_step": lambda model, step: steps.append(step.step)}
    fit(model, batches(), steps=5, lr=0.01, **how)
    history = fit(model, batches(), steps=5, lr=0.01, **how)
    return found(model, history, average=average.model.state_dict(), steps=steps)


class Output(NamedTuple):
    logits: Tensor
    absent: None
    pairs: tuple


class Parts(nn.Module):
    """Has several outputs, of which a loss uses some, and a layer that is never used."""

    def __init__(self):
        super().__init__()
        self.trunk, self.head, self.idle = mlp(), nn.Linear(3, 3).double(), nn.Linear(2, 2)
        self.scale = 2.0

    def forward(self, x):
        logits = self.trunk(x)
        return Output(logits, None, ((logits, self.head(logits)),))


def parts(fit):
    """Two passes for one step, an attribute of the model, and an output that is not used at each step."""

    def loss(model, batch, step):
        first, second = model(batch.x), model(0.5 * batch.x)
        total = F.cross_entropy(first.logits, batch.y) + (first.logits - second.logits).square().mean()
        return model.scale * total + (first.pairs[0][1].square().mean() if step.step % 2 else 0)

    model = Parts()
    return found(model, fit(model, batches(), loss, steps=7, lr=0.01))


def batch_norm(fit):
    """Each process normalises its half: in one process, the halves pass one after the other."""
    model = mlp(nn.BatchNorm1d(8))
    return found(model, fit(model, batches(16), half_by_half(fit, two_passes), steps=5, lr=0.01))


def two_passes(model, batch):
    """Both move the statistics of batch norm."""
    return F.cross_entropy(model(batch.x), batch.y) + 0.1 * model(0.5 * batch.x).square().mean()


def half_by_half(fit, criterion):
    """The loss; for one process, the mean of the two halves' and of what they do to the statistics."""
    if fit is distributed.fit:
        return lambda model, batch, step: criterion(model, batch)

    def loss(model, batch, step):
        before = [buffer.clone() for buffer in model.buffers()]
        losses, after = [], []
        for rank in range(WORLD):
            half = share(batch, rank, WORLD)
            for buffer, was in zip(model.buffers(), before):
                buffer.data.copy_(was)
            losses.append(criterion(model, half))
            after.append([buffer.clone() for buffer in model.buffers()])
        for buffer, one, other in zip(model.buffers(), *after):
            buffer.data.copy_((one + other) / 2)
        return sum(losses) / WORLD

    return loss


class Told(TemporalEnsembling):
    """Temporal Ensembling that hears what is said in all processes."""

    def observe(self, batch, prob, epoch):
        everything = SimpleNamespace(index=processes.gathered(batch.index))
        super().observe(everything, processes.gathered(prob), epoch)


def hybrid(fit, target="mt"):
    """HybridNet with all terms of its loss; batch norm by halves, and no draws."""
    torch.manual_seed(4)
    net = HybridNet(mirrored.build("conv_small", num_classes=3, in_channels=3, width=4)).double()
    for module in net.modules():
        if isinstance(module, nn.Dropout | nn.Dropout2d):
            module.p = 0.0
    streams = TwoStreams(images(6, 1, 16), images(12, 2, 16), 2, 6, views=2, dtype=torch.float64)
    maker = MeanTeacher(net.deployed, 0.9) if target == "mt" else Told(18, 3, dtype=torch.float64)
    whole = HybridLoss(Weights(inter=0.5, stab=10.0), target=maker, convention=COURSE)

    def by_halves(model, batch, step):
        terms = [whole(model, share(batch, rank, WORLD), step) for rank in range(WORLD)]
        return {name: sum(term[name] for term in terms) / WORLD for name in terms[0]}

    loss = whole if fit is distributed.fit else by_halves
    history = fit(net, streams, loss, steps=5, lr=0.003, on_step=whole.after_step)
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}
    teacher = dict(maker.model.named_parameters()) if target == "mt" else {"Z": maker.Z}
    return {
        "model": parameters,
        "losses": history.losses,
        "teacher": {n: t.detach() for n, t in teacher.items()},
    }


ALIKE = {
    "sgd": sgd,
    "adam": adam,
    "parts": parts,
    "batch_norm": batch_norm,
    "hybrid": hybrid,
    "hybrid_te": partial(hybrid, target="te"),
}


# --- what only several processes show --------------------------------------------------------


def drawing(folder, stop=None):
    """A net with dropout and a loss that draws, stopped after some step and continued."""
    seen, wrote, write = [], [], files.write_atomically

    def noted(path, content):
        wrote.append(Path(path).parent == folder)
        return write(path, content)

    def loss(model, batch, step):
        seen.append((step.step, torch.rand(()).item(), random.random(), np.random.rand()))
        return F.cross_entropy(model(batch.x), batch.y)

    def on_step(model, step):
        if step.step == stop:
            raise KeyboardInterrupt

    def once(**more):
        model = mlp(nn.BatchNorm1d(8), nn.Dropout(0.4))
        random.seed(7)
        np.random.seed(7)
        torch.manual_seed(7)
        how = {"epochs": 3, "checkpoint": folder / "run.pt", "evaluate": accuracy}
        return found(model, distributed.fit(model, batches(16), loss, **how, **more))

    if stop is not None:
        try:
            once(on_step=on_step)
        except KeyboardInterrupt:
            seen.append(str(processes.rank()))
    files.write_atomically = noted
    result = once()
    files.write_atomically = write
    state = (torch.rand(()).item(), random.random(), np.random.rand())
    names = sorted(path.name for path in folder.iterdir())
    return {**result, "seen": seen, "after": state, "files": names, "wrote": wrote}


def refusals():
    """The sentences with which a run is refused."""
    said = {}

    def refuse(name, **how):
        how = {"model": mlp(), "batches": batches(16), "steps": 1, **how}
        try:
            distributed.fit(
                how.pop("model"), how.pop("batches"), how.pop("loss", training.cross_entropy), **how
            )
        except (ValueError, TypeError) as problem:
            said[name] = str(problem)

    stranger = torch.optim.SGD([*(model := mlp()).parameters(), nn.Parameter(torch.zeros(3))], 0.1)
    refuse("stranger", model=model, optimizer=stranger)
    refuse("not called", loss=lambda model, batch, step: model.module(batch.x).square().mean())
    refuse("on a CPU", sync_batch_norm=True)
    refuse("odd", batches=TwoStreams(images(6), images(12), 3, 6, dtype=torch.float64))
    torch.manual_seed(processes.rank())
    refuse("seeds", model=mlp_of_any_seed())
    model, x = mlp(), images().images.double()
    torch.manual_seed(0)
    refuse(
        "batches",
        model=model,
        batches=[(x[: 4 + 2 * processes.rank()], torch.zeros(4 + 2 * processes.rank()).long())],
    )
    return said


def mlp_of_any_seed():
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).double()


def gathering():
    """Rows that differ in number from process to process."""
    rows = torch.arange(6).view(3, 2)[: 3 - processes.rank()] + 10 * processes.rank()
    return {"rows": processes.gathered(rows), "first": processes.from_first(processes.rank())}


def main(out):
    processes.start()
    rank = processes.rank()
    result = {name: run(distributed.fit) for name, run in ALIKE.items()}
    for name, stop in (("straight", None), ("stopped", 4)):
        (out / name).mkdir(exist_ok=True)
        result[name] = drawing(out / name, stop)
    result |= {"refusals": refusals(), "gathering": gathering(), "rank": rank}
    torch.save(result, out / f"{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
