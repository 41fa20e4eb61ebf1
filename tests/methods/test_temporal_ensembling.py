"""Temporal Ensembling against the explicit weighted sum over passes, with dictionaries and loops."""

import pytest
import torch

from course_lib.methods.temporal_ensembling import TemporalEnsembling
from tests.methods.small_nets import DEVICES
from tests.methods.students import OneView, assert_a_stopped_run_continues

N, C = 7, 3


def batch(*index):
    return OneView(None, None, torch.tensor(index))


def answers(b, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, C, generator=generator, dtype=torch.float64).softmax(1)


def passes(count, seed=0):
    """What is said in each pass: pairs (index, prob) in another order each time, some images left out."""
    generator = torch.Generator().manual_seed(seed)
    said = []
    for epoch in range(count):
        order = torch.randperm(N, generator=generator)[: 7 if epoch < 2 else 4]
        said.append([(part, answers(len(part), 10 * epoch + i)) for i, part in enumerate(order.split(3))])
    return said


def literal(said, alpha):
    """Z <- alpha Z + (1 - alpha) y after each pass that an image is seen in; then Z / (1 - alpha^t)."""
    Z = {i: [0.0] * C for i in range(N)}
    t = dict.fromkeys(range(N), 0)
    for one_pass in said:
        for index, prob in one_pass:
            for i, y in zip(index.tolist(), prob.tolist()):
                Z[i] = [alpha * z + (1 - alpha) * value for z, value in zip(Z[i], y)]
                t[i] += 1
    return {i: [z / (1 - alpha ** t[i]) for z in Z[i]] for i in range(N) if t[i]}


@pytest.mark.parametrize("alpha", [0.0, 0.6, 0.95])
def test_targets_are_the_corrected_averages(alpha):
    said = passes(5)
    targets = TemporalEnsembling(N, C, alpha, dtype=torch.float64)
    for epoch, one_pass in enumerate(said):
        expected = literal(said[:epoch], alpha)
        for index, prob in one_pass:
            targets.observe(OneView(None, None, index), prob, epoch)
            found = targets.target(OneView(None, None, index))
            assert found.known.tolist() == [i in expected for i in index.tolist()]
            for i, y in zip(index.tolist(), found.prob.tolist()):
                assert y == pytest.approx(expected.get(i, [0.0] * C), rel=1e-12)
    assert targets.t.tolist() == [sum(i in index for one in said[:4] for index, _ in one) for i in range(N)]


def test_the_weights_are_those_of_a_geometric_sum():
    targets, said = TemporalEnsembling(1, C, dtype=torch.float64), [answers(1, seed) for seed in range(4)]
    for epoch, prob in enumerate(said):
        targets.observe(batch(0), prob, epoch)
    targets.close()
    total = sum(0.4 * 0.6**age * prob for age, prob in enumerate(reversed(said)))
    torch.testing.assert_close(targets.target(batch(0)).prob, total / (1 - 0.6**4))


def test_a_constant_answer_is_its_own_target_from_the_first_pass_on():
    targets, prob = TemporalEnsembling(N, C, 0.9, dtype=torch.float64), answers(2, 1)
    for epoch in range(6):
        targets.observe(batch(5, 2), prob, epoch)
        if epoch:
            torch.testing.assert_close(targets.target(batch(2, 5)).prob, prob.flip(0))


def test_nothing_is_known_in_the_first_pass():
    targets = TemporalEnsembling(N, C)
    assert all(targets.state_dict()[name].count_nonzero() == 0 for name in ("Z", "t", "sum", "count"))
    found = targets.target(batch(0, 3))
    assert found.known.tolist() == [False, False] and found.prob.tolist() == [[0.0] * C] * 2
    targets.observe(batch(0, 3), answers(2, 0), 0)
    assert targets.target(batch(0, 3)).known.tolist() == [False, False]
    assert targets.epoch == 0 and targets.t.sum() == 0
    targets.observe(batch(3), answers(1, 1), 1)
    assert targets.target(batch(0, 1, 3)).known.tolist() == [True, False, True]
    assert targets.epoch == 1


def test_a_pass_closes_when_the_epoch_is_another_one():
    first, second = answers(1, 0), answers(1, 1)
    for told in ({"epoch": 3}, {}):
        targets = TemporalEnsembling(N, C, dtype=torch.float64)
        targets.observe(batch(4), first, 2)
        targets.observe(batch(5), first, 2)
        assert not targets.target(batch(4), epoch=2).known
        if not told:
            targets.observe(batch(4), second, 3)
        found = targets.target(batch(4, 5), **told)
        assert found.known.all()
        torch.testing.assert_close(found.prob, first.expand(2, C))
    assert targets.target(batch(4)).known and targets.epoch == 3
    targets.observe(batch(4), second, 0)  # such as in a second run
    expected = (0.6 * 0.4 * first + 0.4 * second) / (1 - 0.6**2)
    torch.testing.assert_close(targets.target(batch(4)).prob, expected)


def test_a_target_asked_for_before_anything_was_said_opens_its_pass():
    targets = TemporalEnsembling(N, C)
    targets.target(batch(1), epoch=0)
    targets.observe(batch(1), answers(1, 0), 0)
    assert not targets.target(batch(1), epoch=0).known
    assert targets.target(batch(1), epoch=1).known


