"""Wrong answers to saliency.cascade, and what to tell whoever gives one."""

import contextlib
import copy

import torch
from torch import nn

from course_lib.grading.task import Misconception


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


MISCONCEPTIONS = (
    Misconception(
        "first to last",
        cascading(order=list),
        "The layers lose their weights from the first to the last. Begin at the output, with the last one.",
    ),
    Misconception(
        "one layer at a time",
        cascading(cumulative=False),
        "Each model has one new layer only. The cascade goes on: what was new before stays new.",
    ),
    Misconception(
        "the model itself",
        cascading(start=itself, copied=itself),
        "The model that was given loses its weights. Work on a deep copy.",
    ),
    Misconception(
        "copies of the model that is destroyed",
        cascading(start=itself),
        "What you hand out are copies, but the model that was given loses its weights with them. "
        "Make a copy first.",
    ),
    Misconception(
        "one copy for all",
        cascading(copied=itself),
        "You hand out the same model each time, so who keeps the first finds it changed by the last. "
        "Hand out a deep copy of each: copy.copy shares the layers.",
    ),
    Misconception(
        "without batch norm",
        cascading(names=without_norms),
        "Batch norm is left out. It has weights of its own and has seen the data: it is a layer as well.",
    ),
    Misconception(
        "batch norm comes but stays",
        cascading(reset=keeps_norms),
        "The batch norms come in their turn and stay as they were. Reset them as well.",
    ),
    Misconception(
        "statistics stay",
        cascading(reset=keeps_statistics),
        "Batch norm keeps the mean and the variance of what it has seen. They are buffers, and learned too: "
        "reset_parameters() resets them as well.",
    ),
    Misconception(
        "only the statistics",
        cascading(reset=keeps_the_affine_part),
        "Batch norm keeps its scale and shift; only its statistics are new. Reset both.",
    ),
    Misconception(
        "biases stay",
        cascading(reset=keeps_biases),
        "The biases stay. A new layer has a new bias as well.",
    ),
    Misconception(
        "zeros",
        cascading(reset=zero),
        "The new weights are 0, and nothing comes through such a net. "
        "Draw them as torch does for a new layer.",
    ),
    Misconception(
        "large weights",
        cascading(reset=standard_normal),
        "The new weights are standard normal, far larger than torch draws them. Use reset_parameters().",
    ),
    Misconception(
        "small weights",
        cascading(reset=small_normal),
        "The new weights are tiny, and their biases 0, unlike those of a new layer. Use reset_parameters().",
    ),
    Misconception(
        "noise",
        cascading(reset=noise_added),
        "The old weights are still there, with noise on them. Replace them.",
    ),
    Misconception(
        "shuffled",
        cascading(reset=shuffled),
        "The old weights are only shuffled. Draw new ones.",
    ),
    Misconception(
        "all leaves",
        cascading(names=all_leaves),
        "ReLUs and poolings come too, though they have nothing to lose. "
        "Take the modules with parameters of their own.",
    ),
    Misconception(
        "whole blocks",
        cascading(names=blocks),
        "You take the children of the model, so a whole block loses its weights at once. "
        "Go down to the layers: named_modules().",
    ),
    Misconception(
        "the model as it is comes first",
        cascading(at_first=lambda model: [("", copy.deepcopy(model))]),
        "The first model is the original one. The cascade begins with the last layer new.",
    ),
    Misconception(
        "the first layer stays",
        cascading(names=lambda model: layers_of(model)[1:]),
        "The first layer never comes. In the end nothing of the model is left.",
    ),
    Misconception(
        "short names",
        cascading(called=lambda name: name.split(".")[-1]),
        "The names are not whole: `conv1` instead of `body.conv1`. "
        "Give what model.get_submodule(name) understands.",
    ),
    Misconception(
        "seed ignored",
        cascading(drawing=forget_seed),
        "The seed makes no difference. With one seed the new weights are always the same.",
    ),
    Misconception(
        "always the same seed",
        cascading(drawing=lambda seed: seeded(0)),
        "The seed is always the same, whatever is asked for. Use the one that is given.",
    ),
    Misconception(
        "each layer begins at the seed",
        cascading(alike=True),
        "Every layer begins at the seed, so two layers of one shape get the same weights. Set it once.",
    ),
    Misconception(
        "global seed",
        cascading(drawing=for_everyone),
        "torch.manual_seed also changes the random numbers of whoever calls you. "
        "Set it within torch.random.fork_rng().",
    ),
    Misconception(
        "seed held between the models",
        held_between,
        "While your generator waits, the caller draws from your seed: fork_rng is still open at the yield. "
        "Draw all weights first, and close it.",
    ),
    Misconception(
        "drawn anew each time",
        drawn_anew_each_time,
        "Each model draws all of its new layers again. Then two models differ in more than one layer: "
        "keep what is drawn.",
    ),
    Misconception(
        "copies in evaluation mode",
        cascading(copied=evaluated),
        "The copies are in evaluation mode and the model is not. Leave modes as they are.",
    ),
    Misconception(
        "copies unfrozen",
        cascading(copied=unfrozen),
        "A frozen parameter needs a gradient in your copies. Leave requires_grad as it is.",
    ),
    Misconception(
        "model left in evaluation mode",
        cascading(after=lambda model: model.eval()),
        "The model is in evaluation mode afterwards. Leave it as it was.",
    ),
)
