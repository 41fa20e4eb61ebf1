"""The small networks that the checks of the saliency chapter hand over: every kind of layer, few weights.

Each has a ``body``, an ``nn.Sequential`` of named layers, and a ``head``, the linear layer that classifies;
these are the names in the course's own TinyVGG.  ReLUs work in place, as in many published networks.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Generator, Tensor, nn

from course_lib.grading.draws import normal, uniform

IMAGE = 2  # channels of an image
CLASSES = 3


class TinyNet(nn.Module):
    """A network with named layers ``body.conv1`` … and a ``head``."""

    def __init__(self, head: nn.Linear, **layers: nn.Module):
        super().__init__()
        self.body = nn.Sequential(OrderedDict(layers))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 2, H, W) to logits (B, K)."""
        return self.head(self.body(x))


def relu() -> nn.ReLU:
    return nn.ReLU(inplace=True)


def with_average() -> TinyNet:
    """Ends in a global average pooling and a linear layer, as CAM wants it; images of any size."""
    return TinyNet(
        conv1=nn.Conv2d(IMAGE, 3, 3, padding=1, bias=False), norm1=nn.BatchNorm2d(3), relu1=relu(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(3, 4, 3, padding=1, bias=False), norm2=nn.BatchNorm2d(4), relu2=relu(),
        pool2=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        head=nn.Linear(4, CLASSES),
    )  # fmt: skip


def with_dense() -> TinyNet:
    """Ends in two linear layers; images of 6×4 pixels."""
    return TinyNet(
        conv1=nn.Conv2d(IMAGE, 3, 3, padding=1), relu1=relu(), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(3, 4, 3, padding=1), norm2=nn.BatchNorm2d(4), relu2=relu(), flatten=nn.Flatten(),
        fc3=nn.Linear(24, 5), relu3=relu(),
        head=nn.Linear(5, CLASSES),
    )  # fmt: skip


def without_bias() -> TinyNet:
    """A convolution of stride 2, and nowhere a bias; images of any size."""
    return TinyNet(
        conv1=nn.Conv2d(IMAGE, 3, 3, stride=2, padding=1, bias=False), relu1=relu(),
        conv2=nn.Conv2d(3, 4, 3, padding=1, bias=False), relu2=relu(),
        pool2=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(),
        head=nn.Linear(4, CLASSES, bias=False),
    )  # fmt: skip


def smooth() -> TinyNet:
    """A multi-layer perceptron whose loss has derivatives of every order; images of 3×1 pixels."""
    return TinyNet(
        flatten=nn.Flatten(), fc1=nn.Linear(3 * IMAGE, 4), tanh1=nn.Tanh(), head=nn.Linear(4, CLASSES)
    )  # fmt: skip


NETS: dict[str, Callable[[], TinyNet]] = {
    "a net with global average pooling": with_average,
    "a net with dense layers": with_dense,
    "a net without biases": without_bias,
    "a smooth net": smooth,
}


def blank(make: Callable[[], nn.Module]) -> nn.Module:
    """A new model whose first weights are to be replaced at once, so no random state moves."""
    with torch.random.fork_rng(devices=[]):
        return make()


def build(net: str, weights: Tensor, statistics: Tensor) -> TinyNet:
    """The net of this name, with its weights and statistics."""
    return filled(blank(NETS[net]), weights, statistics)


def filled(model: nn.Module, weights: Tensor, statistics: Tensor) -> nn.Module:
    """A model with its weights (P,) and its batch norms' statistics (Q,), in their order."""
    model = model.to(weights)
    fill(model.parameters(), weights)
    fill(running(model), statistics)
    for norm in norms(model):
        norm.num_batches_tracked.fill_(7)
    return model


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def running(model: nn.Module) -> list[Tensor]:
    """The means and variances that batch norms keep."""
    return [each for norm in norms(model) for each in (norm.running_mean, norm.running_var)]


@torch.no_grad()
def fill(places, numbers: Tensor) -> None:
    """Write a vector into tensors, one after the other, as an optimiser does."""
    places = list(places)
    for place, part in zip(places, numbers.split([place.numel() for place in places])):
        place.copy_(part.reshape(place.shape))


def flat(tensors, like: Tensor) -> Tensor:
    """Tensors as one vector."""
    return torch.cat([like.new_empty(0), *(each.detach().flatten().to(like) for each in tensors)])


def draw(net: str, generator: Generator) -> dict[str, Tensor]:
    """Weights and statistics for the net of this name."""
    return drawn(blank(NETS[net]), generator)


def drawn(model: nn.Module, generator: Generator) -> dict[str, Tensor]:
    """Weights and statistics as one meets them after training: scales near 1, the rest of any sign."""
    parts, statistics = [], []
    for module in model.modules():
        for name, place in module.named_parameters(recurse=False):
            if isinstance(module, nn.BatchNorm2d) and name == "weight":
                parts.append(0.7 + 0.6 * uniform(generator, place.numel()))
            else:
                parts.append(0.1 + (0.5 if place.dim() > 1 else 0.3) * normal(generator, place.numel()))
    for norm in norms(model):
        statistics += [
            0.3 * normal(generator, norm.num_features),
            0.5 + uniform(generator, norm.num_features),
        ]
    return {"weights": torch.cat(parts), "statistics": torch.cat([torch.empty(0).double(), *statistics])}


def steps(model: TinyNet) -> list[tuple[str, nn.Module]]:
    """Every layer in the order in which it works, with its name."""
    return [*((f"body.{name}", layer) for name, layer in model.body.named_children()), ("head", model.head)]


@torch.no_grad()
def class_activation_map(model: TinyNet, x: Tensor, y: Tensor) -> Tensor:
    """CAM, as a saliency method that any model above with a global average can be given to, (B, 1, h, w).

    It runs in evaluation mode, and leaves the modes as they are.
    """
    modes = [(module, module.training) for module in model.modules()]
    features = model.eval().body[:-2](x.clone())
    for module, mode in modes:
        module.training = mode
    return torch.einsum("bk,bkij->bij", model.head.weight[y], features)[:, None]
