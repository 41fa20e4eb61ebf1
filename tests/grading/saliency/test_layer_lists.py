"""The loops of the oracle of saliency.excitation compute what the layers compute."""

import pytest
import torch

from course_lib.grading.tasks.saliency.layer_lists import (
    LISTS,
    build_layers,
    computed,
    draw_layers,
    places,
    shape_of,
)


@pytest.mark.parametrize("net", LISTS)
def test_place_by_place_is_layer_by_layer(net):
    generator = torch.Generator().manual_seed(5)
    layers = build_layers(net, **draw_layers(net, generator)).eval()
    x = torch.randn(1, *LISTS[net][1], generator=generator, dtype=torch.float64)
    values = {at: x[0][at].item() for at in places(x.shape[1:])}
    for layer in layers:
        values, x = computed(layer, values), layer(x)
        assert shape_of(values) == x.shape[1:]
        found = torch.tensor([values[at] for at in places(x.shape[1:])], dtype=torch.float64)
        assert torch.allclose(found, x.flatten(), rtol=1e-12, atol=1e-14)
