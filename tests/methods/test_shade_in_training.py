"""SHADE through a training run: which passes count, when the averages move, and what is left behind."""

import gc
import shutil
import weakref

import pytest
import torch
from torch.nn.functional import cross_entropy

from course_lib.methods import Shade, shade_penalty
from tests.methods.small_nets import averages, batch_for, conv_net, dense_net, inputs_of_relus, same


def test_evaluation_mode_measures_but_moves_nothing():
    net = dense_net()
    shade = Shade(net)
    net(batch_for(net)[0])
    shade.penalty()
    before = averages(shade)
    net.eval()
    net(batch_for(net, 1)[0])
    in_evaluation = shade.penalty().item()
    assert same(before, averages(shade))
    net.train()
    shade.eval()
    net(batch_for(net, 1)[0])
    assert shade.penalty().item() == in_evaluation
    assert same(before, averages(shade))
    shade.train()
    net(batch_for(net, 1)[0])
    assert shade.penalty().item() == in_evaluation
    assert not same(before, averages(shade))


def test_evaluation_mode_with_update_first_moves_nothing():
    net = dense_net().eval()
    shade = Shade(net, update_first=True)
    before = averages(shade)
    net(batch_for(net)[0])
    shade.penalty()
    assert same(before, averages(shade))


def test_measure_is_the_penalty_of_each_unit_and_leaves_no_trace():
    net = dense_net()
    shade = Shade(net)
    net(batch_for(net)[0])
    shade.penalty()
    net(batch_for(net, 1)[0])
    before = averages(shade)
    x, _ = batch_for(net, 2)
    measured = shade.measure(x)
    assert list(measured) == ["1", "3"] and not measured["1"].requires_grad
    with torch.no_grad():
        expected = shade_penalty(net[:3](x), shade.unit("3").mu)
        recorded = inputs_of_relus(net, batch_for(net, 1)[0])
    torch.testing.assert_close(measured["3"], expected)
    assert same(before, averages(shade))
    expected = sum(shade_penalty(h, shade.unit(name).mu).mean() for name, h in zip(("1", "3"), recorded))
    torch.testing.assert_close(shade.penalty().detach(), expected)
    by_location = Shade(conv := conv_net(), statistics="location")
    assert by_location.measure(batch_for(conv)[0])["1"].shape == (48,)


def test_an_evaluation_between_forward_and_penalty_changes_nothing():
    values = []
    for disturbed in (False, True):
        net = dense_net()
        shade = Shade(net)
        net(batch_for(net)[0])
        if disturbed:
            net.eval()
            with torch.no_grad():
                net(batch_for(net, 1)[0])
            net(batch_for(net, 2)[0])
            net.train()
        values.append((shade.penalty().item(), averages(shade)))
    assert values[0][0] == values[1][0] and same(values[0][1], values[1][1])


def test_penalty_without_a_forward_pass_is_one_sentence():
    net = dense_net()
    shade = Shade(net)
    with pytest.raises(RuntimeError, match=r"^No forward pass in training mode .*: call model\(x\) first\.$"):
        shade.penalty()
    with torch.no_grad():
        net(batch_for(net)[0])
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()
    net(batch_for(net)[0])
    shade.penalty()
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()
    net(batch_for(net)[0])
    shade.forget()
    with pytest.raises(RuntimeError, match="No forward pass"):
        shade.penalty()


def test_two_views_are_one_batch_and_micro_batches_are_two():
    (one, _), (two, _) = batch_for(dense_net(), 1), batch_for(dense_net(), 2, n=3)
    net = dense_net()
    together = Shade(net)
    net(torch.cat([one, two]))
    expected = together.penalty().item()
    views = Shade(net)
    net(one), net(two)
    assert views.penalty().item() == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(views.unit("1").mu, together.unit("1").mu)
    micro = Shade(net)
    for x in (one, two):
        net(x)
        micro.penalty()
    assert not torch.allclose(micro.unit("1").mu, together.unit("1").mu)


def test_steps_without_the_penalty_leave_nothing_behind():
    net = dense_net()
    shade = Shade(net)
    for seed in range(3):
        x, y = batch_for(net, seed)
        cross_entropy(net(x), y).backward()
    x, _ = batch_for(net, 9)
    net(x)
    fresh = Shade(net)
    net_again = fresh.recorder.model
    net_again(x)
    expected = fresh.penalty().item()
    shade.forget()
    for seed in range(3):
        x, y = batch_for(net, seed)
        cross_entropy(net(x), y).backward()
    x, _ = batch_for(net, 9)
    net(x)
    penalty = shade.penalty()
    assert penalty.item() == pytest.approx(expected, rel=1e-12)
    penalty.backward()


def test_no_graph_and_no_tensor_outlives_a_step():
    net = dense_net()
    shade = Shade(net)
    for step in range(3):
        net(batch_for(net, step)[0])
        h = weakref.ref(shade.recorder.take()["1"]) if step == 1 else None
        if h is not None:
            gc.collect()
            assert h() is None
            continue
        shade.penalty().backward()
    assert all(b.grad_fn is None for b in shade.buffers())


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_compiled_units_give_the_same_penalties_and_gradients():
    net = conv_net()
    found = []
    for compiled in (False, True):
        with Shade(net) as shade:
            if compiled:
                for units in shade.units.values():
                    units.compile()
            for seed in range(3):  # the averages have moved by the last
                net(batch_for(net, seed)[0])
                penalty = shade.penalty()
                gradient = torch.autograd.grad(penalty, next(net.parameters()))[0]
            found.append((penalty, gradient, shade.state_dict()))
    torch.testing.assert_close(*(entry[0] for entry in found))
    torch.testing.assert_close(*(entry[1] for entry in found))
    torch.testing.assert_close(*(dict(entry[2]) for entry in found))
