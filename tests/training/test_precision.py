"""Number and memory format: by default as the scale says, as told where told, and as before afterwards."""

import pytest
import torch
from torch import nn

from course_lib import nets, training
from course_lib.training import precision as computing

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def images():
    torch.manual_seed(0)
    return [(torch.randn(16, 3, 16, 16), torch.arange(16) % 10)] * 4


@pytest.mark.parametrize("scale, device, number, memory", [
    ("gpu", CUDA, "bfloat16", True),
    ("gpu", CPU, "float32", False),
    ("cpu", CUDA, "float32", False),
    ("smoke", CPU, "float32", False),
])  # fmt: skip
def test_defaults_follow_scale_and_device(monkeypatch, scale, device, number, memory):
    monkeypatch.setenv("COURSE_SCALE", scale)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert computing.choose_precision(None, device) == number
    assert computing.choose_channels_last(None, device) is memory
    assert computing.choose_precision("float32", device) == "float32"
    assert computing.choose_precision("bfloat16", device) == "bfloat16"
    assert computing.choose_channels_last(not memory, device) is not memory


def test_a_gpu_without_bfloat16_computes_in_float32(monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "gpu")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert computing.choose_precision(None, CUDA) == "float32"


@pytest.mark.parametrize("precision, dtype", [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_layers_compute_in_the_format_asked_for(images, precision, dtype):
    seen = []

    def loss(model, batch, step):
        logits = model(batch.x)
        seen.append(logits.dtype)
        return nn.functional.cross_entropy(logits, batch.y)

    model = nets.SmallConvNet((3, 16, 16))
    training.fit(model, images, loss, steps=2, precision=precision)
    assert set(seen) == {dtype}
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert model(images[0][0]).dtype == torch.float32


def test_filters_lie_channels_last_during_the_run_only(images):
    def lying(model):
        return [
            parameter.is_contiguous(memory_format=torch.channels_last)
            for parameter in model.parameters()
            if parameter.ndim == 4
        ]

    model, during = nets.SmallConvNet((3, 16, 16)), []
    average = training.Average(model)
    training.fit(
        model,
        images,
        steps=2,
        channels_last=True,
        average=average,
        on_step=lambda model, step: during.append(lying(model) + lying(average.model)),
    )
    assert during == [[True] * 6] * 2
    assert not any(lying(model) + lying(average.model))
    assert all(p.is_contiguous() for m in (model, average.model) for p in m.parameters())


def test_channels_last_computes_the_same(images):
    models = []
    for channels_last in (False, True):
        torch.manual_seed(1)
        models.append(nets.SmallConvNet((3, 16, 16)))
        training.fit(models[-1], images, epochs=2, channels_last=channels_last)
    for one, other in zip(models[0].parameters(), models[1].parameters()):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_flags_of_the_convolutions_come_back(images, monkeypatch):
    cudnn, during = torch.backends.cudnn, []
    monkeypatch.setattr(cudnn, "deterministic", False)
    monkeypatch.setattr(cudnn, "benchmark", True)
    training.fit(
        nets.SmallConvNet((3, 16, 16)),
        images,
        steps=1,
        on_step=lambda *_: during.append((cudnn.deterministic, cudnn.benchmark)),
    )
    assert during == [(True, False)]
    assert (cudnn.deterministic, cudnn.benchmark) == (False, True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_the_gpu(images, monkeypatch):
    monkeypatch.setenv("COURSE_SCALE", "gpu")
    model = nets.SmallConvNet((3, 16, 16)).cuda()
    history = training.fit(model, images, epochs=20, lr=0.01, average=training.Average(model))
    assert history.losses["loss"][-1] < history.losses["loss"][0]
    assert training.predict(model, images[0][0]).device.type == "cuda"
