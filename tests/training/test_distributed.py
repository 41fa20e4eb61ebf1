"""Two real processes on the CPU end with the parameters that one process ends with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from course_lib import data, studies
from course_lib.studies import provenance, runner
from course_lib.training import distributed, loop, processes
from course_lib.training.shares import share
from tests.training import shared_runs, shared_studies

ROOT = Path(__file__).resolve().parents[2]
TORCHRUN = [
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--local-addr",
    "127.0.0.1",
    "--nproc-per-node",
    "2",
]


def torchrun(module, *arguments, **more):
    command = [sys.executable, *TORCHRUN, "-m", module, *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COURSE_DEVICE": "cpu"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=env, **pipes, **more)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes found."""
    out = tmp_path_factory.mktemp("shared")
    started = torchrun("tests.training.shared_runs", out)
    said, _ = started.communicate(timeout=600)
    assert started.returncode == 0, said
    return [torch.load(out / f"{rank}.pt", weights_only=False) for rank in range(2)]


def assert_close(one, other, where=""):
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            assert_close(one[name], other[name], f"{where} {name}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other)):
            assert_close(a, b, f"{where} {i}")
    else:
        one, other = torch.as_tensor(one), torch.as_tensor(other)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9, msg=lambda text: f"{where}: {text}")


@pytest.mark.slow
@pytest.mark.parametrize("name", shared_runs.ALIKE)
def test_two_processes_end_as_one(both, name):
    torch.manual_seed(0)
    alone = shared_runs.ALIKE[name](loop.fit)
    for found in both:
        found = dict(found[name])
        for evaluation in (*found.get("evaluations", ()), *alone.get("evaluations", ())):
            evaluation.pop("draw", None)  # of the random state, which is another
        assert_close(found, alone, name)


@pytest.mark.slow
def test_both_have_the_same_bits(both):
    first, second = both
    for name in (*shared_runs.ALIKE, "straight", "stopped"):
        for key, tensor in first[name]["model"].items():
            assert torch.equal(tensor, second[name]["model"][key]), (name, key)
        assert first[name]["losses"] == second[name]["losses"]
    assert first["sgd"]["evaluations"] == second["sgd"]["evaluations"]


@pytest.mark.slow
def test_a_stopped_run_ends_with_the_same_bits(both):
    for found in both:
        straight, stopped = found["straight"], found["stopped"]
        assert all(torch.equal(t, stopped["model"][name]) for name, t in straight["model"].items())
        assert straight["losses"] == stopped["losses"]
        assert straight["evaluations"] == stopped["evaluations"]
        # two batches an epoch, stopped in step 4: the draws of epoch 2 are made again, and are the same
        cut = stopped["seen"].index(str(found["rank"]))
        assert [one[0] for one in stopped["seen"][:cut]] == [0, 1, 2, 3, 4]
        assert stopped["seen"][cut + 1 :] == straight["seen"][4:]


@pytest.mark.slow
def test_process_0_alone_writes(both):
    for found in both:
        for name, epochs in (("straight", 3), ("stopped", 1)):
            assert found[name]["files"] == ["run.pt"]
            assert found[name]["wrote"] == [found["rank"] == 0] * epochs  # the others write to copies


@pytest.mark.slow
def test_draws_differ_between_processes_and_the_state_afterwards_does_not(both):
    first, second = (found["straight"] for found in both)
    draws = {draw for seen in (first["seen"], second["seen"]) for _, *three in seen for draw in three}
    assert len(draws) == 2 * 6 * 3
    assert first["after"] == second["after"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, says",
    [
        ("stranger", "holds 1 tensors that are not the model's"),
        ("not called", r"did not call model\(x\)"),
        ("on a CPU", "needs GPUs"),
        ("odd", "3 labelled and 6 unlabelled images, which 2 processes cannot share equally"),
        ("seeds", "seed them alike"),
        ("batches", "different models, batches or random states"),
    ],
)
def test_what_cannot_be_right_is_refused_in_every_process(both, name, says):
    for found in both:
        assert re.search(says, found["refusals"][name])


