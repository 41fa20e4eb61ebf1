"""Table 2.2 and its small-label sibling: an honest search, paired methods, the claims of the source."""

import dataclasses

import pytest
import torch

from course_lib import data, studies
from course_lib.studies.shade import tuned
from course_lib.studies.shade.few_labels import FEW_LABELS
from course_lib.studies.shade.table_2_2 import CLAIMS, NETS, PAPER, PHOTOGRAPHS, SMOKE, TABLE_2_2, mean_lead
from course_lib.studies.shade.tuned import METHODS, Recipe, Tuned, measure_tuned, recipe
from course_lib.studies.verdicts import quantity

QUICK = Tuned(
    "digits_m",
    ("mlp",),
    weight_decays=(0.0,),
    dropouts=(0.0,),
    penalties=(0.0,),
    validation=20,
    lr=(1e-3,),
    batch_size=10,
    steps=2,
    tested=200,
)


def test_every_cell_of_the_table_is_measured():
    config = dataclasses.replace(SMOKE, penalties=(0.1,), weight_decays=(1e-3,), tested=10)
    values = measure_tuned(config, 0)
    assert set(PAPER) <= set(values)
    assert {cell[1] for cell in values if cell[0] == "strength"} == set(METHODS) - {"none", "shade_dropout"}
    assert all(quantity(claim, values) is not None for claim in CLAIMS)


def test_a_method_of_no_strength_is_no_regulariser():
    """So all share first weights, images and batches; neither hooks nor a dropout of 0 change anything."""
    config = dataclasses.replace(QUICK, methods=(*METHODS, "class_variance"))
    values = measure_tuned(config, 3)
    accuracies = {value for cell, value in values.items() if cell[0] == "accuracy"}
    assert len(accuracies) == 1


@pytest.mark.parametrize("method", [method for method in METHODS if method != "none"])
def test_each_method_changes_what_is_learned(method):
    weights = {}
    for how in (
        Recipe(),
        recipe(method, {"weight_decay": 1.0, "dropout": 0.5, "shade": 9.0, "varentropy": 9.0}),
    ):
        weights[how] = learned(how)
    first, second = weights.values()
    assert not torch.equal(first, second)


def learned(how: Recipe) -> torch.Tensor:
    """The filters of the ConvNet after three steps."""
    torch.manual_seed(0)
    pool = data.load("digits_m", "train")
    model = tuned.make_net("convnet", pool.shape, 10, dropout=how.dropout)
    batches = data.Batches(pool, 20, seed=0)
    tuned.train(
        model, batches, how.penalty, weight=how.weight, steps=3, lr=1e-3, weight_decay=how.weight_decay
    )
    return model.body.conv1.weight.detach()


def test_the_strength_is_the_one_that_validation_prefers(monkeypatch):
    asked = []

    def accuracy(config, net, how, seen, on, seed):
        asked.append((how, len(seen), len(on)))
        return {0.03: 40.0, 0.1: 60.0, 0.3: 60.0, 1.0: 50.0}.get(how.weight, 10.0)

    monkeypatch.setattr(tuned, "trained_accuracy", accuracy)
    config = dataclasses.replace(QUICK, penalties=(1.0, 0.3, 0.1, 0.03), methods=("none", "shade"))
    values = measure_tuned(config, 0)
    assert values["strength", "shade", "mlp", 0] == 0.1  # of two that are equally good, the weaker
    assert values["accuracy", "none", "mlp", 0] == 10 and values["accuracy", "shade", "mlp", 0] == 60
    searched, tested = [a for a in asked if a[2] == 20], [a for a in asked if a[2] == 200]
    assert {a[1] for a in searched} == {1180} and len(searched) == 4  # never trained on what it is asked
    assert [a[1] for a in tested] == [1200, 1200]  # and then on all


def test_without_retraining_the_held_out_images_stay_out(monkeypatch):
    seen = []
    monkeypatch.setattr(tuned, "trained_accuracy", lambda *a: seen.append(len(a[3])) or 0.0)
    config = dataclasses.replace(QUICK, retrain=False, labels=(30, 60), methods=("none", "dropout"))
    values = measure_tuned(config, 0)
    assert seen == [30] * 3 + [60] * 3
    assert ("accuracy", "dropout", "mlp", 60) in values


def test_what_is_held_out_is_not_trained_on():
    pool, _ = tuned.splits("digits_m")
    rest, held_out = data.split_off(pool.labels, 300, 0)
    assert not set(rest.tolist()) & set(held_out.tolist())
    both = tuned.joined(pool.subset(rest), pool.subset(held_out))
    assert len(both) == len(pool)
    assert both.labels.bincount().tolist() == pool.labels.bincount().tolist()


def test_shade_with_dropout_takes_the_strengths_of_each():
    assert recipe("shade_dropout", {"shade": 0.3, "dropout": 0.5, "weight_decay": 7.0}) == Recipe(
        "shade", 0.3, 0.5
    )
    assert recipe("weight_decay", {"weight_decay": 7.0}) == Recipe(weight_decay=7.0)


def test_all_regularisers_are_searched_as_widely():
    for study in (TABLE_2_2, PHOTOGRAPHS, FEW_LABELS):
        for scale, config in study.configs.items():
            if scale != "smoke":
                sizes = {len(config.weight_decays), len(config.dropouts), len(config.penalties)}
                assert len(sizes) == 1, (study.id, scale)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.text)
def test_each_claim_holds_for_the_papers_own_numbers(claim):
    assert claim.above < quantity(claim, PAPER) < claim.below


def test_the_leads_of_the_source():
    lead = {net: PAPER["accuracy", "shade", net, 0] - PAPER["accuracy", "none", net, 0] for net in NETS}
    assert list(lead.values()) == pytest.approx([3.67, 2.20, 2.31, 2.31])
    assert mean_lead(PAPER, "shade", "dropout") == pytest.approx((0.68 - 0.50 + 2.17 + 2.21) / 4)


def test_few_labels_measures_what_it_claims():
    config = dataclasses.replace(FEW_LABELS.configs["smoke"], labels=(100, 500), tested=20)
    values = measure_tuned(config, 0)
    assert all(quantity(claim, values) is not None for claim in FEW_LABELS.claims)
    worse = {cell: -value for cell, value in values.items()}
    for claim in FEW_LABELS.claims:
        assert quantity(claim, worse) == pytest.approx(-quantity(claim, values))


@pytest.mark.slow
@pytest.mark.parametrize("study", [TABLE_2_2, FEW_LABELS], ids=lambda study: study.id)
def test_the_gpu_scale_runs_with_tiny_numbers(study):
    own = study.configs["gpu"]
    small = {"penalties": (0.1,), "weight_decays": (1e-3,), "dropouts": (0.5,), "batch_size": 10, "steps": 1}
    small |= {"validation": 20, "tested": 10, "inception_width": 1 / 16, "wideresnet": (10, 1)}
    labels = (None,) if own.labels == (None,) else (50,)
    crop = own.crop and 12
    result = studies.run(study, "gpu", 1, "digits_m", labels=labels, crop=crop, **small)
    assert len([cell for cell in result.cells if cell[0] == "accuracy"]) == len(own.nets) * len(own.methods)
