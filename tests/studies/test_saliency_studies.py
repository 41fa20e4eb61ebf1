"""What the saliency studies measure: every claim has its cells, and the numbers are what they are called."""

import dataclasses

import pytest
import torch

from course_lib.localisation import to_size
from course_lib.methods import saliency
from course_lib.metrics import spearman
from course_lib.studies.saliency import STUDIES, composed, pointing, scales, sensitivity, worlds
from course_lib.studies.saliency.figure_3 import PAPER, ByStage
from course_lib.studies.saliency.figures_6_and_7 import share_weaker, weaker
from course_lib.studies.saliency.identity import Identity, measure_identity
from course_lib.studies.saliency.pointing import Pointing, measure_pointing
from course_lib.studies.saliency.randomised import Randomised, measure_randomised
from course_lib.studies.saliency.sensitivity import ClassSensitivity, measure_sensitivity
from course_lib.studies.saliency.setting import METHODS, NETS, STAGES
from course_lib.studies.saliency.supplement_tables import measure_best_stage, measure_gains
from course_lib.studies.saliency.table_3 import COLUMNS, ROWS, TABLE_3, best_of
from course_lib.studies.saliency.weak_localisation import best, price_of_one_threshold, range_of_thresholds
from course_lib.studies.verdicts import quantity

WITHOUT_FILES = [study for study in STUDIES if study.configs["smoke"].data in ("scenes",)]
ONE = {"nets": ("gap",)}


@pytest.fixture(scope="module")
def game():
    """The pointing game of two methods, at smoke scale."""
    config = scales.smoke(Pointing, **ONE, methods=("LA", "NG"))
    return config, measure_pointing(config, 0)


@pytest.mark.parametrize("study", WITHOUT_FILES, ids=lambda study: study.id)
def test_smoke_measures_every_claim(study):
    values = study.measure(study.configs["smoke"], 0)
    lacking = [claim.text for claim in study.claims if quantity(claim, values) is None]
    assert not lacking and all(isinstance(value, float) for value in values.values())
    assert all(len(cell) == len(study.axes) for cell in values)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.id)
def test_every_coordinate_has_a_name_for_readers(study):
    shown = {c for cell in (*study.paper, *(study.shown or ())) for c in cell if isinstance(c, str)}
    assert shown <= set(study.names)


def test_the_paper_s_numbers_stand_where_they_are_printed():
    assert TABLE_3.paper["gap", "all", "CEB", "b.s."] == 90.7
    assert TABLE_3.paper["gap", "all", "LA", "b.w."] == 91.2
    assert TABLE_3.paper["fc", "all", "NG", "b.s."] == 81.9
    assert TABLE_3.paper["gap", "difficult", "GC", "b.w."] == 82.6
    assert TABLE_3.paper["fc", "difficult", "LA", "b.w."] == 77.4
    assert PAPER["fc", "all", "GC", "last"] == 86.64 and PAPER["gap", "all", "Gd", "2"] == 83.92


def test_combinations_of_the_source_are_its_best_stage_and_its_best_gain():
    """The source's Table 3 and its supplement's Table 3 are two views of one measurement, to a rounding."""
    gains = next(study for study in STUDIES if study.id == "saliency.supplement_table_3").paper
    for images, net, choice in COLUMNS:
        if choice == "b.w.":
            for method in ("LA", "sNG"):
                most = max(v for cell, v in gains.items() if cell[:3] == (net, images, method))
                single = TABLE_3.paper[net, images, method, "b.s."]
                assert TABLE_3.paper[net, images, method, "b.w."] == pytest.approx(single + most, abs=0.15)
    assert len(ROWS) == len(METHODS) == 9


# --- the pointing game -----------------------------------------------------------------------


