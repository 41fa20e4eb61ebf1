"""A right answer to saliency.cascade in pieces, and the pieces that are wrong."""

import contextlib
import copy

import torch
from torch import nn


def layers_of(model):
    return [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]


def reset(layer):
    layer.reset_parameters()


def seeded(seed):
    """Random numbers of this seed, and the caller's own as before."""
    stack = contextlib.ExitStack()
    stack.enter_context(torch.random.fork_rng(devices=[]))
    torch.manual_seed(seed)
    return stack


def forget_seed(seed):
    return torch.random.fork_rng(devices=[])


def cascading(
    names=layers_of, reset=reset, drawing=seeded, order=reversed, cumulative=True,
    copied=copy.deepcopy, start=copy.deepcopy, called=lambda name: name, alike=False,
    at_first=lambda model: [], after=lambda model: None,
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(model, seed=0):
        fresh = copy.deepcopy(model)
        with drawing(seed):
            for name in layers_of(fresh):
                if alike:
                    torch.manual_seed(seed)
                reset(fresh.get_submodule(name))
        current, found = start(model), list(at_first(model))
        for name in order(names(model)):
            current = current if cumulative else copy.deepcopy(model)
            current.get_submodule(name).load_state_dict(fresh.get_submodule(name).state_dict())
            found.append((called(name), copied(current)))
        after(model)
        return found

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def without_norms(model):
    return [name for name in layers_of(model) if not isinstance(model.get_submodule(name), nn.BatchNorm2d)]


def all_leaves(model):
    return [name for name, module in model.named_modules() if name and not list(module.children())]


def blocks(model):
    return [name for name, _ in model.named_children()]


def keeps_norms(layer):
    if not isinstance(layer, nn.BatchNorm2d):
        layer.reset_parameters()


@torch.no_grad()
def keeps_statistics(layer):
    if isinstance(layer, nn.BatchNorm2d):
        layer.weight.fill_(1.0)
        layer.bias.zero_()
    else:
        layer.reset_parameters()


def keeps_the_affine_part(layer):
    layer.reset_running_stats() if isinstance(layer, nn.BatchNorm2d) else layer.reset_parameters()


@torch.no_grad()
def keeps_biases(layer):
    bias = None if isinstance(layer, nn.BatchNorm2d) else layer.bias.clone()
    layer.reset_parameters()
    if bias is not None:
        layer.bias.copy_(bias)


@torch.no_grad()
def zero(layer):
    layer.reset_parameters()
    if not isinstance(layer, nn.BatchNorm2d):
        layer.weight.zero_()
        layer.bias.zero_()


@torch.no_grad()
def standard_normal(layer):
    layer.reset_parameters()
    if not isinstance(layer, nn.BatchNorm2d):
        layer.weight.normal_()
        layer.bias.normal_()


@torch.no_grad()
def small_normal(layer):
    layer.reset_parameters()
    if not isinstance(layer, nn.BatchNorm2d):
        layer.weight.normal_(0, 0.01)
        layer.bias.zero_()


@torch.no_grad()
def noise_added(layer):
    for p in layer.parameters():
        p.add_(0.1 * torch.randn_like(p))


@torch.no_grad()
def shuffled(layer):
    for p in layer.parameters():
        p.copy_(p.flatten()[torch.randperm(p.numel())].reshape(p.shape))


@contextlib.contextmanager
def for_everyone(seed):
    """The caller's random numbers begin anew too."""
    torch.manual_seed(seed)
    yield


def held_between(model, seed=0):
    """The seed holds while the generator waits, so the caller draws from it as well."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        current = copy.deepcopy(model)
        for name in reversed(layers_of(model)):
            reset(current.get_submodule(name))
            yield name, copy.deepcopy(current)


def drawn_anew_each_time(model, seed=0):
    """Each model draws all of its new layers."""
    with seeded(seed):
        found, names = [], layers_of(model)
        for first in reversed(range(len(names))):
            current = copy.deepcopy(model)
            for name in names[first:]:
                reset(current.get_submodule(name))
            found.append((names[first], current))
    return found


def evaluated(model):
    return copy.deepcopy(model).eval()


def unfrozen(model):
    return copy.deepcopy(model).requires_grad_()


def itself(model):
    return model
