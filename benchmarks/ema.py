"""The moving average of a model: `course_lib.training.Average` against timm's, and against copying the state.

    python -m benchmarks.ema [--threads 1] [--record]

Goals: 1.15 times as fast as timm's ModelEmaV3 and 6 times as fast as the loop over the state on a ResNet-18;
3 and 15 times on the chapters' small net with batch norm. timm is raced where it is installed; it is no
dependency of the course.
"""

import copy
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.common import arguments, race, ratios, record
from course_lib import nets
from course_lib.training import Average

DECAY = 0.99
TIMM, STATE = "timm ModelEmaV3", "a loop, and the state copied twice"
GOALS = {"ResNet-18": {TIMM: 1.15, STATE: 6}, "small net": {TIMM: 3, STATE: 15}}
BUFFERS = {TIMM: "average", STATE: "copy"}  # what each does with the statistics of batch norm
FLOOR = "torch._foreach_lerp_ alone"


class StateLoop:
    """What the training hook of USB (semilearn) does in each step, written from its description.

    It averages the parameters one by one into a dict, then loads the model's whole state into a third model,
    and the averages on top of it.
    """

    def __init__(self, model: nn.Module):
        self.model = copy.deepcopy(model)
        self.averages = {name: p.detach().clone() for name, p in model.named_parameters()}

    def update(self, model: nn.Module) -> None:
        for name, parameter in model.named_parameters():
            average = (1 - DECAY) * parameter.detach() + DECAY * self.averages[name]
            self.averages[name] = average.clone()
        self.model.load_state_dict(model.state_dict())
        self.model.load_state_dict(self.averages, strict=False)

    def state(self) -> dict[str, Tensor]:
        return self.model.state_dict()


class Timm:
    """timm's average, by the name that the others have for its values."""

    def __init__(self, model: nn.Module):
        from timm.utils import ModelEmaV3

        self.average = ModelEmaV3(model, decay=DECAY)
        self.update = self.average.update

    def state(self) -> dict[str, Tensor]:
        return self.average.module.state_dict()


class Ours:
    """The course's average, with buffers treated as the peer treats them."""

    def __init__(self, model: nn.Module, buffers: str):
        self.average = Average(model, DECAY, buffers=buffers)
        self.update = self.average.update

    def state(self) -> dict[str, Tensor]:
        return self.average.model.state_dict()


def peers() -> dict[str, Callable]:
    """The peers that can be raced here."""
    try:
        import timm.utils  # noqa: F401
    except ImportError:
        return {STATE: StateLoop}
    return {TIMM: Timm, STATE: StateLoop}


def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "ResNet-18": torchvision.models.resnet18(num_classes=10),
        "small net": nets.build("convnet", batch_norm=True),
    }


def largest_difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Between two averages, relative to the largest value of each tensor (or to 1, where that is smaller)."""
    assert one.keys() == other.keys()
    return max(
        ((one[name] - other[name]).abs().max() / other[name].abs().max().clamp(min=1)).item() for name in one
    )


def moved(model: nn.Module, seed: int) -> nn.Module:
    """The model after something like a step: other parameters, other statistics."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator))
            else:
                tensor.add_(1)
    return model


def agreement(peer: str, model: nn.Module, updates: int = 5) -> float:
    """How far ours and a peer's average are apart after some updates with a model that moves."""
    model = copy.deepcopy(model)
    ours, theirs = Ours(model, BUFFERS[peer]), peers()[peer](model)
    for seed in range(updates):
        moved(model, seed)
        ours.update(model)
        theirs.update(model)
    return largest_difference(ours.state(), theirs.state())


def contest(peer: str, model: nn.Module, rounds: int) -> dict[str, float]:
    """The best times of an update: ours, a peer's, and the least that torch needs for the parameters."""
    ours, theirs = Ours(model, BUFFERS[peer]), peers()[peer](model)
    averaged = [parameter.detach().clone() for parameter in model.parameters()]
    current = [parameter.detach() for parameter in model.parameters()]
    return race(
        {
            "ours": lambda: ours.update(model),
            peer: lambda: theirs.update(model),
            FLOOR: lambda: torch._foreach_lerp_(averaged, current, 1 - DECAY),
        },
        rounds,
        turn=0.1,  # an update of the small net takes some hundredths of a millisecond
    )


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    measured: dict[str, dict] = {}
    for title, model in models().items():
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(f"{title}, {parameters} parameters: an update takes longer with")
        measured[title] = {}
        for peer in peers():
            apart = agreement(peer, model)
            assert apart < 1e-6, f"The averages of {peer} and ours differ by {apart}."
            best = contest(peer, model, options.rounds)
            found = {name: round(ratio, 2) for name, ratio in ratios(best, "ours").items()}
            measured[title][peer] = {"ratio": found[peer], "floor": found[FLOOR], "difference": apart}
            print(f"  {found[peer]:6.2f} x  {peer}   (goal: {GOALS[title][peer]}; ours "
                  f"{best['ours'] * 1e3:.3f} ms, {FLOOR} {found[FLOOR]:.2f} x)")  # fmt: skip
    if options.record:
        print(record("ema", "update", {"torchvision": torchvision.__version__, "ratios": measured}))


if __name__ == "__main__":
    main()
