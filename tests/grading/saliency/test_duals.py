"""The oracle's gradient, by forward differentiation, against autograd."""

import pytest
import torch
from torch import nn

from course_lib.grading.tasks.saliency.duals import features_and_gradient
from course_lib.grading.tasks.saliency.tiny_nets import NETS, build, draw, steps


@pytest.mark.parametrize("net", list(NETS)[:3])
def test_the_gradient_by_definition_is_that_of_autograd(net):
    generator = torch.Generator().manual_seed(3)
    model = build(net, **draw(net, generator)).eval()
    x = torch.randn(2, 2, 6, 4, generator=generator, dtype=torch.float64)
    y = torch.tensor([2, 0])
    names, layers = zip(*steps(model))
    for place, at in enumerate([None, *names[:6]]):
        features, g = features_and_gradient(model, x, y, at)
        kept = nn.Sequential(*layers[:place])(x.clone()).detach().requires_grad_()
        assert torch.allclose(features, kept, rtol=1e-13)
        nn.Sequential(*layers[place:])(kept.clone())[torch.arange(2), y].sum().backward()
        assert torch.allclose(g, kept.grad, rtol=1e-12, atol=1e-14)
