"""Small ladder networks with uneven parameters, and a batch for the dense one."""

import torch

from course_lib.methods.ladder import Ladder
from course_lib.methods.ladder_steps import Conv, Dense, Mean, Pool
from tests.methods.partly_labelled import partly_labelled

DENSE = (Dense(4), Dense(3))
CONVS = (Conv(4), Pool(), Conv(5, 3, same=False), Mean(), Dense(3))


def uneven(net, seed=2):
    """Parameters that no symmetry and no zero hides."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p += 0.4 * torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return net


def dense_ladder(noise=0.3, in_shape=(1, 2, 3), layers=DENSE):
    torch.manual_seed(1)
    return uneven(Ladder(layers, in_shape, noise).double())


def conv_ladder(noise=0.3, in_shape=(2, 8, 8)):
    return dense_ladder(noise, in_shape, CONVS)


def small_batch(dtype=torch.float64):
    return partly_labelled(5, (1, 2, 3), dtype=dtype)
