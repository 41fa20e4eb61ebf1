"""Stop and continue: a run that was stopped anywhere ends with the same bits as one that was not."""

import random

import numpy as np
import pytest
import torch

from course_lib import training
from course_lib.runtime import CourseError
from course_lib.training import schedules


class Run:
    """All that a run needs, made anew as in a fresh process; the net, the loss and the evaluation draw."""

    def __init__(self, toy, path, **options):
        self.model, self.batches = toy.net(), toy.batches()
        self.average = training.Average(self.model, decay=0.9, warm_up=True)
        self.regulariser = toy.regulariser()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)
        self.options = {"epochs": 5, "checkpoint": path, **options}

    def loss(self, model, batch, step):
        logits = model(batch.x)
        penalty = self.regulariser(logits)
        noise = random.random() + np.random.rand()
        cross_entropy = torch.nn.functional.cross_entropy(logits, batch.y)
        return {"loss": cross_entropy + (0.1 + 0.01 * noise) * penalty, "penalty": penalty}

    def fit(self, **options):
        self.history = training.fit(
            self.model,
            self.batches,
            self.loss,
            **{
                "optimizer": self.optimizer,
                "average": self.average,
                "schedule": schedules.cosine,
                "stateful": {"regulariser": self.regulariser},
                "evaluate": lambda model: {"noise": torch.rand(()) + model[5].weight.sum()},
                **self.options,
                **options,
            },
        )
        return self

    def tensors(self):
        return {
            **{f"model {name}": t for name, t in self.model.state_dict().items()},
            **{f"average {name}": t for name, t in self.average.model.state_dict().items()},
            **{
                f"adam {i} {k}": t
                for i, s in self.optimizer.state_dict()["state"].items()
                for k, t in s.items()
            },
            "regulariser": self.regulariser.mean,
            "random": torch.get_rng_state(),
            "numpy": torch.tensor(np.random.get_state()[1].astype(np.int64)),
            "python": torch.tensor(random.getstate()[1]),
        }


def assert_same_bits(one, other):
    first, second = one.tensors(), other.tensors()
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
    assert one.history.losses == other.history.losses
    assert one.history.evaluations == other.history.evaluations
    assert (one.history.steps, one.batches.epoch) == (other.history.steps, other.batches.epoch)
    assert one.average.updates == other.average.updates
    assert one.optimizer.param_groups[0]["lr"] == other.optimizer.param_groups[0]["lr"]


def stop_at(step):
    def on_step(model, now):
        if now.step == step:
            raise KeyboardInterrupt

    return on_step


@pytest.fixture
def straight(toy):
    return Run(toy, None).fit()