@pytest.mark.slow
def test_gathering(both):
    for found in both:
        assert found["gathering"]["rows"].tolist() == [[0, 1], [2, 3], [4, 5], [10, 11], [12, 13]]
        assert found["gathering"]["first"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_stopped_from_outside_it_leaves_no_half_written_file(tmp_path, kind):
    started = torchrun("tests.training.endless_run", tmp_path, start_new_session=True)
    deadline = time.monotonic() + 300
    while not (tmp_path / "run.pt").exists() and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(started.pid, kind)  # as a terminal does: torchrun and what it started
    said, _ = started.communicate(timeout=300)
    assert started.returncode != 0, said
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"], said
    assert torch.load(tmp_path / "run.pt", weights_only=True)["parts"]["history"]["steps"] > 0


@pytest.mark.slow
def test_studies(tmp_path):
    """Seeds or batches are shared; process 0 alone prints and writes, and the values are those of one."""
    started = torchrun("tests.training.shared_studies", tmp_path)
    said, _ = started.communicate(timeout=600)
    assert started.returncode == 0, said
    assert said.count("toys of training") == 2  # one printed result each for seeds and for batches
    alone = shared_studies.measured_alone()
    for name in ("seeds", "batches"):
        (path,) = (tmp_path / name).iterdir()
        held = json.loads(path.read_text())
        assert held["seeds"] == [0, 1, 2]
        values = shared_studies.read(path).values
        for seed in values:
            for cell, value in values[seed].items():
                assert value == pytest.approx(alone.values[seed][cell], abs=1e-6)
    worked = json.loads((tmp_path / "worked.json").read_text())
    assert worked == {"seeds": [[0, 2], [1]], "batches": [[0, 1, 2], [0, 1, 2]]}


# --- in one process --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd", "adam", "parts"])
def test_in_one_process_it_is_fit_to_the_bit(name, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")  # as some clusters do for every program
    runs = []
    for fit in (loop.fit, distributed.fit):
        torch.manual_seed(1)
        runs.append((shared_runs.ALIKE[name](fit), torch.get_rng_state()))
    (one, state), (other, state_after) = runs
    assert all(torch.equal(tensor, other["model"][key]) for key, tensor in one["model"].items())
    assert one["losses"] == other["losses"] and one["evaluations"] == other["evaluations"]
    assert torch.equal(state, state_after)


def test_alone_there_is_one_process_with_nothing_to_wait_for(monkeypatch):
    assert (processes.world(), processes.rank()) == (1, 0)
    processes.start()
    assert processes.from_first("a") == "a" and processes.of_everybody("a") == ["a"]
    assert not torch.distributed.is_initialized()
    for name, value in (("TORCHELASTIC_RUN_ID", "1"), ("WORLD_SIZE", "3"), ("RANK", "2")):
        monkeypatch.setenv(name, value)
    assert (processes.world(), processes.rank()) == (3, 2)
    with processes.apart():
        assert (processes.world(), processes.rank()) == (1, 0)
    assert processes.world() == 3


def batch_of(y, x=None):
    y = torch.as_tensor(y)
    x = torch.arange(len(y)).float().view(-1, 1, 1, 1) if x is None else x
    return data.batches.Batch(x, y, torch.arange(len(y)), (x, -x))


def test_shares_are_parts_of_both_kinds():
    batch = batch_of([0, 1, 2, 3, -1, -1, -1, -1, -1, -1])
    first, second = (share(batch, rank, 2) for rank in range(2))
    assert first.index.tolist() == [0, 1, 4, 5, 6] and second.index.tolist() == [2, 3, 7, 8, 9]
    assert first.y.tolist() == [0, 1, -1, -1, -1] and isinstance(first, type(batch))
    assert torch.equal(second.views[1], -second.x) and second.x.flatten().tolist() == [2, 3, 7, 8, 9]


def test_shares_of_one_kind_may_differ_by_one():
    parts = [share(batch_of([0] * 8), rank, 3).index.tolist() for rank in range(3)]
    assert parts == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert share(batch_of([-1] * 4), 1, 2).index.tolist() == [2, 3]


def test_shares_keep_the_memory_format():
    x = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    part = share(batch_of([0, -1, 0, -1], x), 1, 2)
    assert part.x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(part.x, x[[2, 3]])


def test_a_batch_type_may_decide_for_itself():
    class Own:
        def part(self, rank, world):
            return rank, world

    assert share(Own(), 1, 4) == (1, 4)


@pytest.mark.parametrize(
    "batch, kind, says",
    [
        (batch_of([0, 0, 0, -1, -1, -1, -1]), ValueError, "3 labelled and 4 unlabelled"),
        (batch_of([0, 0, -1, -1, -1]), ValueError, "both must be multiples of 2"),
        (batch_of([0]), ValueError, "1 images, too few for 2 processes"),
        (batch_of([0, 0])._replace(index=7), TypeError, "give it a method part"),
        (batch_of([0, 0])._replace(index=torch.zeros(3)), TypeError, "Batch holds something"),
    ],
)
def test_what_cannot_be_shared_is_refused(batch, kind, says):
    with pytest.raises(kind, match=says):
        share(batch, 0, 2)


def test_a_study_that_trains_in_one_process_does_not_share_batches(monkeypatch):
    assert not provenance.uses(studies.get("shade.figure_2_7a").measure, "course_lib.training.distributed")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="share seeds instead"):
        runner._together(studies.get("shade.figure_2_7a"), None, "batches")
    with pytest.raises(ValueError, match="share is 'nets', possible are seeds, batches"):
        runner._together(shared_studies.STUDY, None, "nets")
    assert runner._together(shared_studies.STUDY, None, "batches") == {
        "processes": "2, which share each batch"
    }
    remembers = studies.get("hybridnet.table_3_4").configs["gpu"]
    with pytest.raises(ValueError, match="remembers its answers.*share seeds instead"):
        runner._together(shared_studies.STUDY, remembers, "batches")
