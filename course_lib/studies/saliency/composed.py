"""Composed scenes, and the small nets that learn them."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import data, runtime
from course_lib.localisation import difficult
from course_lib.metrics import accuracy
from course_lib.nets import TinyVGG
from course_lib.studies.products import make_once
from course_lib.studies.saliency.parts import Pairs, Subject
from course_lib.studies.saliency.setting import LONGER, RATES, Setting
from course_lib.training import cross_entropy, fit, predict

PIXELS = {"mean": 0.5, "std": 0.25}
STAGES = {"input": None, "1": "body.relu1", "2": "body.relu2", "3": "body.relu3", "last": "body.relu4"}
CONVOLUTIONS = {"1": "body.conv1", "2": "body.conv2", "3": "body.conv3", "last": "body.conv4"}


def subject(config: Setting, net: str, seed: int) -> Subject:
    """The trained net of a seed."""
    model = tiny_vgg(net)
    state = make_once(
        "saliency.tiny_vgg",
        trained_state,
        net=net,
        seed=seed,
        clutter=config.clutter,
        alone=config.alone,
        several=config.several,
        batch_size=config.batch_size,
        weight_decay=config.weight_decay,
        learned=config.learned,
    )
    model.load_state_dict(state)
    return Subject(model.to(runtime.device()).eval(), STAGES, CONVOLUTIONS)


def tiny_vgg(net: str) -> TinyVGG:
    """The small net that stands for a large one, with fresh weights."""
    return TinyVGG(head=net)


def trained_state(net: str, seed: int, **settings) -> dict[str, Tensor]:
    """The weights of a TinyVGG after it has learned scenes with one object, then with several."""
    config = Setting(nets=(net,), **settings)
    torch.manual_seed(seed)
    model = tiny_vgg(net).to(runtime.device())
    for several, few in ((False, config.alone), (True, config.several)):
        steps = few * LONGER[net]
        seen = scenes(config, "train", several, config.learned)
        fit(
            model,
            data.Batches(seen, config.batch_size, steps=steps, seed=seed, channels_last=True, **PIXELS),
            each_class(there(seen)) if several else cross_entropy,
            epochs=1,
            optimizer=torch.optim.AdamW(model.parameters(), lr=RATES[net], weight_decay=config.weight_decay),
            schedule=falls_late,
            channels_last=True,
            progress=False,
        )
    return model.state_dict()


def falls_late(progress: float) -> float:
    """The factor on the learning rate: a fifth for the last 30 % of the steps."""
    return 1.0 if progress < 0.7 else 0.2


def each_class(targets: Tensor):
    """The loss of a net that says of each class whether it is there: binary cross-entropy, doubled."""

    def loss(model: nn.Module, batch, step) -> Tensor:
        return 2 * F.binary_cross_entropy_with_logits(model(batch.x), targets[batch.index])

    return loss


def scenes(config: Setting, split: str, several: bool, n: int) -> data.ImageSet:
    """Scenes with one object or several, on the device."""
    found = data.load("scenes", split, several=several, clutter=config.clutter, n=n)
    return found.to(runtime.device())


def there(seen: data.ImageSet) -> Tensor:
    """Which classes are in each scene, (N, 6) of zeros and ones."""
    return seen.masks.flatten(2).any(2).float()


def as_seen(seen: data.ImageSet) -> Tensor:
    """Scenes as the nets see them, (N, 3, 48, 48)."""
    return next(iter(data.Batches(seen, len(seen), shuffle=False, **PIXELS))).x


def pairs(config: Setting, batch_size: int = 100) -> Iterator[Pairs]:
    """Every test scene with each class that is in it."""
    seen = scenes(config, "test", True, config.tested)
    x = as_seen(seen)
    image, y = there(seen).nonzero(as_tuple=True)
    hard = difficult(seen.masks[image], y)
    for some in torch.arange(len(y), device=y.device).split(batch_size):
        i = image[some]
        yield Pairs(x[i], y[some], seen.masks[i, y[some]], hard[some])


def labelled(config: Setting, split: str, n: int) -> tuple[Tensor, Tensor]:
    """Scenes with one object, and their classes."""
    seen = scenes(config, split, False, n)
    return as_seen(seen), seen.labels


def right(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """The part of the images whose class the net says."""
    return accuracy(y, predict(net, x))
