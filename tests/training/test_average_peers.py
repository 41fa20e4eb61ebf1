"""The averages that are raced in ``benchmarks/ema.py`` have the same values."""

import pytest

from benchmarks import ema


@pytest.mark.parametrize("peer", [ema.TIMM, ema.STATE])
def test_averages_of_the_peers_are_ours(peer):
    if peer not in ema.peers():
        pytest.skip("timm is not installed")
    small = ema.models()["small net"]
    assert ema.agreement(peer, small) < 1e-6


def test_a_difference_is_found():
    small = ema.models()["small net"]
    one, other = ema.Ours(small, "copy"), ema.Ours(small, "own")
    for average in (one, other):
        average.update(ema.moved(small, 0))
    assert ema.largest_difference(one.state(), other.state()) > 1e-3