def test_it_goes_by_index_and_not_by_position():
    prob = answers(3, 0)
    targets = TemporalEnsembling(N, C, dtype=torch.float64)
    targets.observe(batch(6, 0, 2), prob, 0)
    found = targets.target(batch(0, 2, 6, 1), epoch=1)
    torch.testing.assert_close(found.prob[:3], prob[[1, 2, 0]])
    assert found.known.tolist() == [True, True, True, False]


def test_an_image_seen_twice_in_a_pass_counts_once_with_its_mean():
    targets = TemporalEnsembling(N, C, dtype=torch.float64)
    prob = answers(5, 0)
    targets.observe(batch(1, 2, 1), prob[:3], 0)
    targets.observe(batch(1, 3), prob[3:], 0)
    found = targets.target(batch(1, 2, 3), epoch=1)
    torch.testing.assert_close(found.prob, torch.stack([(prob[0] + prob[2] + prob[3]) / 3, prob[1], prob[4]]))
    assert targets.t.tolist() == [0, 1, 1, 1, 0, 0, 0]


def test_what_was_said_is_a_constant_and_a_copy():
    targets = TemporalEnsembling(N, C, dtype=torch.float64)
    prob = answers(2, 0).requires_grad_()
    targets.observe(batch(0, 1), prob, 0)
    found = targets.target(batch(0, 1), epoch=1)
    assert not found.prob.requires_grad
    expected = found.prob.clone()
    found.prob.zero_()
    prob.detach().zero_()
    torch.testing.assert_close(targets.target(batch(0, 1)).prob, expected)


def test_a_step_of_the_optimiser_changes_nothing():
    targets = TemporalEnsembling(N, C)
    targets.observe(batch(0), answers(1, 0), 0)
    before = {name: value for name, value in targets.state_dict().items() if name != "epoch"}
    before = {name: value.clone() for name, value in before.items()}
    targets.update()
    assert all(torch.equal(value, targets.state_dict()[name]) for name, value in before.items())


def test_types():
    targets = TemporalEnsembling(N, C)
    targets.observe(batch(0, 1), answers(2, 0).bfloat16(), 0)
    assert targets.target(batch(0), epoch=1).prob.dtype == torch.float32
    assert TemporalEnsembling(N, C, dtype=torch.float64).target(batch(0)).prob.dtype == torch.float64


@pytest.mark.parametrize("device", DEVICES)
def test_it_follows_the_batches_to_their_device(device):
    targets, there = TemporalEnsembling(N, C), OneView(None, None, torch.tensor([2, 0], device=device))
    found = targets.target(there)
    assert found.prob.device.type == found.known.device.type == targets.Z.device.type == device
    targets.observe(there, answers(2, 0).to(device), 0)
    assert targets.target(there, epoch=1).known.all()


def test_everything_moves_to_the_device_of_the_first_batch():
    targets = TemporalEnsembling(N, C)
    found = targets.target(OneView(None, None, torch.tensor([2, 0], device="meta")))  # which is everywhere
    assert found.prob.is_meta and found.known.is_meta
    types = {"Z": torch.float32, "t": torch.int64, "sum": torch.float32, "count": torch.int64}
    for name, dtype in types.items():
        assert targets.state_dict()[name].is_meta and targets.state_dict()[name].dtype == dtype


def test_the_state_goes_over_in_the_middle_of_a_pass():
    said = passes(4)
    one, other = (TemporalEnsembling(N, C, dtype=torch.float64) for _ in range(2))
    for epoch, one_pass in enumerate(said[:3]):
        for index, prob in one_pass:
            one.observe(OneView(None, None, index), prob, epoch)
    state = one.state_dict()
    other.load_state_dict({k: v.clone() if isinstance(v, torch.Tensor) else v for k, v in state.items()})
    for targets in (one, other):
        for index, prob in said[3]:
            targets.observe(OneView(None, None, index), prob, 2)  # the same pass goes on
    for epoch in (2, 3):
        first, second = (targets.target(batch(*range(N)), epoch=epoch) for targets in (one, other))
        assert torch.equal(first.prob, second.prob) and torch.equal(first.known, second.known)


def test_a_stopped_run_ends_with_the_same_bits(tmp_path):
    one, other = assert_a_stopped_run_continues(lambda model: TemporalEnsembling(10, 3), tmp_path)
    assert one.epoch == other.epoch == 3 and one.t.tolist() == [3] * 10
    for name, value in one.state_dict().items():
        assert name == "epoch" or torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (2,), (1, 3)])
def test_impossible_answers(shape):
    targets = TemporalEnsembling(N, C)
    with pytest.raises(ValueError, match=r"prob has shape .*, needed is \(2, 3\)"):
        targets.observe(batch(0, 1), torch.zeros(shape), 0)
    assert targets.epoch is None


@pytest.mark.parametrize(
    "arguments, says",
    [
        ((N, C, 1.0), "alpha is 1.0, possible is 0 up to"),
        ((N, C, -0.1), "alpha is -0.1"),
        ((0, C), "n is 0, possible are whole numbers from 1"),
        ((N, 0), "classes is 0, possible are whole numbers from 1"),
    ],
)
def test_impossible_arguments(arguments, says):
    with pytest.raises(ValueError, match=says):
        TemporalEnsembling(*arguments)
    TemporalEnsembling(1, 1, 0)
