"""The one training loop: any loss, one optimiser, and a run that can be stopped and continued."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.training import batches as reading
from course_lib.training import checkpoint as disk
from course_lib.training import precision as computing
from course_lib.training.averages import Average
from course_lib.training.bar import Bar
from course_lib.training.history import EpochMeans, History
from course_lib.training.identity import in_words
from course_lib.training.modes import evaluation_mode, training_mode
from course_lib.training.optimisers import Rates, choose_optimizer
from course_lib.training.randomness import undisturbed


class Step(NamedTuple):
    """Where a run is, before the step that is about to be taken."""

    step: int  # steps done
    epoch: int  # passes over the batches done
    progress: float  # part of the run done, in [0, 1)


Loss = Callable[[nn.Module, Any, Step], Tensor | Mapping[str, Tensor | float]]


def cross_entropy(model: nn.Module, batch: Any, step: Step) -> Tensor:
    """The plain supervised loss: cross-entropy of ``model(batch.x)`` with ``batch.y``, batch mean."""
    return F.cross_entropy(model(batch.x), batch.y)


def fit(
    model: nn.Module,
    batches: Iterable,
    loss: Loss = cross_entropy,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    epochs: int | None = None,
    steps: int | None = None,
    schedule: Callable[[float], float] | None = None,
    average: Average | None = None,
    on_step: Callable[[nn.Module, Step], None] | None = None,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    every: int = 1,
    precision: str | None = None,
    channels_last: bool | None = None,
    checkpoint: str | Path | None = None,
    stateful: Mapping[str, Any] | None = None,
    progress: bool | None = None,
    title: str = "",
) -> History:
    """Train a model.

    The model is in training mode during the steps (parts that the caller put in evaluation mode keep it) and
    in evaluation mode for ``evaluate``; afterwards modes, learning rates and memory format are as before, and
    no gradient is left behind.
    The global random state moves only by what the model and the loss draw themselves, never by evaluations.

    A run with a ``checkpoint`` writes it after each epoch. Called again with the same arguments, it continues
    after the last whole epoch and ends with the same bits as a run that was never stopped; a finished run
    returns at once. What stands inside ``loss`` and the data cannot be compared: give each run a file of its
    own.

    Args:
        model: maps a batch to logits; trained in place, on the device where it is.
        batches: yields one epoch each time it is iterated: objects with ``.x`` and ``.y`` on the model's
            device, or pairs ``(x, y)``. With a ``state_dict`` they are continued too.
        loss: ``loss(model, batch, step)`` returns a scalar to minimise, or a dict with it under "loss" and
            further scalars that are only recorded.
        optimizer: an optimiser of the model's parameters; None makes Adam with ``lr``.
        lr: learning rate of that Adam.
        epochs: passes over the batches, or
        steps: gradient steps, over as many passes as it takes. Give exactly one of the two.
        schedule: factor on the learning rates as a function of progress, for example ``schedules.cosine``.
        average: moved after each step, towards the model.
        on_step: called as ``on_step(model, step)`` after each step.
        evaluate: ``evaluate(model)`` returns numbers for the history, after every ``every`` epochs and at the
            end.
        every: epochs from one evaluation to the next.
        precision: "float32" or "bfloat16" (autocast); None takes bfloat16 at ``gpu`` scale on a GPU that has
            it.
        channels_last: memory format of the filters during the run; None takes channels last at ``gpu`` scale.
        checkpoint: file to continue from and to write.
        stateful: what else has a state of its own (``state_dict`` and ``load_state_dict``), such as a
            regulariser with moving averages; kept in the checkpoint under its name. Those with a ``forget``
            are told to when the run begins: a stopped step may have left them a forward pass without its
            penalty.
        progress: show a bar; None shows one in a terminal or notebook. Never in the built book.
        title: what stands before the bar.

    Returns:
        the history of the run, with what an earlier call has done.

    Raises:
        ValueError: an argument is impossible, or the loss is no scalar with a gradient.
        FloatingPointError: the loss became infinite or not a number; looked at after each epoch.
        CourseError: the checkpoint belongs to another run, or cannot be read or written.
        KeyboardInterrupt: the run was stopped; with a checkpoint, what is whole is on disk.
    """
    total = _total_steps(batches, epochs, steps)
    if every < 1:
        raise ValueError(f"every is {every}, possible are whole numbers from 1.")
    device = reading.device_of(model)
    optimizer = choose_optimizer(model, optimizer, lr)
    rates = Rates(optimizer, schedule)
    precision = computing.choose_precision(precision, device)
    channels_last = computing.choose_channels_last(channels_last, device)

    history = History()
    parts = {
        "history": history,
        "model": model,
        "optimizer": optimizer,
        "average": average,
        "batches": batches,
    }
    parts = {name: part for name, part in parts.items() if hasattr(part, "state_dict")}
    parts |= {f"stateful {name}": part for name, part in (stateful or {}).items()}
    for part in (stateful or {}).values():
        if hasattr(part, "forget"):
            part.forget()
    if checkpoint is not None:
        made_with = in_words(
            model, batches, loss, rates, average, stateful,
            steps=total, precision=precision, channels_last=channels_last,
        )  # fmt: skip
        disk.load(checkpoint, parts, made_with, device)

    with ExitStack() as around:
        around.enter_context(training_mode(model))
        around.enter_context(computing.memory_format(model, channels_last))
        if average is not None:
            around.enter_context(computing.memory_format(average.model, channels_last))
        around.enter_context(computing.repeatable_convolutions())
        around.enter_context(rates.restored())
        around.callback(model.zero_grad)
        around.enter_context(_saying_how_to_continue(checkpoint))
        bar = around.enter_context(Bar(total, history.steps, title, progress))

        while history.steps < total:
            step = Step(history.steps, history.epochs, history.steps / total)
            means = EpochMeans(step.step)
            start = time.perf_counter()
            for batch in reading.read(batches, device):
                rates.set(step.progress)
                with computing.autocast(precision, device):
                    values = _scalars(loss(model, batch, step), device)
                optimizer.zero_grad(set_to_none=True)
                values["loss"].backward()
                optimizer.step()
                if average is not None:
                    average.update(model)
                if on_step is not None:
                    on_step(model, step)
                means.add(values, len(batch.x))
                bar.step()
                step = Step(step.step + 1, step.epoch, (step.step + 1) / total)
                if step.step == total:
                    break
            history.close_epoch(means.read(), step.step, time.perf_counter() - start)
            bar.say(loss=history.losses["loss"][-1])
            if evaluate is not None and (history.epochs % every == 0 or history.steps == total):
                with evaluation_mode(model), undisturbed(device):
                    found = _numbers(evaluate(model))
                history.evaluations.append({"epoch": history.epochs, "step": history.steps, **found})
            if checkpoint is not None:
                disk.save(checkpoint, parts, made_with, device)
    return history


def _total_steps(batches: Iterable, epochs: int | None, steps: int | None) -> int:
    if (epochs is None) == (steps is None):
        raise ValueError(f"epochs is {epochs} and steps is {steps}: give exactly one of the two.")
    name, value = ("steps", steps) if epochs is None else ("epochs", epochs)
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}, possible are whole numbers from 1.")
    if steps is not None:
        return int(steps)
    if not hasattr(batches, "__len__"):
        raise ValueError(f"{type(batches).__name__} has no length to count epochs with; give steps instead.")
    if len(batches) == 0:
        raise ValueError("batches is empty: an epoch would have no step.")
    return int(epochs) * len(batches)


def _scalars(result: Tensor | Mapping[str, Tensor | float], device: torch.device) -> dict[str, Tensor]:
    """What a loss returned as named scalars on the device, with the one to minimise under "loss"."""
    values = dict(result) if isinstance(result, Mapping) else {"loss": result}
    if "loss" not in values:
        raise ValueError(
            f'The loss returned {", ".join(values) or "nothing"}; the dict needs the key "loss".'
        )
    for name, value in values.items():
        values[name] = torch.as_tensor(value, device=device)
        if values[name].ndim > 0:
            raise ValueError(f"The loss returned {name} of shape {tuple(value.shape)}, needed is a scalar.")
    if not values["loss"].requires_grad:
        raise ValueError("The loss has no gradient; was it detached, or computed under no_grad?")
    return values


def _numbers(found: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(found, Mapping):
        raise TypeError(f"evaluate returned a {type(found).__name__}, needed is a dict of numbers.")
    return {name: value.item() if hasattr(value, "item") else float(value) for name, value in found.items()}


@contextmanager
def _saying_how_to_continue(checkpoint: str | Path | None) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None or not Path(checkpoint).exists():
            raise
        raise KeyboardInterrupt(
            f"Stopped; the whole epochs are in {checkpoint}: call fit again as before to continue."
        ) from None
