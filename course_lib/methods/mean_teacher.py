"""Mean Teacher: the target is the answer of a model whose weights are the student's, averaged over the steps.

Tarvainen & Valpola 2017; Robert 2019, §3.2.1: ỹ = f_MT(x), on an augmentation and noise of its own.
"""

from typing import Any

import torch
from torch import Tensor, nn

from course_lib.methods.stability import Noise, StabilityTarget, all_known, second_view
from course_lib.training import Average, evaluation_mode, training_mode


class MeanTeacher:
    """Targets from a moving average of the student, moved by ``update`` after each step of the optimiser.

    Its state is in ``state_dict``: give it to ``fit(..., stateful={"targets": targets})``.

    Args:
        student: maps images (B, ...) to logits (B, C); the teacher starts as a copy of it.
        decay: weight of the old teacher in an update, in [0, 1); the released code of HybridNet takes 0.97.
        warm_up: True: ``min(decay, 1 - 1 / (t + 1))`` with t updates done, so that the first one copies the
            student; False: ``decay`` from the start; or another ``warm_up`` of `course_lib.training.Average`,
            such as "mean with start", in which the released codes count.
        noise: standard deviation of the Gaussian noise on the teacher's images.
        training_mode: the teacher drops, shakes and normalises by the batch, as the student does in training,
            and gathers its own statistics of batch norm (the released codes). False: it runs in evaluation
            mode, with the average of the student's statistics.
        generator: of the noise; None takes torch's own, as dropout always does.

    Attributes:
        average: the `course_lib.training.Average`.
        model: the teacher, in evaluation mode between its passes; usually it is the model to report.

    Raises:
        ValueError: an argument has an impossible value.
    """

    def __init__(
        self,
        student: nn.Module,
        decay: float = 0.97,
        warm_up: bool | str = True,
        noise: float = 0.0,
        training_mode: bool = True,
        generator: torch.Generator | None = None,
    ):
        self.student, self.training_mode = student, training_mode
        self.noise = Noise(noise, generator)
        self.average = Average(
            student,
            decay,
            warm_up="mean" if warm_up is True else warm_up,
            buffers="own" if training_mode else "average",
        )

    @property
    def model(self) -> nn.Module:
        return self.average.model

    def observe(self, batch: Any, prob: Tensor, epoch: int) -> None:
        """Nothing: the teacher follows the student's weights, not its answers."""

    def target(self, batch: Any, epoch: int | None = None) -> StabilityTarget:
        """What the teacher says about the second view of the batch (the only one where there is one)."""
        mode = training_mode if self.training_mode else evaluation_mode
        with torch.no_grad(), mode(self.model):
            return all_known(self.model(self.noise(second_view(batch))))

    def update(self) -> None:
        """Move the teacher towards the student."""
        self.average.update(self.student)

    def state_dict(self) -> dict[str, Any]:
        """The teacher, the number of updates, and the state of the generator, if one was given."""
        return {"average": self.average.state_dict(), "noise": self.noise.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""
        self.average.load_state_dict(state["average"])
        self.noise.load_state_dict(state["noise"])
