"""A right answer to saliency.excitation in pieces, and the pieces that are wrong."""

import contextlib

import torch
from torch import nn
from torch.nn import functional as F

SUMS = (nn.Linear, nn.Conv2d)


def apply(layer, x, w, bias=None):
    if isinstance(layer, nn.Linear):
        return F.linear(x, w, bias)
    return F.conv2d(x, w, bias, layer.stride, layer.padding)


def pulled(z, x, p):
    """The signal p at z, carried to x by the transposed layer.

    Giving p to autograd.grad itself would do, but its first such call imports for seconds.
    """
    return torch.autograd.grad((z * p.detach()).sum(), x)[0]


def over(p, z):
    """p / z, and 0 where z is 0."""
    return torch.where(z == 0, torch.zeros_like(z), p / torch.where(z == 0, torch.ones_like(z), z))


def positive(layer, sign):
    return (sign * layer.weight.detach()).clamp(min=0)


def by_contribution(layer, x, p, sign):
    z = apply(layer, x, positive(layer, sign))
    return x * pulled(z, x, over(p, z.detach()))


def shares_of_average(layer, x, p):
    z = layer(x)
    return x * pulled(z, x, over(p, z.detach()))


def to_the_largest(layer, x, p):
    return pulled(layer(x), x, p)


def passes(layer, x, p):
    return p


def one_hot(logits, y):
    return F.one_hot(y, logits.shape[1]).to(logits)


def subtracted(p, against):
    return p - against


def summed_up(p, contrastive):
    total = p.sum(1, keepdim=True)
    return total.clamp(min=0) if contrastive else total


@contextlib.contextmanager
def evaluating(layers):
    modes = [layer.training for layer in layers]
    for layer in layers:
        layer.eval()
    yield
    for layer, mode in zip(layers, modes):
        layer.training = mode


def exciting(
    rule=by_contribution, average=shares_of_average, pool=to_the_largest, norm=passes, seed=one_hot,
    everywhere=False, difference=subtracted, final=summed_up, mode=evaluating, shift=0,
    finish=lambda t: t.detach(), closing=lambda p: p, after=lambda layers, contrastive: None,
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def step(number, layers, entering, p, sign):
        layer, x = layers[number], entering[number].detach().clone().requires_grad_()
        if isinstance(layer, SUMS):
            return rule(layer, x, p, sign)
        if isinstance(layer, nn.AvgPool2d):
            return average(layer, x, p)
        if isinstance(layer, nn.MaxPool2d):
            return pool(layer, x, p)
        if isinstance(layer, nn.Flatten):
            return p.reshape(x.shape)
        return norm(layer, x, p) if isinstance(layer, nn.BatchNorm2d) else p

    def answer(layers, x, y, stop, contrastive=False):
        with mode(layers):
            entering, top = [], len(layers) - 1
            for layer in layers:
                entering.append(x.detach().clone())
                x = layer(x.clone())
            seeded = seed(x.detach(), y)

            def down(p, first, last, sign=1):
                for number in range(first, last, -1):
                    p = step(number, layers, entering, p, sign)
                return p

            at = stop if everywhere else top - 1
            p = down(seeded, top, at)
            if contrastive:
                p = difference(p, down(seeded, top, at, -1))
            p = closing(down(p, at, stop - shift))
        after(layers, contrastive)
        return finish(p), finish(final(p, contrastive))

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def by_weight(layer, x, p, sign):
    """The contributions without the input that makes them."""
    z = apply(layer, x, positive(layer, sign))
    return pulled(z, x, over(p, z.detach()))


def with_bias(layer, x, p, sign):
    z = apply(layer, x, positive(layer, sign), None if layer.bias is None else layer.bias.detach())
    return x * pulled(z, x, over(p, z.detach()))


def over_all_weights(layer, x, p, sign):
    z = apply(layer, x, sign * layer.weight.detach())
    return x * pulled(apply(layer, x, positive(layer, sign)), x, over(p, z.detach()))


def with_all_weights(layer, x, p, sign):
    z = apply(layer, x, sign * layer.weight.detach())
    return x * pulled(z, x, over(p, z.detach()))


def with_sizes(layer, x, p, sign):
    z = apply(layer, x, layer.weight.detach().abs())
    return x * pulled(z, x, over(p, z.detach()))


def not_divided(layer, x, p, sign):
    return x * pulled(apply(layer, x, positive(layer, sign)), x, p)


def without_care(layer, x, p, sign):
    z = apply(layer, x, positive(layer, sign))
    return x * pulled(z, x, p / z.detach())


def differentiated(layer, x, p):
    return pulled(layer(x), x, p)


def by_gradient(layer, x, p, sign):
    return pulled(apply(layer, x, sign * layer.weight.detach()), x, p)


def shares_of_window(layer, x, p):
    """As an average pooling of the same windows would do it."""
    z = F.avg_pool2d(x, layer.kernel_size, layer.stride)
    return x * pulled(z, x, over(p, z.detach()))


def to_all_that_reach_it(layer, x, p):
    """The signal of each window in equal parts."""
    return pulled(F.avg_pool2d(x, layer.kernel_size, layer.stride), x, p)


def to_the_largest_instead(layer, x, p):
    return pulled(F.max_pool2d(x, layer.kernel_size, layer.stride), x, p)


@contextlib.contextmanager
def as_it_is(layers):
    yield


@contextlib.contextmanager
def left_in_evaluation(layers):
    for layer in layers:
        layer.eval()
    yield


@contextlib.contextmanager
def all_trained_afterwards(layers):
    with left_in_evaluation(layers):
        yield
    for layer in layers:
        layer.train()


@torch.no_grad()
def leaves_it_negated(layers, contrastive):
    if contrastive:
        layers[-1].weight.neg_()


@torch.no_grad()
def leaves_it_positive(layers, contrastive):
    for layer in layers:
        if isinstance(layer, SUMS):
            layer.weight.clamp_(min=0)
