"""Training one model in several processes, one GPU each: `fit` with torch's DistributedDataParallel.

``torchrun --standalone --nproc-per-node 4 program.py`` starts the program four times. Each process draws the
same batch, takes its share of it, and DDP averages the gradients, so that all take the same step.
"""

import inspect
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from course_lib import runtime
from course_lib.training import batches as reading
from course_lib.training import loop, processes
from course_lib.training.history import History
from course_lib.training.loop import Loss, Step, cross_entropy
from course_lib.training.optimisers import choose_optimizer
from course_lib.training.randomness import random_state, set_random_state, undisturbed
from course_lib.training.shares import share

# Else a second pass in a step begins with the statistics of process 0. Newer torch renames the option.
_NEW = "forward_sync_buffers" in inspect.signature(nn.parallel.DistributedDataParallel).parameters
NO_BUFFERS_IN_FORWARD = {"forward_sync_buffers" if _NEW else "broadcast_buffers": False}


def fit(
    model: nn.Module,
    batches: Iterable,
    loss: Loss = cross_entropy,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    sync_batch_norm: bool = False,
    unused_parameters: bool = True,
    **options: Any,
) -> History:
    """`course_lib.training.fit`, which it calls, with the processes that torchrun started.

    In one process it is that function and nothing else. In several, the result is that of one process with
    the whole batch, up to rounding, for a loss that is a mean over the images and a model that treats them
    one by one. What differs:

    * Batch norm normalises by the share of its process, as DDP does; the running statistics are the mean over
      the processes. ``sync_batch_norm`` normalises by the whole batch, on GPUs.
    * Dropout and noise drawn by the model or the loss differ from process to process, and from one process
      alone. What `course_lib.data.Batches` draws is the same.
    * ``loss`` gets a DDP module: ``model(x)``, and its attributes, are the model's, its type is not. Losses
      that depend on pairs of images see the pairs of a share only.
    * A part of ``stateful``, or the loss, that remembers images has to ask `processes.gathered` for those of
      the others; the checkpoint holds what process 0 has.

    Every process calls it, with a model, batches and global random state that are the same; this is checked.
    Process 0 alone writes the checkpoint and shows the bar. Every process evaluates, with the same random
    state, and the history holds what process 0 found. Losses in the history are means over all processes.

    Args:
        model, batches, loss, optimizer, lr, evaluate, checkpoint, progress, options: as of `fit`. For batches
            of another kind than ours see `share`.
        sync_batch_norm: batch norms become torch's SyncBatchNorm during the run.
        unused_parameters: whether a step may leave parameters out, as with a term of the loss that comes and
            goes, or an output that no term reads. False saves DDP a search in each step, and a warning.

    Raises:
        ValueError: the processes were not started alike; a batch cannot be shared; the optimiser holds
            parameters that the model does not have; the loss never called the model; or
            ``sync_batch_norm`` is asked for on a CPU.
    """
    options |= {"evaluate": evaluate, "optimizer": optimizer, "lr": lr}
    if processes.world() == 1:
        return loop.fit(model, batches, loss, checkpoint=checkpoint, progress=progress, **options)
    processes.start()
    options["optimizer"] = optimizer = choose_optimizer(model, optimizer, lr)
    _refuse_strangers(model, optimizer)
    if evaluate is not None:
        options["evaluate"] = lambda model: processes.from_first(loop._numbers(evaluate(model)))
    if processes.rank() > 0:
        progress = False
    with processes.stoppable(), _synchronised(model, sync_batch_norm), _own_copy(checkpoint) as mine:
        shared = _SharedLoss(model, loss, unused_parameters)
        hooks = (
            optimizer.register_step_pre_hook(lambda *_: shared.leave()),
            optimizer.register_step_post_hook(lambda *_: _average_buffers(model)),
        )
        try:
            history = loop.fit(model, batches, shared, checkpoint=mine, progress=progress, **options)
        finally:
            shared.leave()
            for hook in hooks:
                hook.remove()
        processes.from_first(None)  # no process goes on before the checkpoint is whole
    return history


class _Parallel(nn.parallel.DistributedDataParallel):
    """DDP that has the attributes of its model, and knows whether it was called."""

    called = False

    def forward(self, *inputs: Any, **named: Any) -> Any:
        self.called = True
        return super().forward(*inputs, **named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)


