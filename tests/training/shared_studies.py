"""A study run by the command under torchrun, which shares its seeds or its batches: see test_distributed."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from course_lib import cli, studies
from course_lib.studies import result_files, runner
from course_lib.studies.registry import Study
from course_lib.training import distributed, processes
from tests.training.shared_runs import batches, mlp

worked = []  # the seeds that this process measured


@dataclass(frozen=True)
class Settings:
    data: str = "toys"
    steps: int = 4


def measure(config, seed):
    worked.append(seed)
    torch.manual_seed(seed)
    model = mlp()
    with torch.no_grad():
        model[1].weight.add_(torch.randn(8, 48))
    distributed.fit(model, batches(16), steps=config.steps, lr=0.1)
    return {("sum",): model[1].weight.sum().item()}


STUDY = Study(
    id="toys.table_1",
    title="toys of training",
    source="nowhere",
    claim="nothing",
    axes=("quantity",),
    unit="",
    paper={},
    configs={"cpu": Settings()},
    protocol={"cpu": "Toys."},
    measure=measure,
)


def measured_alone():
    return studies.run(STUDY, "cpu", 3)


def read(path):
    return result_files.read(path, STUDY)


def main(out):
    runner.get = lambda id: STUDY
    all_worked = {}
    for share in ("seeds", "batches"):
        worked.clear()
        result_files.results_folder = lambda share=share: out / share
        code = cli.main(["study", "run", STUDY.id, "--scale", "cpu", "--seeds", "3", "--share", share])
        assert code == 0
        all_worked[share] = processes.of_everybody(list(worked))
    if processes.rank() == 0:
        (out / "worked.json").write_text(json.dumps(all_worked))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
