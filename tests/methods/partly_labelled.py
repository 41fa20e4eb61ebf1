"""Batches in which some images have no label; the slope of a loss measured by steps; what a loss reaches."""

from types import SimpleNamespace

import torch


def partly_labelled(n=6, shape=(2, 8, 8), classes=3, seed=0, dtype=torch.float64):
    """``.x`` (n, *shape) without symmetry, ``.y`` with -1 for each third image."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=dtype)
    y = torch.arange(n) * 2 % classes
    y[1::3] = -1
    return SimpleNamespace(x=0.8 * x + 0.2 * x**2, y=y)


def slopes_along(loss, parameters, seed=0, step=1e-6):
    """The derivative of ``loss()`` along a random direction of all parameters: autograd's, and by steps."""
    parameters = list(parameters)
    generator = torch.Generator().manual_seed(seed)
    ways = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    by_autograd = sum((g * way).sum().item() for g, way in zip(gradients, ways) if g is not None)
    values = []
    with torch.no_grad():
        for sign in (1, -2):
            for p, way in zip(parameters, ways):
                p += sign * step * way
            values.append(loss().item())
        for p, way in zip(parameters, ways):
            p += step * way
    return by_autograd, (values[0] - values[1]) / (2 * step)


def reached(loss, module):
    """The names of the parameters that get a gradient other than 0 from a loss."""
    names, parameters = zip(*module.named_parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
    return {name for name, g in zip(names, gradients) if g is not None and g.abs().sum() > 0}


def state_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}
