"""How the nets of the HybridNet chapter are trained: the schedules of Appendix B, the streams, the lines."""

import dataclasses
import math

import pytest
import torch

from course_lib import studies
from course_lib.methods.mean_teacher import MeanTeacher
from course_lib.methods.stability import SecondPass
from course_lib.methods.temporal_ensembling import TemporalEnsembling
from course_lib.studies.hybridnet import scales, shared
from course_lib.studies.hybridnet.first_version import FirstVersion, Row, train_row
from course_lib.studies.hybridnet.lines import LINES
from course_lib.studies.hybridnet.setting import CONV_LARGE, CONV_STL, SHAKE_SHAKE, SHAKE_SHAKE_SVHN, Setting
from course_lib.studies.hybridnet.table_3_2 import FIRST, ROWS

TINY = dataclasses.replace(scales.DIGITS, steps=2, tested=30)
START, MIDDLE, END = math.exp(-5), math.exp(-5 / 4), 1.0


def weight_at(schedules, name: str, progress: float) -> float:
    setting = Setting("digits_m", schedules=schedules, rec=1.0, inter=1.0, stab=1.0)
    return setting.weights(rec=True, inter=True, stab=True).at(progress)[name]


@pytest.mark.parametrize(
    "schedules, name, progress, value",
    [
        (CONV_LARGE, "cls", 0.0, START),
        (CONV_LARGE, "cls", 400 / 60_000, MIDDLE),
        (CONV_LARGE, "cls", 800 / 60_000, END),
        (CONV_LARGE, "cls", 1.0, END),
        (CONV_LARGE, "stab", 0.0, START),
        (CONV_LARGE, "stab", 1 / 8, MIDDLE),
        (CONV_LARGE, "stab", 1 / 4, END),
        (CONV_LARGE, "stab", 4 / 5, END),
        (CONV_LARGE, "stab", 9 / 10, MIDDLE),
        (CONV_LARGE, "stab", 1.0, START),
        (CONV_LARGE, "rec", 0.0, END),
        (CONV_LARGE, "rec", 0.95, END),
        (CONV_LARGE, "rec", 0.975, MIDDLE),
        (CONV_LARGE, "inter", 1.0, START),
        (CONV_STL, "cls", 4000 / 150_000, END),
        (CONV_STL, "cls", 2000 / 150_000, MIDDLE),
        (CONV_STL, "stab", 7 / 8, MIDDLE),
        (SHAKE_SHAKE, "cls", 0.0, END),
        (SHAKE_SHAKE, "stab", 0.0, END),
        (SHAKE_SHAKE, "rec", 2.5 / 300, MIDDLE),
        (SHAKE_SHAKE, "rec", 1.0, END),
        (SHAKE_SHAKE, "inter", 1 / 300, MIDDLE),
        (SHAKE_SHAKE_SVHN, "stab", 2.5 / 150, MIDDLE),
        (SHAKE_SHAKE_SVHN, "inter", 2 / 150, END),
    ],
)
def test_weights_follow_the_tables_of_the_appendix(schedules, name, progress, value):
    assert weight_at(schedules, name, progress) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(
    "schedules, progress, factor",
    [
        (CONV_LARGE, 0.5, 1.0),
        (CONV_LARGE, 2 / 3, 1.0),
        (CONV_LARGE, 5 / 6, 0.5),
        (CONV_LARGE, 1.0, 0.0),
        (CONV_STL, 0.9, 1.0),
        (CONV_STL, 0.95, 0.5),
        (SHAKE_SHAKE, 0.0, 1.0),
        (SHAKE_SHAKE, 0.5, 0.5),
        (SHAKE_SHAKE, 1.0, 0.0),
    ],
)
def test_the_rate_falls_as_the_appendix_says(schedules, progress, factor):
    assert schedules.rate(progress) == pytest.approx(factor, abs=1e-12)


def test_beta_1_goes_to_a_half_over_the_last_fifth():
    setting = Setting("digits_m")
    optimizer = setting.make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    slow = setting.slow(optimizer)
    found = []
    for progress in (0.0, 0.8, 0.9, 1.0):
        slow(progress)
        found.append(optimizer.param_groups[0]["betas"])
    assert [beta for beta, _ in found] == pytest.approx([0.9, 0.9, 0.5 + 0.4 * MIDDLE, 0.5 + 0.4 * START])
    assert {second for _, second in found} == {0.999}


def test_lambda_is_the_height_of_its_plateau_and_a_line_without_a_term_has_none():
    setting = Setting("digits_m", rec=3.0, inter=5.0, stab=7.0)
    assert setting.weights(rec=True, inter=True, stab=True).at(0.5) == {
        "cls": 1.0, "rec": 3.0, "inter": 5.0, "stab": 7.0,
    }  # fmt: skip
    assert set(setting.weights(rec=False, inter=False, stab=False).at(0.5)) == {"cls"}


def test_the_streams_share_no_image_and_together_are_the_training_split():
    streams = shared.images(TINY, 20, seed=1)
    assert len(streams.labelled) == 20 and len(streams.test) == 30
    assert streams.labelled.labels.bincount().tolist() == [2] * 10
    seen = torch.cat((streams.labelled.images, streams.unlabelled.images)).flatten(1)
    assert len(seen) == 1200
    assert not torch.equal(streams.labelled.images, shared.images(TINY, 20, seed=2).labelled.images)


