"""Wrong answers to shade.regularizer: a right one in pieces, and each wrong one replaces a piece or two."""

import torch
from torch import nn

from course_lib.grading.task import Misconception


class Pieces(nn.Module):
    """All of it right."""

    saved = ("mu", "p")  # the averages that state_dict holds

    def __init__(self, model, layers):
        super().__init__()
        self.seen = {}
        self.attach(model, layers)

    def attach(self, model, layers):
        for number, layer in enumerate(layers):
            layer.register_forward_pre_hook(lambda _, inputs, number=number: self.enter(number, inputs[0]))

    def enter(self, number, h):
        self.seen[number] = h

    def samples(self, h):
        return h.transpose(0, 1).flatten(1).T

    def average(self, name, number, start):
        key = f"{name}{number}"
        if not hasattr(self, key):
            self.register_buffer(key, start, persistent=name in self.saved)
        return getattr(self, key)

    def penalty(self):
        return self.joined([self.layer(number, h) for number, h in self.seen.items()])

    def joined(self, terms):
        return sum(terms)

    def layer(self, number, h):
        h = self.samples(h)
        one = torch.ones_like(h[0])
        mu = self.average("mu", number, torch.stack([-one, one]))
        self.average("p", number, torch.stack([one, one]) / 2)
        term = self.reduced(self.squares(h, mu))
        if self.moves():
            with torch.no_grad():
                self.move(number, h)
        return term

    def squares(self, h, mu):
        q = torch.sigmoid(h)
        return (1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2

    def reduced(self, squares):
        return squares.mean()

    def moves(self):
        return self.training

    def move(self, number, h):
        q = torch.stack([torch.sigmoid(-h), torch.sigmoid(h)])
        mu, p = getattr(self, f"mu{number}"), getattr(self, f"p{number}")
        new_p = 0.8 * p + 0.2 * q.mean(1)
        setattr(self, f"p{number}", new_p)
        setattr(self, f"mu{number}", 0.8 * mu + 0.2 * (q * h).mean(1) / self.divisor(p, new_p))

    def divisor(self, p, new_p):
        return new_p


class AfterTheReLU(Pieces):
    def attach(self, model, layers):
        for number, layer in enumerate(layers):
            layer.register_forward_hook(lambda *given, number=number: self.enter(number, given[2]))


class BeforeTheNorm(Pieces):
    def attach(self, model, layers):
        modules = list(model.modules())
        for number, layer in enumerate(layers):
            until = modules[: modules.index(layer)]
            source = [each for each in until if isinstance(each, nn.Conv2d | nn.Linear)][-1]
            source.register_forward_hook(lambda *given, number=number: self.enter(number, given[2]))


class EveryReLU(Pieces):
    def attach(self, model, layers):
        super().attach(model, [each for each in model.modules() if isinstance(each, nn.ReLU)])


class FirstLayer(Pieces):
    def attach(self, model, layers):
        super().attach(model, layers[:1])


class LastLayer(Pieces):
    def attach(self, model, layers):
        super().attach(model, layers[-1:])


class CutsTheModel(Pieces):
    def enter(self, number, h):
        super().enter(number, h)
        return h.detach()


class Detached(Pieces):
    def enter(self, number, h):
        super().enter(number, h.detach())


class KeepsTheBatches(Pieces):
    def enter(self, number, h):
        super().enter(number, torch.cat([self.seen[number], h]) if number in self.seen else h)


class PerLocation(Pieces):
    def samples(self, h):
        return h.flatten(1)


class MovesInEvaluation(Pieces):
    def moves(self):
        return True


class NeverMoves(Pieces):
    def moves(self):
        return False


class MovesFirst(Pieces):
    def squares(self, h, mu):
        number = next(n for n in self.seen if getattr(self, f"mu{n}") is mu)
        if self.training:
            with torch.no_grad():
                super().move(number, h)
        return super().squares(h, getattr(self, f"mu{number}"))

    def move(self, number, h):
        pass


class KeepsTheGraph(Pieces):
    def move(self, number, h):
        with torch.enable_grad():
            super().move(number, h)


class OldDivisor(Pieces):
    def divisor(self, p, new_p):
        return p


class SumOverUnits(Pieces):
    def reduced(self, squares):
        return squares.mean(0).sum()


class SumOverSamples(Pieces):
    def reduced(self, squares):
        return squares.mean(1).sum()


class MeanOverLayers(Pieces):
    def joined(self, terms):
        return sum(terms) / len(terms)


class NotSaved(Pieces):
    saved = ()


class OnlyTheMeansSaved(Pieces):
    saved = ("mu",)


MISCONCEPTIONS = (
    Misconception(
        "after the ReLU",
        AfterTheReLU,
        "This is the penalty of what comes out of the ReLUs. "
        "Take what goes in: register_forward_pre_hook, whose hook gets the inputs.",
    ),
    Misconception(
        "before batch norm",
        BeforeTheNorm,
        "You read the output of the convolution, before batch norm, which can be shrunk at no cost at all. "
        "Read what enters the ReLU.",
    ),
    Misconception(
        "every ReLU",
        EveryReLU,
        "Every ReLU of the model is penalised. Only those in layers are asked for.",
    ),
    Misconception(
        "first layer only",
        FirstLayer,
        "Only the first layer counts. Is there a `return` within the loop over the layers?",
    ),
    Misconception(
        "last layer only",
        LastLayer,
        "Only the last layer counts. A hook that is made in a loop sees the loop's variables as they are at "
        "the end: bind the number when the hook is made, with functools.partial or a default argument.",
    ),
    Misconception(
        "the hook changes the model",
        CutsTheModel,
        "Your hook returns a tensor without gradient, and torch puts it in the place of the layer's input. "
        "A hook that only looks returns nothing.",
    ),
    Misconception(
        "no gradient",
        Detached,
        "The penalty has no gradient, so it trains nothing. "
        "Remember h itself, and detach only for the averages.",
    ),
    Misconception(
        "keeps old batches",
        KeepsTheBatches,
        "What the hooks remember piles up, so the penalty still holds the batches before. "
        "Let each forward pass replace what the last one left.",
    ),
    Misconception(
        "statistics of each position",
        PerLocation,
        "Each position of the image has means of its own. "
        "A channel is one unit: its positions are samples, like the images of the batch.",
    ),
    Misconception(
        "moves in evaluation mode",
        MovesInEvaluation,
        "The averages move in evaluation mode too. Ask self.training before you move them.",
    ),
    Misconception(
        "never moves",
        NeverMoves,
        "The averages stay at their start. In training mode each batch moves them, after its penalty.",
    ),
    Misconception(
        "moves before the penalty",
        MovesFirst,
        "The averages are moved before the penalty is computed. "
        "The penalty of a batch uses the means from before it.",
    ),
    Misconception(
        "keeps the graph",
        KeepsTheGraph,
        "The averages still hang on the graph of the batch before, which its backward pass has freed. "
        "Move them within `with torch.no_grad():`.",
    ),
    Misconception(
        "divides by the old p",
        OldDivisor,
        "The means are divided by the p from before this batch. "
        "Algorithm A.1 moves p first and divides by that.",
    ),
    Misconception(
        "sum over the units",
        SumOverUnits,
        "The units of a layer are added up. Take their mean, so that a wide layer does not count more.",
    ),
    Misconception(
        "sum over the samples",
        SumOverSamples,
        "The samples are added up. Take their mean, so that the size of the batch does not matter.",
    ),
    Misconception(
        "mean over the layers",
        MeanOverLayers,
        "This is the mean over the layers. Add the layers up: each one is penalised by itself.",
    ),
    Misconception(
        "averages not saved",
        NotSaved,
        "After loading the averages are back at their start. "
        "Plain attributes are no part of state_dict: use register_buffer.",
    ),
    Misconception(
        "p not saved",
        OnlyTheMeansSaved,
        "The means come back after loading, but p does not, and the next batch needs it. "
        "Make p a buffer too.",
    ),
)
