"""The task saliency.combine: right answers pass in any form, wrong ones get their own message."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib.grading.tasks.saliency.combine import TASK, oracle
from course_lib.methods.saliency.combination import combine
from tests.grading.trying import verdict

# --- right answers ---------------------------------------------------------------------------


def all_at_once(maps, weights, size, mode="sum"):
    m = torch.cat([F.interpolate(each, size, mode="bilinear") for each in maps], 1)  # (B, J, H, W)
    m = m - m.amin((2, 3), keepdim=True)
    m = m / m.amax((2, 3), keepdim=True).clamp(min=1e-12)
    gamma = (weights / weights.sum())[:, None, None]
    if mode == "sum":
        return (gamma * m).sum(1, keepdim=True)
    return (m**gamma).prod(1, keepdim=True)


def with_a_little_number(maps, weights, size=None, mode="sum", eps=1e-8):
    """One layer after the other; what is below the fraction line is never 0."""
    total = float(sum(weights))
    result = 0 if mode == "sum" else 1
    for m, w in zip(maps, weights.tolist()):
        m = torch.nn.Upsample(size, mode="bilinear", align_corners=False)(m)
        low = m.flatten(1).min(1).values.view(-1, 1, 1, 1)
        high = m.flatten(1).max(1).values.view(-1, 1, 1, 1)
        m = (m - low) / (high - low + eps)
        result = result + w / total * m if mode == "sum" else result * m.pow(w / total)
    return result


def image_by_image(maps, weights, size, mode="sum"):
    """In NumPy, the bilinear weights as matrices."""

    def hats(have, want):
        at = np.clip((np.arange(want) + 0.5) * have / want - 0.5, 0, have - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(have)))

    gamma = weights.double().cpu().numpy()
    gamma = gamma / gamma.sum()
    made = []
    for b in range(len(maps[0])):
        each = []
        for m in maps:
            plain = m[b, 0].double().cpu().numpy()
            large = hats(plain.shape[0], size[0]) @ plain @ hats(plain.shape[1], size[1]).T
            span = np.ptp(large)
            each.append((large - large.min()) / (span if span > 1e-6 else 1) if span > 1e-6 else 0 * large)
        power = [m**g for m, g in zip(each, gamma)]
        made.append(np.tensordot(gamma, each, 1) if mode == "sum" else np.prod(power, axis=0))
    return torch.as_tensor(np.stack(made)[:, None], dtype=maps[0].dtype, device=maps[0].device)


def of_the_library(maps, weights, size, mode="sum"):
    return combine(maps, weights, size, mode)


RIGHT = [all_at_once, with_a_little_number, image_by_image, of_the_library]

# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "no range": "finite",
    "standardised": "finite",
    "constant map divided by 0": "finite",
    "logarithm of 0": "finite",
    "rows and columns exchanged": "shape",
    "no axis for the map": "shape",
    "writes into the maps": "inputs",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def over_the_batch(maps, weights, size, mode="sum"):
        maps = [F.interpolate(m, size, mode="bilinear") for m in maps]
        maps = [(m - m.min()) / (m.max() - m.min() + 1e-12) for m in maps]
        powers = [w * m if mode == "sum" else m**w for w, m in zip(weights / weights.sum(), maps)]
        return sum(powers) if mode == "sum" else torch.stack(powers).prod(0)

    assert verdict(TASK, over_the_batch).misconception == "range of the batch"


# --- the oracle ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_it_lies_between_0_and_1_and_the_product_below_the_sum(number):
    given = TASK.cases[number].exact()
    added, multiplied = (oracle(**given | {"mode": mode}) for mode in ("sum", "product"))
    assert (multiplied >= 0).all() and (multiplied <= added + 1e-12).all() and (added <= 1 + 1e-12).all()


@pytest.mark.parametrize("mode", ["sum", "product"])
def test_neither_the_scale_of_the_weights_nor_that_of_a_map_matters(mode):
    given = TASK.cases[0].exact() | {"mode": mode}
    other = given | {"weights": 3 * given["weights"], "second": 7 * given["second"] - 2}
    assert torch.allclose(oracle(**given), oracle(**other), rtol=1e-10)


def test_one_layer_is_itself_scaled_and_a_weight_of_0_leaves_a_layer_out():
    given = TASK.cases[4].exact()
    large = F.interpolate(given["first"], (6, 4), mode="bilinear", align_corners=False)
    low, high = large.amin((2, 3), keepdim=True), large.amax((2, 3), keepdim=True)
    assert torch.allclose(oracle(**given), (large - low) / (high - low), rtol=1e-10)
    given = TASK.cases[3].exact()
    alone = {name: given[name] for name in ("height", "width", "mode", "first")}
    assert torch.allclose(oracle(**given), oracle(weights=torch.ones(1), **alone), rtol=1e-12)


def test_an_image_is_the_same_in_any_batch():
    given = TASK.cases[2].exact()
    alone = given | {name: given[name][1:2] for name in ("first", "second")}
    assert torch.equal(oracle(**alone), oracle(**given)[1:2])
