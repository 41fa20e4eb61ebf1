"""The variants of SHADE: types, state through a file, defaults, and what is refused."""

import pytest
import torch

from course_lib.methods import (
    Shade,
    ShadeVariant,
    hard_penalty,
    log_penalty,
    update_hard_averages,
    update_self_normalised,
)
from course_lib.methods.shade_variants import VARIANCE_FLOOR, VARIANTS
from tests.methods.small_nets import averages, batch_for, conv_net, dense_net, same
from tests.methods.units import INITIAL_P, uneven, uneven_mu

UPDATES = (update_self_normalised, update_hard_averages)


def test_low_precision_is_computed_in_float32():
    h, mu = uneven(8, 2).bfloat16(), uneven_mu(2).float()
    for penalty in (hard_penalty, log_penalty):
        assert torch.equal(penalty(h, mu), penalty(h.float(), mu))
    for update in UPDATES:
        assert all(part.dtype == torch.float32 for part in update(h, mu, INITIAL_P.float()))


@pytest.mark.parametrize("name", VARIANTS)
def test_state_goes_into_a_fresh_one_and_on(name):
    net = conv_net()
    penalised = ShadeVariant(net, variant=name)
    for step in range(2):
        net(batch_for(net, step)[0])
        penalised.penalty()
    resumed = ShadeVariant(net, variant=name)
    resumed.load_state_dict(penalised.state_dict())
    assert same(averages(penalised), averages(resumed))
    net(batch_for(net, 7)[0])
    assert penalised.penalty().item() == resumed.penalty().item()
    assert same(averages(penalised), averages(resumed))
    before = averages(resumed)
    net.eval()
    net(batch_for(net, 8)[0])
    resumed.penalty().backward()
    assert same(before, averages(resumed)) and net[0].weight.grad.abs().sum() > 0
    assert set(before) == set(averages(Shade(net)))


def test_defaults_are_those_of_shade():
    penalised = ShadeVariant(dense_net(), variant="log")
    assert penalised.unit("1").decay == 0.8 and penalised.layers == ("1", "3")
    assert "variant=log, statistics=channel, reduction=mean, update_first=False" in repr(penalised)
    assert VARIANCE_FLOOR == 1e-6


def test_impossible_input():
    net, h, mu, p = dense_net(), torch.zeros(3, 4), torch.zeros(2, 4), torch.full((2, 4), 0.5)
    with pytest.raises(ValueError, match="variant is 'soft', possible are self-normalised, hard, log"):
        ShadeVariant(net, variant="soft")
    with pytest.raises(ValueError, match="reduction is 'sum', possible for the variant 'log' is mean"):
        ShadeVariant(net, variant="log", reduction="sum")
    with pytest.raises(ValueError, match="decay is 1.5"):
        ShadeVariant(net, variant="hard", decay=1.5)
    assert not any(m._forward_pre_hooks for m in net.modules())
    for update in UPDATES:
        for decay in (-0.1, 1.1):
            with pytest.raises(ValueError, match=f"decay is {decay}, possible is 0 to 1"):
                update(h, mu, p, decay)
        with pytest.raises(ValueError, match=r"mu has shape \(2, 3\)"):
            update(h, mu[:, :3], p)
        with pytest.raises(ValueError, match=r"p has shape \(4,\)"):
            update(h, mu, p[0])
    for penalty in (hard_penalty, log_penalty):
        with pytest.raises(TypeError, match=r"h has type torch.int64"):
            penalty(h.long(), mu)
        with pytest.raises(ValueError, match=r"mu has shape \(2, 3\), needed is \(2, 4\)"):
            penalty(h, mu[:, :3])