def test_options_of_one_set_are_not_asked_of_another():
    other = dataclasses.replace(TINY, data="objects")
    assert shared.images(other, 20, seed=0).labelled.shape == (3, 32, 32)


def test_lines_of_one_seed_share_the_first_weights_of_the_classifier():
    streams = shared.images(TINY, 20, seed=0)
    first = {}
    for name, line in LINES.items():
        torch.manual_seed(0)
        net = shared.make_net(TINY, line, streams)
        first[name] = torch.cat([p.detach().flatten() for p in net.deployed.parameters()])
    assert all(torch.equal(weights, first["a"]) for weights in first.values())


TABLE = {  # (stab, rec, inter, balanced) of Table 3.5
    "a": (0, 0, 0, 0), "b": (1, 0, 0, 0), "c": (0, 1, 0, 0), "d": (0, 1, 1, 0), "e": (0, 1, 1, 1),
    "f": (1, 1, 0, 0), "g": (1, 1, 0, 1), "h": (1, 1, 1, 0), "i": (1, 1, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name, terms", TABLE.items())
def test_a_line_has_the_terms_that_the_table_ticks(name, terms):
    line = LINES[name]
    assert (line.stab, line.rec, line.inter, line.balanced) == tuple(map(bool, terms))
    assert line.branches == ("cls" if name in "ab" else "hybrid")
    _, history = shared.train(TINY, line, shared.images(TINY, 20, seed=0), seed=0)
    on = dict(zip(("stab", "rec", "inter"), terms))
    assert {term for term in on if term in history.losses} == {term for term, there in on.items() if there}


@pytest.mark.parametrize(
    "target, kind", [("mt", MeanTeacher), ("te", TemporalEnsembling), ("pi", SecondPass)]
)
def test_the_target_is_the_one_that_the_setting_names(target, kind):
    setting = dataclasses.replace(TINY, target=target)
    streams = shared.images(setting, 20, seed=0)
    net, history = shared.train(setting, LINES["b"], streams, seed=0)
    assert isinstance(shared.stability_target(setting, net.deployed, streams), kind)
    assert math.isfinite(history.losses["stab"][-1])


def test_an_unknown_target_is_named():
    setting = dataclasses.replace(TINY, target="vat")
    streams = shared.images(setting, 20, seed=0)
    with pytest.raises(ValueError, match="target is 'vat', possible are mt, te, pi"):
        shared.stability_target(setting, shared.make_net(setting, LINES["a"], streams).deployed, streams)


@pytest.mark.parametrize("standardise, low, high", [(True, -0.01, 0.01), (False, -1.0, 1.0)])
def test_pixels_are_standardised_or_between_minus_one_and_one(standardise, low, high):
    setting = dataclasses.replace(TINY, standardise=standardise)
    streams = shared.images(setting, 20, seed=0)
    x = torch.cat([batch.x for batch in shared.in_order(setting, streams, streams.unlabelled)])
    if standardise:
        assert low < x.mean() < high and abs(x.std() - 1) < 0.01
    else:
        assert x.min() == low and x.max() == high


def test_weight_decay_and_shade_each_change_what_a_row_learns():
    config = FirstVersion(
        **(vars(FIRST) | {"steps": 3, "tested": 20, "decay_weight": 1.0, "shade_weight": 5.0})
    )
    streams = shared.images(config, 20, seed=0)
    nets = {name: train_row(config, row, streams, seed=0) for name, row in ROWS.items()}
    weights = {name: net.encoder_c.steps[0][0].weight.detach() for name, net in nets.items()}
    names = list(weights)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert not torch.equal(weights[first], weights[second]), (first, second)
    assert Row("hybrid") == ROWS["HybridNet"] and nets["HybridNet"].decoder is not None
    assert nets["SWWAE"].decoder_c.up == "unpool" and nets["supervised"].decoder_c is None


def test_shade_leaves_no_hook_on_the_net():
    config = FirstVersion(**(vars(FIRST) | {"steps": 1, "tested": 20}))
    net = train_row(config, Row("hybrid", shade=True), shared.images(config, 20, seed=0), seed=0)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(
    "id", [study.id for study in studies.registry.all_studies() if study.id.startswith("hybridnet.")]
)
def test_every_study_runs_with_tiny_numbers_at_full_size_in_kind(id):
    """The net, data options and schedules of the gpu configuration, narrow, for one step, on drawn images."""
    study = studies.registry.get(id)
    config = study.configs["gpu"]
    narrow = {"conv_large": 0.04, "conv_stl": 0.04, "conv_shade": 4, "shake_shake": 4}[config.net]
    changes = {"data": "objects", "options": (("n", 60),), "net_options": (("width", narrow),), "tested": 10}
    changes |= {"steps": 1, "n_labelled": 4, "n_unlabelled": 4}
    if config.net == "conv_stl":
        changes["options"] = (("n", 60), ("size", 96))
    for field in ("labels", "sets"):
        if hasattr(config, field):
            value = getattr(config, field)
            changes[field] = 20 if isinstance(value, int) else (20,)
    if hasattr(config, "sets"):
        changes["sets"] = (("objects", "objects", (("n", 60),), (20,)),)
    if hasattr(config, "lines") and isinstance(config.lines, tuple):
        changes["lines"] = config.lines[-2:]
    values = study.measure(dataclasses.replace(config, **changes), 0)
    assert values and all(len(cell) == len(study.axes) for cell in values)
