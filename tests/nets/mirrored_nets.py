"""Small mirrored nets for tests, images for them, and what a net's layers do one after the other."""

import torch
from torch import nn

from course_lib.nets import mirrored

# Options that make each architecture small, and a side of images that it takes then.
SMALL = {
    "conv_large": ({"width": 1 / 32}, 16),
    "conv_stl": ({"width": 1 / 16}, 64),
    "conv_shade": ({"width": 4, "side": 16}, 16),
    "conv_small": ({"width": 4}, 16),
    "shake_shake": ({"width": 4, "blocks": 1}, 8),
    "resnet50": ({"width": 4, "blocks": (1, 1, 1, 1)}, 64),
}
WAYS = [(name, up) for name in SMALL for up in mirrored.build(name, **SMALL[name][0]).ups]
RECTIFIERS = (nn.ReLU, nn.LeakyReLU, nn.ELU)


def small(name, classes=5, channels=3, **options):
    return mirrored.build(name, num_classes=classes, in_channels=channels, **{**SMALL[name][0], **options})


def images(name, batch=4, channels=3, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    side = SMALL[name][1]
    return torch.randn(batch, channels, side, side, generator=generator, dtype=torch.float64).to(dtype)


def parts(name, up="nearest", seed=0, dtype=torch.float64, **options):
    """Encoder, decoder and classifier, drawn from a seed."""
    torch.manual_seed(seed)
    family = small(name, **options)
    made = family.make_encoder(), family.make_decoder(up), family.make_classifier()
    return tuple(part.to(dtype) for part in made)


def settled(name, up="nearest", seed=0):
    """The same for evaluation, with batch norms that have seen images: fresh ones let signals die out."""
    made = encoder, decoder, classifier = parts(name, up, seed)
    norms = [m for part in made for m in part.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1
    with torch.no_grad():
        e = encoder(images(name, batch=6, seed=2))
        decoder(e.h, e.switches), classifier(e.h)
    for norm in norms:
        norm.momentum = 0.1
    return tuple(part.eval() for part in made)


def steps(net, *inputs):
    """The leaves of a net in the order of the forward pass, each with the shape of an image's output."""
    seen, hooks = [], []
    for module in net.modules():
        if not list(module.children()):
            hooks.append(
                module.register_forward_hook(
                    lambda module, _, out: seen.append(
                        (module, tuple((out[0] if isinstance(out, tuple) else out).shape[1:]))
                    )
                )
            )
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def convolution(inputs, outputs, size, bias=False):
    """Parameters of a convolution, transposed or not."""
    return inputs * outputs * size * size + bias * outputs


def normed(inputs, outputs, size):
    """The same without bias, then scale and shift of a batch norm."""
    return convolution(inputs, outputs, size) + 2 * outputs


def dense(inputs, outputs):
    return inputs * outputs + outputs
