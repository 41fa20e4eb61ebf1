"""A run that does nothing but write checkpoints, to be stopped while it does: see test_distributed."""

import sys
from pathlib import Path

import torch
from torch import nn

from course_lib.training import distributed, processes


def main(path):
    processes.start()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(1000, 1000), nn.Linear(1000, 3))  # Adam: 12 MB on disk
    batches = [(torch.randn(4, 1000), torch.zeros(4, dtype=torch.long))]
    distributed.fit(model, batches, steps=10**6, checkpoint=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "run.pt")
