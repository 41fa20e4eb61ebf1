"""A model as it was before an answer got it, and what the answer has left behind on it."""

import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
TRACES = (
    "number of modules left in another mode",
    "number of weights and buffers of the model that have changed",
    "number of parameters whose requires_grad has changed",
    "number of parameters whose .grad has changed",
    "number of hooks and other things left on the model",
)


def in_use(model: nn.Module) -> nn.Module:
    """The model in the midst of training: in training mode but for one part, one gradient there already."""
    model.train()
    frozen = [module for module in model.modules() if not list(module.children())][-2]
    frozen.training = False
    last = list(model.parameters())[-1]
    last.grad = torch.full_like(last, 0.25)
    return model


class Snapshot:
    """What a model holds now, to be compared with what it holds later."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.modules = list(model.modules())
        self.modes = [module.training for module in self.modules]
        self.attached = [attachments(module) for module in self.modules]
        self.tensors = [(each, each.detach().clone()) for each in tensors_of(model)]
        self.flags = [each.requires_grad for each in model.parameters()]
        self.grads = [None if p.grad is None else p.grad.detach().clone() for p in model.parameters()]

    def traces(self, like: Tensor) -> tuple[Tensor, ...]:
        """How many things are no longer as they were, in the order of ``TRACES``."""
        now = list(self.model.modules())
        other = len(now) != len(self.modules) or any(a is not b for a, b in zip(now, self.modules))
        parameters = list(self.model.parameters())
        counts = (
            sum(mode != module.training for mode, module in zip(self.modes, self.modules)),
            self.changed(),
            sum(flag != p.requires_grad for flag, p in zip(self.flags, parameters)),
            sum(not same(grad, p.grad) for grad, p in zip(self.grads, parameters)),
            other + sum(a != attachments(module) for a, module in zip(self.attached, self.modules)),
        )
        return tuple(torch.tensor(float(count)).to(like) for count in counts)

    def changed(self) -> int:
        """Tensors that hold other numbers, or in whose place another tensor stands."""
        now = tensors_of(self.model)
        there = sum(
            place is not each or not torch.equal(each, kept) for place, (each, kept) in zip(now, self.tensors)
        )
        return there + abs(len(now) - len(self.tensors))


def tensors_of(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def attachments(module: nn.Module) -> tuple:
    """How many hooks a module and its tensors carry, and which attributes it has."""
    hooks = [len(getattr(module, name)) for name in HOOKS]
    on_tensors = [len(p._backward_hooks or ()) for p in module.parameters(recurse=False)]
    return (*hooks, *on_tensors, *sorted(vars(module)))


def same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.equal(one, other)
