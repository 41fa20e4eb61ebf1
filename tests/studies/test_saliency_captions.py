"""Captions: what the rule says of masks, what a captioner's score is, where its maps point, the claims."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import studies
from course_lib.nets import TinyVGG
from course_lib.studies.saliency import captions as measured
from course_lib.studies.saliency import composed, scales
from course_lib.studies.saliency.caption_grammar import Grammar, Meaning, counted, meanings_of
from course_lib.studies.saliency.captioner import (
    Captioner,
    Captions,
    Told,
    captioner,
    learning,
    next_words,
    of_caption,
    of_noun,
    two_objects,
)
from course_lib.studies.saliency.captions import COMBINED, explained, maps_of, places
from course_lib.studies.saliency.supplement_figure_6 import SUPPLEMENT_FIGURE_6 as STUDY
from course_lib.studies.verdicts import AGREES, DOES_NOT, judge

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


# --- the grammar -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("things", "said"),
    [
        (((1, 4, 0), (2, 5, 8)), "a striped square left of a ring"),
        (((2, 4, 0), (1, 5, 8)), "a ring left of a striped square"),
        (((0, 0, 4), (3, 8, 6)), "a disc above a striped big flower"),
        (((3, 0, 6), (0, 8, 4)), "a striped big flower above a disc"),
        (((0, 0, 0), (1, 6, 6)), "a disc left of a striped square"),  # equally far apart both ways
        (((0, 0, 6), (1, 6, 0)), "a striped square left of a disc"),
        (((0, 0, 0), (1, 7, 6)), "a disc above a striped square"),
        (((0, 0, 0), (1, 6, 7)), "a disc left of a striped square"),
    ],
)
def test_the_rule_says_what_is_where(things, said):
    [meaning] = meanings_of(masks_at(*things))
    assert GRAMMAR.sentence(meaning) == said
    tokens = GRAMMAR.encode([meaning])
    assert GRAMMAR.read(tokens) == [said] and GRAMMAR.understand(tokens) == [meaning]


def test_the_place_of_an_object_is_the_mean_of_its_pixels():
    masks = masks_at((0, 1, 1), (1, 6, 5))
    masks[0, 1, 6, 5:12] = True  # a long tail to the right: its box would have been higher than wide already
    rows, columns = masks[0, 1].nonzero().double().mean(0).tolist()
    assert columns - 2 > rows - 2
    assert meanings_of(masks) == [Meaning(0, "left of", 1)]


@pytest.mark.parametrize("things", [((0, 0, 0),), ((0, 0, 0), (1, 5, 0), (2, 0, 5))])
def test_other_numbers_of_objects_are_refused(things):
    with pytest.raises(ValueError, match=rf"the scenes have \[{len(things)}\] objects, a caption is about 2"):
        meanings_of(masks_at(*things))


def test_all_sentences_differ_and_come_back():
    every = [Meaning(a, r, b) for a in range(4) for r in ("left of", "above") for b in range(4)]
    tokens = GRAMMAR.encode(every)
    assert tokens.shape == (32, 11)  # a striped big flower left of a striped big flower <end>
    assert len({tuple(row) for row in tokens.tolist()}) == 32
    assert GRAMMAR.understand(tokens) == every
    assert " ".join(GRAMMAR.words) == "<end> a left of above disc striped square ring big flower"
    for meaning, row in zip(every, tokens):
        for noun, c in ((0, meaning.first), (1, meaning.second)):
            words = [GRAMMAR.words[t] for t in row[GRAMMAR.place(meaning, noun)]]
            assert " ".join(words) == NAMES[c]


def test_what_is_no_sentence_has_no_meaning():
    [row] = GRAMMAR.encode([Meaning(0, "above", 1)]).tolist()
    endless, early, late = [1] * len(row), [0, *row[1:]], row.copy()
    late[-1] = 5  # after the end nothing counts
    assert GRAMMAR.understand(torch.tensor([endless, early, late])) == [None, None, Meaning(0, "above", 1)]
    assert counted(torch.tensor([early, endless, late])).sum(1).tolist() == [1, len(row), 7]


# --- the captioner -----------------------------------------------------------------------------


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


def test_the_score_is_the_sum_over_the_words_up_to_the_end():
    model, x = small(), images()
    with torch.no_grad():
        told, cells = model(x), model.features(x)
        told.tokens[0, 3] = 0  # a caption that ends early
        told.tokens[0, 4:] = 0
        forced = model.decoder(cells, told.tokens)
        within = counted(told.tokens)
        log_p = forced.gather(2, told.tokens[..., None])[..., 0] * within
        for row, c, tokens in zip(log_p, cells, told.tokens.tolist()):
            each = literal(model, c, tokens)
            assert row[: len(each)].tolist() == pytest.approx([one.item() for one in each])
            assert (row[len(each) :] == 0).all()
        scores = of_caption(Told(told.tokens, log_p), torch.zeros(3))
        assert scores.tolist() == pytest.approx(
            [sum(literal(model, c, t)).item() for c, t in zip(cells, told.tokens.tolist())]
        )


def test_greedy_decoding_takes_the_likeliest_word_each_time():
    decoder, cells = small().decoder, torch.randn(6, 64, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        told = decoder.generate(cells)
        forced = decoder(cells, told.tokens)
    within = counted(told.tokens)
    assert torch.equal(forced.argmax(2)[within], told.tokens[within])
    assert torch.allclose(forced.amax(2) * within, told.log_p)
    assert len({tuple(row) for row in told.tokens.tolist()}) > 1


def test_after_the_end_nothing_is_told():
    model = small()
    with torch.no_grad():
        model.decoder.word.bias.fill_(-5)
        model.decoder.word.bias[0] = 5
        told = model(images())
    assert (told.tokens == 0).all() and (told.log_p[:, 1:] == 0).all() and (told.log_p[:, 0] < 0).all()


def test_a_noun_is_scored_by_its_own_words():
    every = [Meaning(1, "left of", 2), Meaning(0, "above", 3)]
    tokens = torch.cat([GRAMMAR.encode(every), torch.ones(1, GRAMMAR.length, dtype=torch.int64)])
    log_p = -torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    told = Told(tokens, log_p)
    #             a striped square left of a ring           a disc above a striped big flower      no sentence
    first = [log_p[0, 1] + log_p[0, 2], log_p[1, 1], 0.0]
    second = [log_p[0, 6], log_p[1, 4] + log_p[1, 5] + log_p[1, 6], 0.0]
    for noun, values in ((0, first), (1, second)):
        assert of_noun(GRAMMAR, noun)(told, tokens[:, 0]).tolist() == pytest.approx(
            [float(v) for v in values]
        )


def test_the_loss_is_the_mean_over_the_words_that_count():
    model, x = small(), images(2)
    tokens = GRAMMAR.encode([Meaning(1, "left of", 2), Meaning(0, "above", 3)])

    class Batch:
        x, y = model.features(images(2)).detach(), tokens

    each = [one for c, t in zip(model.features(x), tokens.tolist()) for one in literal(model, c, t)]
    assert len(each) == 8 + 8
    assert next_words(model.decoder, Batch, None).item() == pytest.approx(-sum(each).item() / 16)


# --- the maps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", [None, 1])
def test_maps_are_those_of_the_formula(noun):
    said = [Meaning(1, "left of", 2)] * 2
    model, x = saying(said), images(2)
    config = Captions(stages=("2", "3", "last"))
    score = of_caption if noun is None else of_noun(GRAMMAR, noun)
    found = maps_of(config, model, x, score)

    by_hand = {}
    for stage in config.stages:
        h = x
        for name, layer in model.body.named_children():
            h = layer(h)
            if f"body.{name}" == composed.STAGES[stage]:
                h = kept = h.detach().requires_grad_()
        total = 0.0
        for cells, tokens in zip(model.cells(h), GRAMMAR.encode(said).tolist()):
            words = literal(model, cells, tokens)
            total = total + sum(words if noun is None else words[6:7])  # a striped square left of a RING
        [g] = torch.autograd.grad(total, kept)
        votes = (g * kept).detach()
        ways = {"sNG": votes.relu().square().sum(1, keepdim=True).sqrt(), "LA": votes.sum(1, keepdim=True)}
        for tag, each in ways.items():
            large = F.interpolate(each, (16, 16), mode="bilinear").clamp(min=0)
            low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
            by_hand[tag, stage] = (large - low) / (high - low)
    for tag in config.methods:
        weighted = [by_hand[tag, stage] ** (k / 6) for k, stage in enumerate(config.stages, start=1)]
        by_hand[tag, COMBINED] = weighted[0] * weighted[1] * weighted[2]
    assert set(found) == set(by_hand)
    for cell, each in by_hand.items():  # a sixth root makes much of the last digits of what is nearly 0
        assert torch.allclose(found[cell] ** 6, each**6), cell


def saying(meanings: list[Meaning]) -> Captioner:
    """A captioner that tells the given captions, image by image, with its own probabilities."""
    model = small()
    tokens = GRAMMAR.encode(meanings)

    def generate(cells):
        log_p = model.decoder(cells, tokens).gather(2, tokens[..., None])[..., 0]
        return Told(tokens, log_p * counted(tokens))

    model.decoder.generate = generate
    return model


def test_nouns_are_asked_about_where_they_are_there():
    masks = torch.cat(
        [masks_at((0, 0, 0), (1, 8, 0)), masks_at((2, 0, 0), (3, 0, 8)), masks_at((0, 0, 0), (3, 8, 8))]
    )
    said = [Meaning(1, "above", 2), None, Meaning(3, "left of", 0)]
    x = images(3)
    asked = explained(small(), x, masks, said)
    assert set(asked) == {"caption", "first", "second"}
    assert torch.equal(asked["caption"].own, masks.any(1)) and asked["caption"].other is None
    first, second = asked["first"], asked["second"]
    assert torch.equal(first.x, x[[0, 2]]) and first.y.tolist() == [1, 3]
    assert torch.equal(first.own, torch.stack([masks[0, 1], masks[2, 3]]))
    assert torch.equal(first.other, torch.stack([masks[0, 0], masks[2, 0]]))
    assert torch.equal(second.x, x[[2]]) and second.y.tolist() == [0]


def test_hits_and_parts_are_counted(monkeypatch):
    masks = torch.cat([masks_at((0, 0, 0), (1, 8, 0)), masks_at((0, 0, 0), (1, 8, 0))])
    asked = measured.Asked(images(2), of_caption, masks[:, 0], masks[:, 1], torch.tensor([0, 0]))
    maps = torch.zeros(2, 1, 12, 12)
    maps[0, 0, 1, 1], maps[0, 0, 6, 6] = 3, 1  # on its own object, three quarters of it
    maps[1, 0, 9, 1] = 1  # on the other one
    monkeypatch.setattr(measured, "maps_of", lambda config, model, x, score: {("sNG", "1"): maps})
    found = places(Captions(tolerance=0), None, asked)
    assert found["points", "sNG", "1"] == 50 and found["other", "sNG", "1"] == 50
    assert found["inside", "sNG", "1"] == pytest.approx(37.5)
    assert found["inside", "flat", "flat"] == pytest.approx(100 * 9 / 144)
    assert found["points", "centre", "centre"] == found["other", "centre", "centre"] == 0
    assert ("points", "flat", "flat") not in found and ("inside", "centre", "centre") not in found


def test_captions_are_compared_whole_and_by_their_objects():
    truth = [Meaning(0, "above", 1)] * 4
    said = [Meaning(0, "above", 1), Meaning(1, "above", 0), Meaning(0, "above", 2), None]
    found = measured.agreement(said, truth)
    assert found == {("exact", "caption", "net", "net"): 25, ("named", "caption", "net", "net"): 50}


# --- the study ---------------------------------------------------------------------------------


def test_it_runs_in_seconds_at_smoke_scale():
    cells = studies.run(STUDY, "smoke", 1).values[0]
    assert all(len(cell) == 4 and 0 <= value <= 100 for cell, value in cells.items())
    assert {cell[3] for cell in cells if cell[2] == "sNG"} == {"1", "2", "3", "last", "combined"}
    for coordinate in {part for cell in cells for part in cell}:
        assert STUDY.show(coordinate) != coordinate, coordinate


def test_a_captioner_learns_is_kept_and_leaves_its_net_alone():
    config = scales.smoke(Captions, drawn=60, steps=40, captions=16, units=16, cells=2, rate=2e-2)
    model = captioner(config, 3)
    net = composed.subject(config, "gap", 3).net
    ours = model.body.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in net.body.state_dict().items())
    assert not model.training
    again = captioner(config, 3)
    assert all(map(torch.equal, model.state_dict().values(), again.state_dict().values()))
    assert set(learning(config)) & {"tested", "methods", "tolerance"} == set()

    seen = two_objects(config, "train", 60)
    assert (composed.there(seen).sum(1) == 2).all() and 10 < len(seen) < 30
    tokens = model.grammar.encode(meanings_of(seen.masks))

    class Batch:
        x, y = model.features(composed.as_seen(seen)).detach(), tokens

    with torch.no_grad():
        assert next_words(model.decoder, Batch, None) < 0.7 * math.log(len(model.grammar.words))


def cells(better: float = 2.0, inside: float = 2.0, own: float = 60.0) -> dict:
    at = {}
    for method in ("sNG", "LA"):
        for words in ("caption", "first", "second"):
            for k, stage in enumerate(("1", "2", "3", "last")):
                at["points", words, method, stage] = own - better - k if stage != "1" else 99.0
                at["inside", words, method, stage] = 20.0 - inside - k if stage != "1" else 99.0
            at["points", words, method, "combined"] = own - 1
            at["inside", words, method, "combined"] = 20.0 - 1
            at["other", words, method, "combined"] = 40.0
    return at


def test_claims_follow_the_numbers():
    assert {judge(claim, {}, [cells()] * 2).state for claim in STUDY.claims} == {AGREES}


@pytest.mark.parametrize(
    ("changed", "turned"),
    [
        ({"better": -1.0}, "The combination points better"),
        ({"inside": -1.0}, "More of the combination"),
        ({"own": 30.0}, "A noun's map"),
    ],
)
def test_claims_turn_with_their_numbers(changed, turned):
    for claim in STUDY.claims:
        state = judge(claim, {}, [cells(**changed)] * 2).state
        assert state == (DOES_NOT if claim.text.startswith(turned) else AGREES), claim.text
