"""The task shade.regularizer: any way to listen to a model passes, and each slip gets its own message."""

from functools import partial

import torch
from torch import nn

from course_lib.grading.tasks.shade.regularizer import NETS, TASK, oracle, use
from course_lib.grading.tasks.shade.wrong_regularizers import Pieces
from course_lib.methods.shade import Shade
from tests.grading.trying import verdict as verdict_on


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


def as_rows(h):
    return h.movedim(1, -1).reshape(-1, h.shape[1])


def penalty_of(h, mu):
    q = torch.sigmoid(h)
    return torch.lerp((h - mu[0]) ** 2, (h - mu[1]) ** 2, q).mean(0)


def moved(h, mu, p):
    h = h.detach()
    new_mu, new_p = [], []
    for z, q in enumerate((torch.sigmoid(-h), torch.sigmoid(h))):
        new_p.append(0.8 * p[z] + 0.2 * q.mean(0))
        new_mu.append(0.8 * mu[z] + 0.2 * (q * h).mean(0) / new_p[z])
    return torch.stack(new_mu), torch.stack(new_p)


class OneLayer(nn.Module):
    """Averages of a layer as buffers that stay float32 and are written in place."""

    def __init__(self, units):
        super().__init__()
        self.register_buffer("mu", torch.tensor([[-1.0], [1.0]]).repeat(1, units))
        self.register_buffer("p", torch.full((2, units), 0.5))

    def forward(self, h):
        total = penalty_of(h, self.mu.clone()).mean()
        if self.training:
            for mine, new in zip((self.mu, self.p), moved(h, self.mu, self.p)):
                mine.copy_(new)
        return total


class SizesFromTheModel(nn.Module):
    """Knows the units of each layer from the module before it, so its buffers exist from the start."""

    def __init__(self, model, layers, decay=0.8, **options):
        super().__init__()
        units, last = {}, None
        for module in model.modules():
            last = getattr(module, "out_features", getattr(module, "out_channels", last))
            units[module] = last
        self.parts = nn.ModuleList(OneLayer(units[layer]) for layer in layers)
        self.inputs = [None] * len(layers)
        for n, layer in enumerate(layers):
            layer.register_forward_hook(partial(self.listen, n))

    def listen(self, n, module, inputs, output):
        (self.inputs[n],) = inputs

    def penalty(self):
        return torch.stack([part(as_rows(h)) for part, h in zip(self.parts, self.inputs)]).sum()

    def to(self, *where):
        return self  # keeps float32


class WrapsForward(nn.Module):
    """No hooks: the layers' own forward is replaced; the averages travel as extra state."""

    def __init__(self, model, layers):
        super().__init__()
        self.h, self.averages = {}, {}
        for n, layer in enumerate(layers):
            layer.forward = partial(self.around, n, layer.forward)

    def around(self, n, forward, x):
        self.h[n] = x
        return forward(x)

    def penalty(self):
        total = 0
        for n, h in self.h.items():
            h = as_rows(h)
            one = torch.ones_like(h[0])
            mu, p = self.averages.get(n, (torch.stack([-one, one]), torch.stack([one, one]) / 2))
            total += penalty_of(h, mu).mean()
            self.averages[n] = moved(h, mu, p) if self.training else (mu, p)
        self.h = {}
        return total

    def get_extra_state(self):
        return self.averages

    def set_extra_state(self, state):
        self.averages = state


class InTheHook(nn.Module):
    """The penalty is computed while the model runs; the averages live in the ReLUs themselves."""

    def __init__(self, model, layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        for layer in layers:
            layer.register_forward_pre_hook(self.listen)

    def listen(self, layer, inputs):
        h = as_rows(inputs[0])
        if not hasattr(layer, "mu"):
            layer.register_buffer("mu", h.new_tensor([[-1.0], [1.0]]).repeat(1, h.shape[1]))
            layer.register_buffer("p", torch.full_like(layer.mu, 0.5))
        layer.omega = penalty_of(h, layer.mu).mean()
        if self.training:
            layer.mu, layer.p = moved(h, layer.mu, layer.p)

    def penalty(self):
        return sum(layer.omega for layer in self.layers)


class HoldsTheModel(Pieces):
    """The model is a part of it, so that state_dict holds the weights too."""

    def __init__(self, model, layers):
        super().__init__(model, layers)
        self.model = model


class Loops(Pieces):
    def squares(self, h, mu):
        rows = []
        for row in h:
            q = 1 / (1 + torch.exp(-row))
            rows.append((1 - q) * (row - mu[0]) ** 2 + q * (row - mu[1]) ** 2)
        return torch.stack(rows)


RIGHT = [Pieces, SizesFromTheModel, WrapsForward, InTheHook, HoldsTheModel, Loops, Shade]


# --- wrong answers ---------------------------------------------------------------------------


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    class LateBinding(WrapsForward):
        """Every layer reports under the last number."""

        def around(self, n, forward, x):
            return super().around(0, forward, x)

    assert verdict(LateBinding).misconception == "last layer only"


def test_a_penalty_that_is_no_tensor_is_told_so():
    class Plain(Pieces):
        def penalty(self):
            return super().penalty().item()

    outcome = verdict(Plain)
    assert outcome.cause == "unusable"
    assert "penalty() must return a scalar tensor, but it returned a float" in outcome.message


def test_a_failing_backward_pass_is_told_as_it_is():
    class InPlace(Pieces):
        def enter(self, number, h):
            super().enter(number, h.exp())
            self.seen[number].sub_(1)

    outcome = verdict(InPlace)
    assert outcome.cause == "unusable" and "modified by an inplace operation" in outcome.message


def test_a_class_that_nobody_has_begun_is_not_attempted():
    class Stub(nn.Module):
        def __init__(self, model, layers):
            super().__init__()
            raise NotImplementedError("shade.regularizer")

    assert verdict(Stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------

NAMES = list(TASK.gives)


def results(number, change=None):
    given = TASK.cases[number].exact()
    if change:
        change(given)
    return dict(zip(NAMES, oracle(**given)))


def test_the_first_penalty_reads_the_first_batch_only():
    def other_batches(given):
        given["x2"], given["x3"] = given["x2"] + 1, given["x3"] * 2

    name = "penalty of the first batch"
    for number in range(len(TASK.cases)):
        assert results(number)[name] == results(number, other_batches)[name]


def test_batch_norm_makes_the_scale_of_the_convolution_irrelevant():
    """Which is why a penalty before batch norm could be escaped, and one after it cannot."""

    def a_thousand_times(given):
        given["weights"][: 3 * 2 * 3 * 3 + 3] *= 1000

    name = "penalty of the second batch"
    assert NETS[TASK.cases[0].exact()["net"]][1][0] == (3, 2, 3, 3)
    assert torch.allclose(results(0)[name], results(0, a_thousand_times)[name], rtol=1e-4)


def test_the_order_of_the_samples_does_not_matter():
    def turn(given):
        for name in ("x1", "x2", "x3"):
            given[name] = given[name].flip(0)

    for number in range(len(TASK.cases)):
        before, after = results(number), results(number, turn)
        for name in NAMES[2:]:
            assert torch.allclose(before[name], after[name], rtol=1e-10, atol=1e-12)


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(Pieces, **given)
    for name, tensor in TASK.cases[0].inputs().items():
        assert name == "net" or torch.equal(tensor, given[name])