@pytest.mark.parametrize("step", [0, 2, 4, 11, 14])
def test_a_stopped_run_ends_with_the_same_bits(toy, straight, tmp_path, step):
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        Run(toy, path).fit(on_step=stop_at(step))
    steps = []
    after = Run(toy, path).fit(on_step=lambda model, now: steps.append(now.step))
    assert steps == list(range(step // 3 * 3, 15))  # from the last whole epoch on
    assert_same_bits(after, straight)


def test_it_continues_in_the_same_process_with_the_same_objects(toy, straight, tmp_path):
    run = Run(toy, tmp_path / "run.pt")
    with pytest.raises(KeyboardInterrupt, match="call fit again"):
        run.fit(on_step=stop_at(7))
    assert_same_bits(run.fit(), straight)


def test_it_may_be_stopped_in_an_evaluation(toy, straight, tmp_path):
    run = Run(toy, tmp_path / "run.pt")
    calls = []

    def evaluate(model):
        calls.append(model)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return {"noise": torch.rand(()) + model[5].weight.sum()}

    with pytest.raises(KeyboardInterrupt):
        run.fit(evaluate=evaluate)
    assert_same_bits(Run(toy, tmp_path / "run.pt").fit(), straight)


def test_a_checkpoint_does_not_change_the_run(toy, straight, tmp_path):
    assert_same_bits(Run(toy, tmp_path / "run.pt").fit(), straight)


def test_a_run_of_steps_that_ends_within_an_epoch_continues_too(toy, tmp_path):
    straight = Run(toy, None, epochs=None, steps=10).fit()
    with pytest.raises(KeyboardInterrupt):
        Run(toy, tmp_path / "a.pt", epochs=None, steps=10).fit(on_step=stop_at(9))
    assert_same_bits(Run(toy, tmp_path / "a.pt", epochs=None, steps=10).fit(), straight)


def test_a_finished_run_returns_at_once(toy, tmp_path, straight):
    Run(toy, tmp_path / "run.pt").fit()
    again = Run(toy, tmp_path / "run.pt").fit(on_step=stop_at(0))
    assert_same_bits(again, straight)


def test_stopped_before_the_first_epoch_there_is_nothing_to_continue(toy, tmp_path):
    with pytest.raises(KeyboardInterrupt) as stopped:
        Run(toy, tmp_path / "run.pt").fit(on_step=stop_at(1))
    assert str(stopped.value) == "" and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change, says",
    [
        ({"epochs": 6}, "steps was 15 and is now 18"),
        ({"schedule": None}, "schedule was .* and is now None"),
        ({"schedule": lambda progress: schedules.cosine(progress, end=0.1)}, "schedule was"),
        ({"precision": "bfloat16"}, "precision was float32 and is now bfloat16"),
        ({"average": None}, "average was .* and is now None"),
        ({"stateful": None}, "stateful was regulariser and is now nothing"),
    ],
)
def test_a_run_with_other_arguments_is_refused_and_nothing_is_lost(toy, tmp_path, change, says):
    path = tmp_path / "run.pt"
    Run(toy, path).fit()
    before, other = path.read_bytes(), Run(toy, path)
    weights = other.model[5].weight.clone()
    with pytest.raises(CourseError, match=says):
        other.fit(**change)
    assert path.read_bytes() == before
    assert torch.equal(other.model[5].weight, weights)


def test_another_model_optimiser_or_data_is_refused(toy, tmp_path):
    path = tmp_path / "run.pt"
    Run(toy, path).fit()

    other = Run(toy, path)
    other.model[4].p = 0.5  # the same tensors, another dropout
    with pytest.raises(CourseError, match="model was Sequential"):
        other.fit()
    other = Run(toy, path)
    other.optimizer.param_groups[0]["lr"] = 0.02
    with pytest.raises(CourseError, match=r"optimizer was .*0\.01"):
        other.fit()
    other = Run(toy, path)
    other.batches = toy.batches(seed=1)
    with pytest.raises(CourseError, match="batches was .* seed 0 and is now .* seed 1"):
        other.fit()


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no checkpoint"])
def test_a_damaged_file_is_named_and_left(toy, tmp_path, spoil):
    path = tmp_path / "run.pt"
    Run(toy, path).fit()
    path.write_bytes(spoil(path.read_bytes()))
    spoilt = path.read_bytes()
    with pytest.raises(CourseError, match=r"run\.pt: it is damaged"):
        Run(toy, path).fit()
    assert path.read_bytes() == spoilt


def test_a_file_of_weights_is_no_checkpoint(toy, tmp_path):
    torch.save(toy.net().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CourseError, match="no checkpoint of a run"):
        Run(toy, tmp_path / "weights.pt").fit()


def test_no_half_written_file_is_left(toy, tmp_path):
    Run(toy, tmp_path / "new folder" / "run.pt").fit()
    assert [file.name for file in (tmp_path / "new folder").iterdir()] == ["run.pt"]


def test_a_loss_that_is_not_finite_leaves_the_last_good_epoch(toy, tmp_path):
    path = tmp_path / "run.pt"
    run = Run(toy, path)

    def explode(model, now):
        if now.step == 7:
            with torch.no_grad():
                model[5].weight.fill_(float("nan"))

    with pytest.raises(FloatingPointError, match="nan at step 8"):
        run.fit(on_step=explode)
    assert_same_bits(Run(toy, path).fit(), Run(toy, None).fit())