class _Valued(torch.autograd.Function):
    """The second scalar with the gradient of the first: the same loss in all processes, to the bit."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


class _SharedLoss:
    """The loss on this process's share, with the mean over all processes as its value.

    From its call until the optimiser's step, so for the backward pass too, the global random state is the
    process's own. In between it is the one that all processes have in common.
    """

    def __init__(self, model: nn.Module, loss: Loss, unused_parameters: bool):
        self.model, self.loss, self.device = model, loss, reading.device_of(model)
        self.unused_parameters = unused_parameters
        self.rank, self.world = processes.rank(), processes.world()
        name = getattr(loss, "__qualname__", type(loss).__qualname__)
        self.__qualname__ = f"{name} in {self.world} processes"  # which run a checkpoint is of
        self.parallel: _Parallel | None = None
        self.epoch: int | None = None
        self.own: dict[str, Any] = {}  # the random state of this process
        self.common: dict[str, Any] | None = None  # that of all, while the own one is in place

    def __call__(self, model: nn.Module, batch: Any, step: Step) -> dict[str, Tensor]:
        if step.epoch != self.epoch:
            self._begin_epoch(batch, step)
        part = share(batch, self.rank, self.world)
        weight = len(part.x) * self.world / len(batch.x)  # 1 where the shares are equal
        self.enter()
        self.parallel.called = False
        values = loop._scalars(self.loss(self.parallel, part, step), self.device)
        if not self.parallel.called:
            raise ValueError("The loss did not call model(x), so the processes cannot average its gradient.")
        means = torch.stack([value.detach().double() for value in values.values()]) * weight / self.world
        dist.all_reduce(means)
        recorded = dict(zip(values, means.to(values["loss"].dtype)))
        return {**recorded, "loss": _Valued.apply(weight * values["loss"], recorded["loss"])}

    def enter(self) -> None:
        """Put the random state of this process in place."""
        self.common = random_state(self.device)
        set_random_state(self.own, self.device)

    def leave(self) -> None:
        """Put the common random state back, if the own one is in place."""
        if self.common is not None:
            self.own = random_state(self.device)
            set_random_state(self.common, self.device)
            self.common = None

    def _begin_epoch(self, batch: Any, step: Step) -> None:
        draw = int(torch.randint(2**53, ()))  # from the common state, so it is in the checkpoint too
        self._check_alike(draw, batch, step)
        if self.parallel is None:  # not earlier: filters lie in memory as they will now
            self.parallel = _Parallel(
                self.model, find_unused_parameters=self.unused_parameters, **NO_BUFFERS_IN_FORWARD
            )
        with undisturbed(self.device):
            runtime.seed_everything(int(np.random.SeedSequence((draw, self.rank)).generate_state(1)[0]))
            self.own = random_state(self.device)
        self.epoch = step.epoch

    def _check_alike(self, draw: int, batch: Any, step: Step) -> None:
        order = batch.y.flatten().double()
        places = torch.arange(1, len(order) + 1, device=order.device)
        facts = [order.new_tensor(draw), order.new_tensor(step.step)]
        facts += [(order * places).sum(), batch.x.double().sum()]
        if self.parallel is None:  # afterwards the parameters are the same because DDP keeps them so
            facts.append(sum(p.detach().double().sum() for p in self.model.parameters()))
        mine = torch.stack([fact.to(self.device) for fact in facts])
        extremes = torch.cat((mine, -mine))
        dist.all_reduce(extremes, dist.ReduceOp.MAX)
        if not torch.equal(extremes[: len(mine)], -extremes[len(mine) :]):
            raise ValueError(
                "The processes have different models, batches or random states: seed them alike before "
                "the model is made, for example with runtime.seed_everything(0)."
            )


def _refuse_strangers(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    ours = set(map(id, model.parameters()))
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if strangers := sum(id(parameter) not in ours for parameter in held):
        raise ValueError(
            f"The optimizer holds {strangers} tensors that are not the model's, whose gradients would not be "
            "averaged over the processes: make them part of the model."
        )


@torch.no_grad()
def _average_buffers(model: nn.Module) -> None:
    """Running statistics become the mean over the processes; what is the same everywhere keeps its bits."""
    buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
    if not buffers:
        return
    flat = torch.cat([buffer.flatten().double() for buffer in buffers])
    dist.all_reduce(flat)
    flat /= processes.world()
    for buffer, mean in zip(buffers, flat.split([buffer.numel() for buffer in buffers])):
        buffer.copy_(mean.view_as(buffer))


@contextmanager
def _synchronised(model: nn.Module, wanted: bool) -> Iterator[None]:
    """The batch norms inside the model normalise by the whole batch; afterwards they are as before."""
    if not wanted:
        yield
        return
    if reading.device_of(model).type != "cuda":
        raise ValueError("sync_batch_norm=True needs GPUs; on a CPU torch has no such layer.")
    kind = nn.modules.batchnorm._BatchNorm
    own = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, kind) and not isinstance(child, nn.SyncBatchNorm)
    ]
    for parent, name, child in own:
        setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
    try:
        yield
    finally:
        for parent, name, child in own:  # its tensors are those that the other has trained
            setattr(parent, name, child)


@contextmanager
def _own_copy(checkpoint: str | Path | None) -> Iterator[str | Path | None]:
    """The checkpoint for process 0, a copy for the others: the loop writes where it has read."""
    if checkpoint is None or processes.rank() == 0:
        yield checkpoint
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / Path(checkpoint).name
        if Path(checkpoint).exists():
            shutil.copyfile(checkpoint, copy)
        yield copy
