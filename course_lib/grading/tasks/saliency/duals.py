"""The gradient of a score at a layer, by definition: each number is nudged, and the nudge is carried upwards.

This is forward differentiation with dual numbers: a value and its rate of change go through every layer
together.  It needs one pass for each number, and neither autograd nor the chain rule backwards.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.grading.tasks.saliency.tiny_nets import TinyNet, steps


def carried(layer: nn.Module, value: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer in evaluation mode makes of a value (1, …) and of its rates of change (N, …)."""
    if isinstance(layer, nn.Conv2d):
        how = {"stride": layer.stride, "padding": layer.padding}
        return F.conv2d(value, layer.weight, layer.bias, **how), F.conv2d(rate, layer.weight, **how)
    if isinstance(layer, nn.BatchNorm2d):
        columns = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        mean, var, scale, shift = (each[:, None, None] for each in columns)
        slope = scale / (var + layer.eps) ** 0.5
        return (value - mean) * slope + shift, rate * slope
    if isinstance(layer, nn.ReLU):
        return value * (value > 0), rate * (value > 0)
    if isinstance(layer, nn.MaxPool2d):
        pooled, winners = F.max_pool2d(value, layer.kernel_size, return_indices=True)
        taken = rate.flatten(2).gather(2, winners.flatten(2).expand(len(rate), -1, -1))
        return pooled, taken.reshape(len(rate), *pooled.shape[1:])
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        return value.mean((2, 3), keepdim=True), rate.mean((2, 3), keepdim=True)
    if isinstance(layer, nn.Flatten):
        return value.flatten(1), rate.flatten(1)
    bias = 0 if layer.bias is None else layer.bias
    return value @ layer.weight.T + bias, rate @ layer.weight.T


@torch.no_grad()
def features_and_gradient(model: TinyNet, x: Tensor, y: Tensor, at: str | None) -> tuple[Tensor, Tensor]:
    """The output of the layer ``at``, None for the image, and d logit_y / d output; both (B, K, h, w)."""
    order = steps(model)
    place = 0 if at is None else 1 + [name for name, _ in order].index(at)
    features, gradients = [], []
    for image, label in zip(x, y.tolist()):
        value = image[None]
        for _, layer in order[:place]:
            value, _ = carried(layer, value, torch.zeros_like(value))
        features.append(value[0])
        shape = value.shape[1:]
        rate = torch.eye(value.numel(), dtype=x.dtype).reshape(-1, *shape)  # one number nudged in each row
        for _, layer in order[place:]:
            value, rate = carried(layer, value, rate)
        gradients.append(rate[:, label].reshape(shape))
    return torch.stack(features), torch.stack(gradients)
