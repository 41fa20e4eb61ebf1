"""Where the maps of captions point: the maps by the formula, what is counted, the study and its claims."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib import studies
from course_lib.studies.saliency import captions as measured
from course_lib.studies.saliency import composed, scales
from course_lib.studies.saliency.caption_grammar import Meaning, counted, meanings_of
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
from tests.studies.small_captioner import GRAMMAR, images, literal, masks_at, small

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


def test_a_captioner_learns_and_leaves_its_net_alone():
    config = scales.smoke(Captions, drawn=60, steps=40, captions=16, units=16, cells=2, rate=2e-2)
    model = captioner(config, 3)
    net = composed.subject(config, "gap", 3).net
    ours = model.body.state_dict()
    assert all(torch.equal(value, ours[name]) for name, value in net.body.state_dict().items())
    assert not model.training
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
