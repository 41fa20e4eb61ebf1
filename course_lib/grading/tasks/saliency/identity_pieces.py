"""An answer to saliency.virtual_identity in pieces, for the wrong ones: each class replaces one."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Inserted(nn.Module):
    """A layer, and behind it an identity with a weight."""

    def __init__(self, layer: nn.Module, kind: str, weight: Tensor, padding: int, groups: int = 1):
        super().__init__()
        self.layer, self.kind, self.padding, self.groups = layer, kind, padding, groups
        self.weight = nn.Parameter(weight)

    def identity(self, x: Tensor) -> Tensor:
        if self.kind == "bias":
            return x + self.weight[:, None, None]
        if self.kind == "scaling":
            return x * self.weight[:, None, None]
        return F.conv2d(x, self.weight, padding=self.padding, groups=self.groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.identity(self.layer(x))


class BeforeTheLayer(Inserted):
    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.identity(x))


class WithBias(Inserted):
    """The convolution brings a bias of its own."""

    def __init__(self, *given):
        super().__init__(*given)
        if self.kind == "conv":
            self.bias = nn.Parameter(torch.zeros_like(self.weight[:, 0, 0, 0]))


class Hidden(Inserted):
    """The weight is no parameter of the net."""

    def __init__(self, *given):
        super().__init__(*given)
        weight = self.weight.detach().requires_grad_()
        del self.weight
        self.weight = weight


class Pieces:
    """All of it right."""

    layer_with_identity = Inserted

    def __init__(self, model, layer, kind, channels, kernel_size=3):
        self.model, self.layer, self.kind = model, layer, kind
        self.channels, self.n = channels, kernel_size
        self.like = next(model.parameters())

    # --- for real ---

    def start(self) -> Tensor:
        """The weights of an identity."""
        if self.kind == "conv":
            return self.kernel().to(self.like)
        return self.number().expand(self.channels).clone().to(self.like)

    def number(self) -> Tensor:
        return torch.tensor(float(self.kind == "scaling"))

    def kernel(self) -> Tensor:
        weight = torch.zeros(self.channels, self.channels, self.n, self.n)
        own = torch.arange(self.channels)
        weight[own, own, self.n // 2, self.n // 2] = 1
        return weight

    def padding(self) -> int:
        return self.n // 2

    def groups(self) -> int:
        return 1

    def copied(self) -> nn.Module:
        return copy.deepcopy(self.model)

    def insert(self):
        net = self.copied()
        made = self.layer_with_identity(
            net.get_submodule(self.layer), self.kind, self.start(), self.padding(), self.groups()
        )
        above, _, name = self.layer.rpartition(".")
        setattr(net.get_submodule(above), name, made)
        return net, made.weight

    # --- imagined ---

    def score(self, logits: Tensor, y: Tensor) -> Tensor:
        return logits[torch.arange(len(y), device=y.device), y].sum()

    def seen(self, images: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """x and g at the layer."""
        kept = []

        def hook(module, inputs, output):
            kept.append(output.detach().clone().requires_grad_())
            return kept[0].clone()

        handle = self.model.get_submodule(self.layer).register_forward_hook(hook)
        logits = self.model(images)
        handle.remove()
        return kept[0].detach(), torch.autograd.grad(self.score(logits, y), kept[0])[0]

    def contributions(self, images: Tensor, y: Tensor) -> Tensor:
        return self.each(*self.seen(images, y))

    def each(self, x: Tensor, g: Tensor) -> Tensor:
        if self.kind == "bias":
            return g
        if self.kind == "scaling":
            return g * x
        return g[:, :, None] * self.patches(x)[:, None]

    def patches(self, x: Tensor) -> Tensor:
        return F.unfold(x, self.n, padding=self.n // 2).unflatten(2, x.shape[2:])
