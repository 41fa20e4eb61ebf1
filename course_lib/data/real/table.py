"""Every real set, in the order of the catalogue."""

from course_lib.data.real import downloaded, packed_only
from course_lib.data.real.mnist_m import MnistM
from course_lib.data.real.source import RealSet

_declared = [
    value
    for module in (downloaded, packed_only)
    for value in vars(module).values()
    if isinstance(value, RealSet)
]
MNIST_M = MnistM(downloaded.MNIST, packed_only.BSDS300_SMALL)
REAL = (*_declared, MNIST_M)