def test_the_game_by_hand(game):
    """Linear approximation at stage 3, pair after pair, with plain loops."""
    config, found = game
    asked = worlds.subject(config, "gap", 0)
    scenes = composed.scenes(config, "test", True, config.tested)
    x = composed.as_seen(scenes)
    told = {}
    for i in range(len(x)):
        for c in scenes.masks[i].flatten(1).any(1).nonzero().flatten().tolist():
            maps = saliency.saliency(asked.net, x[i : i + 1], c, "linear_approximation", "body.relu3")
            place = to_size(maps, 48).flatten().argmax().item()
            rows, columns = scenes.masks[i, c].nonzero().T
            squared = (rows - place // 48) ** 2 + (columns - place % 48) ** 2
            told.setdefault(c, []).append(float(squared.min() < 9))
    wanted = sum(sum(each) / len(each) for each in told.values()) / len(told)
    assert found["gap", "all", "LA", "3"] == pytest.approx(100 * wanted)


def test_the_centre_points_as_well(game):
    config, found = game
    batch = next(composed.pairs(config))
    near = []
    for mask in batch.masks:
        rows, columns = mask.nonzero().T
        near.append(float(((rows - 24) ** 2 + (columns - 24) ** 2).min() < 9))
    by_class = {}
    for c, hit in zip(batch.y.tolist(), near):
        by_class.setdefault(c, []).append(hit)
    wanted = 100 * sum(sum(v) / len(v) for v in by_class.values()) / len(by_class)
    assert found["gap", "all", "centre", "centre"] == pytest.approx(wanted)


def test_every_stage_and_every_combination_is_there(game):
    _, found = game
    wheres = {cell[3] for cell in found if cell[2] == "LA"}
    stages = {"input", "1", "2", "3", "last"}
    assert wheres == stages | {f"{w} {m}" for w in pointing.WEIGHTS for m in ("sum", "product")}


def test_the_best_of_a_line_is_its_largest(game):
    _, found = game
    best_ones = best_of(found)
    stages = [found["gap", "all", "LA", stage] for stage in ("input", "1", "2", "3", "last")]
    assert best_ones["gap", "all", "LA", "b.s."] == max(stages)
    combined = [v for cell, v in found.items() if cell[1:3] == ("all", "LA") and " " in cell[3]]
    assert len(combined) == 8 and best_ones["gap", "all", "LA", "b.w."] == max(combined)


def test_gains_and_best_stages_follow_from_the_game(game, monkeypatch):
    _, found = game
    monkeypatch.setattr("course_lib.studies.saliency.supplement_tables.measure_pointing", lambda c, s: found)
    gains = measure_gains(None, 0)
    singles = {cell: value for cell, value in found.items() if " " not in cell[3]}
    stages = {stage: found["gap", "all", "NG", stage] for stage in ("input", "1", "2", "3", "last")}
    wanted = found["gap", "all", "NG", "linear product"] - max(stages.values())
    assert gains["gap", "all", "NG", "product", "linear"] == pytest.approx(wanted)
    monkeypatch.setattr(
        "course_lib.studies.saliency.supplement_tables.measure_pointing", lambda c, s: singles
    )
    places = measure_best_stage(None, 0)
    first_best = max(stages, key=stages.get)
    wanted = {"input": 0, "1": 1, "2": 2, "3": 3, "last": 5}[first_best]
    assert places["gap", "all", "NG"] == wanted


def test_weights_add_up_to_one_and_combinations_leave_the_image_out(game):
    config, _ = game
    asked = worlds.subject(config, "gap", 0)
    for gammas in pointing.stage_weights(config, asked).values():
        assert len(gammas) == 4 and sum(gammas) == pytest.approx(1)


# --- does the map depend on the class, on the weights, on the identity? ------------------------


def test_class_sensitivity_by_hand():
    config = scales.smoke(ClassSensitivity, **ONE, asked=5, methods=("sNG",), steps=(0.0, 0.02))
    found = measure_sensitivity(config, 0)
    asked = worlds.subject(config, "gap", 0)
    x, _ = worlds.labelled(config, "test", 5)
    logits = asked.net(x).detach()
    for eps in (0.0, 0.02):
        rho = []
        for one, scores in zip(x.split(1), logits):
            pair = [
                saliency.saliency(
                    asked.net, one, int(c), "selective_normgrad", "body.relu2", size=48, meta=eps
                )
                for c in (scores.argmax(), scores.argmin())
            ]
            rho.append(spearman(*pair).item())
        assert found["gap", "sNG", "2", eps] == pytest.approx(sum(rho) / 5, rel=1e-6)


def test_the_size_of_a_correlation_counts():
    at = {
        ("gap", "LA", stage, eps): value
        for stage in ("1", "2", "3", "last")
        for eps, value in ((0.0, -0.5), (0.01, 0.2))
    }
    assert weaker(at, "gap", "LA", 0.01) == pytest.approx(0.3)
    assert share_weaker(at, 0.01) == 100
    at["gap", "LA", "3", 0.01] = 0.6
    assert share_weaker(at, 0.01) == 75


def test_randomised_nets_keep_the_class_and_the_last_part_is_always_seen():
    config = scales.smoke(Randomised, **ONE, asked=3, methods=("LA",), with_meta=(), stages=("2",), every=4)
    found = measure_randomised(config, 0)
    assert [cell[3] for cell in found] == ["conv3", "conv1"] or [cell[3] for cell in found][-1] == "conv1"
    asked = worlds.subject(config, "gap", 0)
    x, _ = worlds.labelled(config, "test", 3)
    y = asked.net(x).argmax(1)
    last = list(saliency.cascade(asked.net, 0))[-1][1]
    pair = [
        saliency.saliency(net, x, y, "linear_approximation", "body.relu2", size=48)
        for net in (asked.net, last)
    ]
    assert found["gap", "LA", "2", "conv1"] == pytest.approx(spearman(*pair).mean().item(), rel=1e-6)


def test_the_identity_trick_is_compared_with_the_real_convolution():
    config = scales.smoke(Identity, **ONE, asked=4)
    found = measure_identity(config, 0)
    asked = worlds.subject(config, "gap", 0)
    x, y = worlds.labelled(config, "test", 4)
    real = saliency.saliency(asked.net, x, y, "normgrad_conv", "body.conv3", size=48)
    virtual = saliency.saliency(asked.net, x, y, "normgrad", "body.conv3", size=48)
    assert found["correlation", "gap", "3"] == pytest.approx(100 * spearman(real, virtual).mean().item())
    gaps = [abs(v) for cell, v in found.items() if cell[0] == "pointing" and cell[2] != "mean"]
    assert found["pointing", "both", "mean"] == pytest.approx(sum(gaps) / len(gaps)) and len(gaps) == 4


def test_maps_are_as_large_as_the_image():
    config = scales.smoke(ClassSensitivity, **ONE)
    asked = worlds.subject(config, "gap", 0)
    x, y = worlds.labelled(config, "test", 2)
    found = sensitivity.maps(asked, x, y, ("NG", "EB"))
    assert {cell[0] for cell in found} == {"NG", "EB"} and len(found) == 10
    assert all(each.shape == (2, 1, 48, 48) for each in found.values())


# --- the rest --------------------------------------------------------------------------------


def test_one_threshold_for_all_costs_what_it_costs():
    at = {("gap", m, "3", t): 0.0 for m in METHODS for t in (0.2, 0.8)}
    for n, m in enumerate(METHODS):
        at["gap", m, "3", 0.2 if n else 0.8] = 90.0
    assert best(at, "gap", "LA", "3") == (90.0, 0.2)
    assert range_of_thresholds(at, "gap", "3") == pytest.approx(0.6)
    assert price_of_one_threshold(at, "gap", "3") == pytest.approx(10.0)


def test_nets_learn_from_their_seed_alone():
    config = dataclasses.replace(scales.smoke(ByStage), alone=1, several=1, learned=33)
    settings = {
        k: getattr(config, k)
        for k in ("clutter", "alone", "several", "batch_size", "weight_decay", "learned")
    }
    one, again, other = (composed.trained_state("gap", seed, **settings) for seed in (0, 0, 1))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert set(NETS) == {"gap", "fc"} and set(composed.STAGES) < set(STAGES)
