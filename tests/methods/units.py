"""Units with uneven values and means, for the tests of SHADE's formulas."""

import torch

INITIAL_MU = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
INITIAL_P = torch.full((2, 1), 0.5, dtype=torch.float64)
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def uneven(*shape, seed=0):
    """Pre-activations without any symmetry: each unit has a mean, a spread and a skew of its own."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(shape, generator=generator, dtype=torch.float64)
    unit = torch.arange(shape[1], dtype=torch.float64).reshape(-1, *[1] * (len(shape) - 2))
    return (1 + 0.4 * unit) * h + 0.3 * h**2 + 0.7 * unit - 0.9


def uneven_mu(units):
    unit = torch.arange(units, dtype=torch.float64)
    return torch.stack([-0.6 - 0.37 * unit, 1.3 + 0.21 * unit])


def modes_of(h):
    """p(z|h), means and masses of both modes of one batch, weighted exactly (spec of the decomposition)."""
    q = torch.stack([1 - torch.sigmoid(h), torch.sigmoid(h)])
    return q, (q * h).sum(1) / q.sum(1), q.mean(1)
