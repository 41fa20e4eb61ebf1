"""Captions by rule, and the captioner: what is said of masks, and how probable each word is."""

import pytest
import torch

from course_lib.studies.saliency.caption_grammar import Meaning, counted, meanings_of
from course_lib.studies.saliency.captioner import Told, next_words, of_caption, of_noun
from tests.studies.small_captioner import GRAMMAR, NAMES, images, literal, masks_at, small

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
