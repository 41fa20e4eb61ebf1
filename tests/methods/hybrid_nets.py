"""Small HybridNets, and batches of which only some samples have a label."""

import torch

from course_lib.data import Batch
from course_lib.methods.hybridnet import HybridNet
from course_lib.nets import mirrored

PARTS = ("encoder_c", "classifier", "decoder_c", "encoder_u", "decoder_u", "merge", "decoder")


def small(dropout=0.0, seed=7, dtype=torch.float64, **options):
    """A HybridNet of ``conv_small`` for images of 8x8, in training mode."""
    torch.manual_seed(seed)
    family = mirrored.build("conv_small", num_classes=4, width=3, dropout=dropout)
    return HybridNet(family, **options).to(dtype)


def pictures(n=5, side=8, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, side, side, generator=generator, dtype=dtype) + 0.3


def batch_of(y=(2, 0, 3, -1, -1), side=8, seed=0, dtype=torch.float64):
    x = pictures(len(y), side, seed, dtype)
    return Batch(x, torch.tensor(y), torch.arange(len(y)), (x, pictures(len(y), side, seed + 100, dtype)))


def parts_of(model):
    """The modules of a HybridNet by name; None where it has no such part."""
    return {name: getattr(model, name) for name in PARTS}


def spoil(module):
    """Other weights for a module, in place."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def copies(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def unchanged(model, before):
    after = model.state_dict()
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in after)
