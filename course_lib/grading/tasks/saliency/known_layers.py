"""The models that the check of saliency.cascade hands over, and how much of a layer is new."""

import itertools
import math

import torch
from torch import Tensor, nn

from course_lib.grading.tasks.saliency.tiny_nets import TinyNet, blank, fill, relu, running

LARGE = 48  # from so many weights on, their spread is no chance


def convolutions() -> TinyNet:
    """Two of its convolutions have the same shape."""
    return TinyNet(
        conv1=nn.Conv2d(2, 4, 3), norm1=nn.BatchNorm2d(4), relu1=relu(),
        conv2=nn.Conv2d(4, 4, 3), relu2=relu(), pool2=nn.MaxPool2d(2),
        conv3=nn.Conv2d(4, 4, 3), norm3=nn.BatchNorm2d(4), relu3=relu(),
        pool3=nn.AdaptiveAvgPool2d(2), flatten=nn.Flatten(),
        head=nn.Linear(16, 5),
    )  # fmt: skip


def perceptron() -> TinyNet:
    return TinyNet(
        flatten=nn.Flatten(), fc1=nn.Linear(8, 8), relu1=relu(), fc2=nn.Linear(8, 8), relu2=relu(),
        head=nn.Linear(8, 8),
    )  # fmt: skip


NETS = {"a ConvNet with batch norm": convolutions, "a perceptron": perceptron}


def numbers_of(net: str) -> int:
    """How many numbers a net has, the statistics of its batch norms among them."""
    model = blank(NETS[net])
    return sum(each.numel() for each in (*model.parameters(), *running(model)))


def made_by(net: str, weights: Tensor) -> TinyNet:
    """The net with these numbers; variances are made positive."""
    model = blank(NETS[net]).to(weights)
    fill([*model.parameters(), *running(model)], weights)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.abs_().add_(0.1)
            module.num_batches_tracked.fill_(7)
    return model


def layers_of(model: nn.Module) -> list[str]:
    """The names of all layers with parameters of their own, from the first to the last."""
    return [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]


def numbers(layer: nn.Module) -> Tensor:
    """Everything a layer holds, as one vector."""
    return torch.cat([each.detach().flatten().double() for each in (*layer.parameters(), *layer.buffers())])


def share_new(model: nn.Module, original: nn.Module, name: str) -> float:
    """The share of a layer's numbers that are others than in the original."""
    one, other = numbers(model.get_submodule(name)), numbers(original.get_submodule(name))
    return (one != other).double().mean().item()


def share_as_new(layer: nn.Module) -> float:
    """The share of a layer's numbers that a new layer could have.

    Torch draws the weights of convolutions and linear layers evenly from -b to b, with b = 1/√(inputs of a
    unit), and their biases too.  A batch norm begins with scale 1, shift 0, mean 0, variance 1, count 0.
    """
    if isinstance(layer, nn.BatchNorm2d):
        new = nn.BatchNorm2d(layer.num_features)
        return (numbers(layer) == numbers(new)).double().mean().item()
    bound = 1 / math.sqrt(layer.weight[0].numel())
    values = numbers(layer)
    fit = (values.abs() <= bound) & (values != 0)
    even = layer.weight.numel() < LARGE or 0.35 < layer.weight.abs().mean().item() / bound < 0.65
    return fit.double().mean().item() * even


# --- over several models ------------------------------------------------------------------------


def drawn_again(models: list[nn.Module], names: list[str]) -> int:
    """How many numbers change once more after they are new."""
    return sum(
        int((numbers(before.get_submodule(name)) != numbers(after.get_submodule(name))).sum())
        for i, (before, after) in enumerate(itertools.pairwise(models))
        for name in names[max(0, len(names) - 1 - i) :]
    )


def shared(models: list[nn.Module], original: nn.Module) -> int:
    """How many tensors two of the models, or one and the original, have in common."""
    places = [
        each.data_ptr() for model in (*models, original) for each in (*model.parameters(), *model.buffers())
    ]
    return len(places) - len(set(places))


def differing(models: list[nn.Module], others: list[nn.Module], names: list[str]) -> float:
    """The share of the weights, batch norms left out, that differ between the last models of two runs."""
    if not models or not others:
        return 0.0
    layers = [
        [
            each.get_submodule(name)
            for name in names
            if not isinstance(each.get_submodule(name), nn.BatchNorm2d)
        ]
        for each in (models[-1], others[-1])
    ]
    one, other = (torch.cat([numbers(layer) for layer in each]) for each in layers)
    return (one != other).double().mean().item()


def alike(model: nn.Module) -> int:
    """How many pairs of layers have weights of one shape and the same numbers in them."""
    weights = [p.detach() for p in model.parameters() if p.dim() > 1]
    return sum(torch.equal(one, other) for one, other in itertools.combinations(weights, 2))
