"""What the HybridNet studies measure: cells, contributions, probes, pictures, and claims that can fail."""

import dataclasses
import math

import pytest
import torch

from course_lib import data
from course_lib.studies.hybridnet import STUDIES, scales, shared
from course_lib.studies.hybridnet.figure_3_10 import FIGURE_3_10, PAPER, PAPER_EPOCHS, gap
from course_lib.studies.hybridnet.lines import LINES, Lines, contributions, ground, measure_lines
from course_lib.studies.hybridnet.pictures import colour, contrast, described, fine_detail, reconstructions
from course_lib.studies.hybridnet.table_3_4 import TABLE_3_4, mean_lead
from course_lib.studies.hybridnet.table_3_5 import TABLE_3_5, at_line
from course_lib.studies.probes import class_probe, value_probe
from course_lib.studies.verdicts import judge, quantity

TINY = scales.of(Lines, scales.DIGITS_ON_GROUND, steps=2, lines=("a", "i"), labels=(20,), tested=40)


@pytest.fixture(scope="module")
def trained():
    streams = shared.images(TINY, 20, seed=0)
    net, _ = shared.train(TINY, LINES["i"], streams, seed=0)
    return net, streams


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_smoke_measures_every_claim(study):
    values = study.measure(study.configs["smoke"], 0)
    lacking = [claim.text for claim in study.claims if quantity(claim, values) is None]
    assert not lacking and all(isinstance(value, float) for value in values.values())


def test_probed_lines_have_the_untrained_net_beside_them():
    values = measure_lines(dataclasses.replace(TINY, probed=True), 0)
    assert {cell[1] for cell in values} == {"untrained", "a", "i"}
    assert {cell[0] for cell in values if cell[1] == "a"} == {
        "accuracy", "class from h_c", "ground from h_c",
    }  # fmt: skip
    assert ("fine detail of image", "i", 20) in values and ("share of c", "i", 20) in values


def test_contributions_are_those_of_the_pictures(trained):
    net, streams = trained
    found = contributions(net, TINY, streams)
    pictures = reconstructions(net, shared.in_order(TINY, streams, streams.test))
    x, c, u = (pictures[name].double() for name in ("image", "c", "u"))
    assert found["error of c"] == pytest.approx((c - x).square().mean().item(), rel=1e-5)
    assert found["error of u"] == pytest.approx((u - x).square().mean().item(), rel=1e-5)
    assert found["error"] == pytest.approx((c + u - x).square().mean().item(), rel=1e-5)
    shares = [float((a * (a + b)).sum() / (a + b).square().sum()) for a, b in zip(c, u)]
    assert found["share of c"] == pytest.approx(100 * sum(shares) / len(shares), rel=1e-4)


def test_one_branch_has_no_contributions(trained):
    _, streams = trained
    assert contributions(shared.make_net(TINY, LINES["a"], streams), TINY, streams) == {}


def test_the_ground_is_what_lies_around_the_digit():
    images = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    images[0, :, 0, 0] = torch.tensor([255, 0, 51])
    images[0, :, 1, 1] = 200
    masks = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    masks[0, 0, 1, 1] = True
    found = ground(data.ImageSet(images, torch.tensor([0]), masks=masks))
    assert torch.allclose(found, torch.tensor([[1 / 3, 0.0, 0.2 / 3]]))


def test_contrast_detail_and_colour_on_pictures_that_one_can_reckon():
    flat = torch.full((1, 3, 8, 8), 0.7)
    halves = torch.zeros(1, 3, 8, 8)
    halves[..., 4:] = 2.0
    board = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 2.0
    board = board.expand(1, 3, 8, 8)
    red = torch.zeros(1, 3, 8, 8)
    red[:, 0] = 3.0
    assert contrast(flat).item() == 0 and contrast(halves).item() == 1 and contrast(board).item() == 1
    assert fine_detail(halves).item() == 0 and fine_detail(board).item() == 100
    assert math.isnan(fine_detail(flat).item())
    assert colour(halves).item() == 0 and colour(red).item() == pytest.approx(100 * 2 / 3)


def test_described_measures_against_the_image():
    image = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = described({"image": image, "c": image / 2})
    assert found["contrast", "c"] == pytest.approx(25, rel=1e-5)
    assert found["error", "c"] == pytest.approx((image / 2).square().mean().item(), rel=1e-5)
    assert found["error", "image"] == 0 and found["fine detail", "c"] == found["fine detail", "image"]


def test_probes_read_what_is_linear_and_not_what_is_not_there():
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(400, 6, generator=generator).double()
    y = (h[:, 0] + h[:, 1] > 0).long()
    noise = torch.randint(2, (400,), generator=generator)
    values = torch.stack((h[:, 2] - h[:, 3], 2 * h[:, 4]), 1)
    first, second = slice(200), slice(200, 400)
    assert class_probe(h[first], y[first], h[second], y[second]) > 95
    assert 35 < class_probe(h[first], noise[first], h[second], noise[second]) < 65
    assert value_probe(h[first], values[first], h[second], values[second]) > 99
    unrelated = torch.randn(400, 1, generator=generator).double()
    assert value_probe(h[first], unrelated[first], h[second], unrelated[second]) < 10


def test_the_source_is_read_as_it_is_printed():
    at = TABLE_3_4.paper
    assert at["accuracy", "i", 4000] == 86.6 and at["accuracy", "ae+stab", 2000] == 80.4
    assert mean_lead(at, "i", "ae+stab") == pytest.approx((2.3 + 1.2 + 1.7) / 3)
    assert at_line(TABLE_3_5.paper, "g") - at_line(TABLE_3_5.paper, "f") == pytest.approx(-0.3)
    # What Table 3.4 calls by other names is in both tables.
    for row in ("a", "b", "d", "i"):
        assert at["accuracy", row, 2000] == at_line(TABLE_3_5.paper, row)
    assert gap(FIGURE_3_10.paper, "without") > 0.8 and abs(gap(FIGURE_3_10.paper, "with")) < 0.06
    assert all(len(values) in (len(PAPER_EPOCHS), len(PAPER_EPOCHS) - 1) for values in PAPER.values())


def test_curves_end_where_the_run_ends():
    config = dataclasses.replace(FIGURE_3_10.configs["smoke"], steps=50)
    values = FIGURE_3_10.measure(config, 0)
    assert values["with", "c", "end"] == values["with", "c", 3]  # 22 batches a pass: 50 steps are 3 passes
    assert {cell[2] for cell in values} == {1, 2, 3, "end"}


def test_a_claim_turned_round_does_not_agree():
    measured = [{**TABLE_3_5.paper} for _ in range(3)]
    for cells, shift in zip(measured, (-0.01, 0.0, 0.01)):
        cells["accuracy", "b", 2000] += shift
    assert judge(TABLE_3_5.claims[0], {}, measured).state == "agrees"
    for cells in measured:
        cells["accuracy", "b", 2000] -= 10
    assert judge(TABLE_3_5.claims[0], {}, measured).state == "does not"
