"""A small net that captions scenes of two objects: the maps of a TinyVGG in a few cells, and a GRU."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from course_lib import data, runtime
from course_lib.nets import TinyVGG
from course_lib.studies.products import make_once
from course_lib.studies.saliency import composed
from course_lib.studies.saliency.caption_grammar import Grammar, counted, meanings_of
from course_lib.studies.saliency.setting import Setting
from course_lib.training import cosine, evaluation_mode, fit


@dataclass(frozen=True)
class Captions(Setting):
    """How the captioner learns, and what is asked of it.

    Attributes:
        tested: test scenes that are drawn; the third of them that shows two objects is asked about.
        drawn: training scenes that are drawn for the captions; again a third shows two objects.
        cells: the last maps are averaged in so many cells each way, so that places can be told.
        shares: what a cell says is brought to so many numbers.
        units: of the GRU.
        steps, captions, rate: of AdamW, with a rate that falls to 0.
        methods: tags out of ``METHODS``.
        stages: where.
        combined: the stages whose maps are multiplied, with linear weights.
    """

    nets: tuple[str, ...] = ("gap",)
    tested: int | None = 900
    drawn: int = 9000
    cells: int = 6
    shares: int = 12
    units: int = 128
    steps: int = 1500
    captions: int = 64
    rate: float = 2e-3
    methods: tuple[str, ...] = ("sNG", "LA")
    stages: tuple[str, ...] = ("1", "2", "3", "last")
    combined: tuple[str, ...] = ("2", "3", "last")


class Told(NamedTuple):
    """Captions as they were generated.

    Attributes:
        tokens: (B, T) int64.
        log_p: (B, T) the log-probability of each token, given the image and the tokens before it; 0 after
            the end.
    """

    tokens: Tensor
    log_p: Tensor


class Decoder(nn.Module):
    """Cells of an image to a caption, word by word.

    A step of a GRU reads the word before (none, at the beginning) and gives the log-probabilities of the
    next. The first state of the GRU is made from the cells. It is a cell in a loop because `nn.GRU` has no
    gradient on a GPU in evaluation mode.

    Args:
        maps: K of the cells (B, K, c, c).
        cells: c.
        words: how many.
        length: tokens of the longest caption.
        shares, units: see `Captions`.
    """

    def __init__(self, maps: int, cells: int, words: int, length: int, shares: int, units: int):
        super().__init__()
        self.length = length
        self.image = nn.Sequential(
            nn.Conv2d(maps, shares, 1),
            nn.Flatten(),
            nn.Linear(shares * cells**2, 2 * units),
            nn.ReLU(),
            nn.Linear(2 * units, units),
            nn.Tanh(),
        )
        self.before = nn.Embedding(words, units)  # the end of a caption is also what is before its beginning
        self.memory = nn.GRUCell(units, units)
        self.word = nn.Linear(units, words)

    def forward(self, cells: Tensor, tokens: Tensor) -> Tensor:
        """Teacher forcing: log-probabilities (B, T, words) of each token, given the true ones before it."""
        return torch.stack(list(self._steps(cells, lambda i, _: tokens[:, i])), 1)

    def generate(self, cells: Tensor) -> Told:
        """The likeliest word at each step (greedy decoding)."""
        steps = list(self._steps(cells, lambda _, log_p: log_p.argmax(1)))
        tokens = torch.stack([log_p.argmax(1) for log_p in steps], 1)
        within = counted(tokens)
        log_p = torch.stack(steps, 1).gather(2, tokens[..., None])[..., 0]
        return Told(tokens * within, log_p * within)

    def _steps(self, cells: Tensor, next_word: Callable[[int, Tensor], Tensor]) -> Iterator[Tensor]:
        state = self.image(cells)
        word = torch.zeros(len(cells), dtype=torch.int64, device=cells.device)
        for i in range(self.length):
            state = self.memory(self.before(word), state)
            log_p = self.word(state).log_softmax(1)
            yield log_p
            word = next_word(i, log_p)


class Captioner(nn.Module):
    """Images to captions: ``body`` is the net up to its last maps, whose layers keep their names.

    Args:
        net: a TinyVGG that ends in an average.
        cells: the decoder reads its last maps, averaged in so many cells each way.
        grammar: of the captions.
        shares, units: of the decoder.
    """

    def __init__(self, net: TinyVGG, cells: int, grammar: Grammar, shares: int = 12, units: int = 128):
        super().__init__()
        layers = OrderedDict(net.body.named_children())
        self.body = nn.Sequential(
            OrderedDict((name, layers[name]) for name in layers if name not in ("pool4", "flatten"))
        )
        self.cells = nn.AdaptiveAvgPool2d(cells)
        maps = net.head.in_features
        self.decoder = Decoder(maps, cells, len(grammar.words), grammar.length, shares, units)
        self.grammar = grammar

    def features(self, x: Tensor) -> Tensor:
        """Cells (B, K, c, c)."""
        return self.cells(self.body(x))

    def forward(self, x: Tensor) -> Told:
        """Images (B, 3, H, W) to the captions that are generated for them."""
        return self.decoder.generate(self.features(x))


def of_caption(told: Told, y: Tensor) -> Tensor:
    """The score that is explained: the log-probability of the generated caption, (B,)."""
    return told.log_p.sum(1)


def of_noun(grammar: Grammar, noun: int) -> Callable[[Told, Tensor], Tensor]:
    """The log-probability of the first noun (0) of each caption, or of its second (1), given what is before.

    It is that of all words of the noun. A caption that is no sentence has no noun, and the score 0.
    """

    def score(told: Told, y: Tensor) -> Tensor:
        said = grammar.understand(told.tokens)
        places = [slice(0) if meaning is None else grammar.place(meaning, noun) for meaning in said]
        return torch.stack([log_p[place].sum() for log_p, place in zip(told.log_p, places)])

    return score


def captioner(config: Captions, seed: int) -> Captioner:
    """The captioner of a seed: the net of the other studies, and a decoder that has learned captions."""
    model = _fresh(config, seed)
    state = make_once("saliency.captions", trained_state, seed=seed, **learning(config))
    model.decoder.load_state_dict(state)
    return model.to(runtime.device()).eval()


def learning(config: Captions) -> dict:
    """The settings that a captioner depends on."""
    asked = ("tested", "tolerance", "methods", "stages", "combined")
    return {one.name: getattr(config, one.name) for one in fields(config) if one.name not in asked}


def trained_state(seed: int, **settings) -> dict[str, Tensor]:
    """The weights of a decoder after it has learned captions; the net that it reads stays as it is."""
    config = Captions(**settings)
    torch.manual_seed(seed)
    model = _fresh(config, seed)
    seen = two_objects(config, "train", config.drawn)
    tokens = model.grammar.encode(meanings_of(seen.masks)).to(runtime.device())
    with evaluation_mode(model), torch.no_grad():
        cells = torch.cat([model.features(x) for x in composed.as_seen(seen).split(100)])
    decoder = model.decoder
    order = torch.Generator().manual_seed(seed)
    fit(
        decoder,
        DataLoader(TensorDataset(cells, tokens), config.captions, shuffle=True, generator=order),
        next_words,
        steps=config.steps,
        optimizer=torch.optim.AdamW(decoder.parameters(), lr=config.rate, weight_decay=config.weight_decay),
        schedule=cosine,
        progress=False,
    )
    return decoder.state_dict()


def next_words(decoder: nn.Module, batch, step) -> Tensor:
    """The loss of a decoder: minus the log-probability of the true captions, for each of their words."""
    log_p = decoder(batch.x, batch.y)
    within = counted(batch.y)
    return F.nll_loss(log_p[within], batch.y[within])


def two_objects(config: Captions, split: str, drawn: int | None) -> data.ImageSet:
    """The scenes with two objects among those that are drawn with several, on the device."""
    seen = composed.scenes(config, split, True, drawn)
    return seen.subset(composed.there(seen).sum(1) == 2)


def _fresh(config: Captions, seed: int) -> Captioner:
    """A captioner with the net of a seed and a decoder that has learned nothing."""
    grammar = Grammar(composed.scenes(config, "test", True, 1).class_names)
    net = composed.subject(config, config.nets[0], seed).net
    return Captioner(net, config.cells, grammar, config.shares, config.units).to(runtime.device())
