"""A captioner with random weights and a grammar of four nouns, and its probabilities worked out by hand."""

import torch

from course_lib.nets import TinyVGG
from course_lib.studies.saliency.caption_grammar import Grammar
from course_lib.studies.saliency.captioner import Captioner

NAMES = ("disc", "striped square", "ring", "striped big flower")
GRAMMAR = Grammar(NAMES)


def masks_at(*corners: tuple[int, int, int], classes: int = 4, size: int = 12) -> torch.Tensor:
    """One scene with an object of 3x3 pixels for each (class, row, column)."""
    masks = torch.zeros(1, classes, size, size, dtype=torch.bool)
    for c, row, column in corners:
        masks[0, c, row : row + 3, column : column + 3] = True
    return masks


def small(seed: int = 0, cells: int = 3) -> Captioner:
    torch.manual_seed(seed)
    model = Captioner(TinyVGG((3, 16, 16), 4), cells, GRAMMAR, shares=3, units=7).double()
    with torch.no_grad():
        for p in model.decoder.parameters():
            p.mul_(3)
        for k in range(1, 5):
            model.body.get_submodule(f"norm{k}").weight.fill_(3)  # so that the words depend on the image
    return model.eval()


def images(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def literal(model: Captioner, cells: torch.Tensor, tokens: list[int]) -> list[float]:
    """The log-probability of each token of one caption, by the equations of a GRU, up to the end."""
    decoder = model.decoder
    state, word, found = decoder.image(cells[None])[0], 0, []
    cell = decoder.memory
    for token in tokens:
        enters = decoder.before.weight[word]
        gates_x = cell.weight_ih @ enters + cell.bias_ih
        gates_h = cell.weight_hh @ state + cell.bias_hh
        r, z, n = (slice(k * 7, k * 7 + 7) for k in range(3))
        reset = torch.sigmoid(gates_x[r] + gates_h[r])
        update = torch.sigmoid(gates_x[z] + gates_h[z])
        new = torch.tanh(gates_x[n] + reset * gates_h[n])
        state = (1 - update) * new + update * state
        logits = decoder.word.weight @ state + decoder.word.bias
        found.append(logits[token] - torch.log(sum(torch.exp(one) for one in logits)))
        word = token
        if token == 0:
            break
    return found
