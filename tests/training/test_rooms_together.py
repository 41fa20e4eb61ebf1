"""The loop with the real batches, a real net and a real regulariser: one stopped run through all of them."""

import pytest
import torch

from course_lib import nets, training
from course_lib.data import Augment, Batches, ImageSet
from course_lib.methods import Shade


class Run:
    def __init__(self, path=None):
        generator = torch.Generator().manual_seed(3)
        images = torch.randint(256, (50, 3, 16, 16), generator=generator, dtype=torch.uint8)
        data = ImageSet(images, torch.arange(50) % 10)
        self.batches = Batches(data, 16, augment=Augment(pad=2, crop=16, flip=True), views=2, seed=4)
        torch.manual_seed(5)
        self.model = nets.SmallConvNet((3, 16, 16), dropout=0.2, batch_norm=True)
        self.shade = Shade(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9)
        self.path, self.stop_at = path, None

    def loss(self, model, batch, step):
        logits = model(batch.x)
        if step.step == self.stop_at:
            raise KeyboardInterrupt  # with a forward pass recorded, but its penalty not yet taken
        penalty = self.shade.penalty()
        return {"loss": torch.nn.functional.cross_entropy(logits, batch.y) + 0.1 * penalty, "shade": penalty}

    def fit(self, stop_at=None):
        self.stop_at = stop_at
        self.history = training.fit(
            self.model,
            self.batches,
            self.loss,
            optimizer=self.optimizer,
            epochs=3,
            evaluate=lambda model: {"accuracy": training.accuracy_of(model, self.batches)},
            checkpoint=self.path,
            stateful={"shade": self.shade},
        )
        return self


@pytest.mark.parametrize("fresh", [True, False])
def test_a_stopped_run_with_augmentation_and_shade_ends_with_the_same_bits(tmp_path, fresh):
    straight, run = Run().fit(), Run(tmp_path / "run.pt")
    with pytest.raises(KeyboardInterrupt):
        run.fit(stop_at=6)
    run = (Run(run.path) if fresh else run).fit()
    assert run.history.losses == straight.history.losses
    assert run.history.evaluations == straight.history.evaluations
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], tensor), name
    for name, tensor in straight.shade.state_dict().items():
        assert torch.equal(run.shade.state_dict()[name], tensor), name


def test_labels_and_predictions_go_together(tmp_path):
    run = Run()
    logits = training.predict(run.model, run.batches)
    assert logits.shape == (50, 10)
    right = (logits.argmax(1) == torch.arange(50) % 10).double().mean().item()
    assert training.accuracy_of(run.model, run.batches) == right
