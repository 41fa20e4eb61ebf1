"""The task hybridnet.conv_large: any arrangement of the layers passes, and each slip gets its own message."""

from collections import namedtuple
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.grading.tasks.hybridnet.conv_large import ANSWERS, COUNTS, TASK, oracle, use
from course_lib.grading.tasks.hybridnet.hybrid_pieces import Pieces
from course_lib.grading.tasks.hybridnet.known_dropout import KnownDropout, dropped
from course_lib.methods.hybridnet import HybridNet
from course_lib.nets import mirrored
from course_lib.nets.mirrored.convs import Conv, ConvDecoder, ConvEncoder, Drop, Form, Pool, pooled_linear
from tests.grading.trying import verdict as verdict_on

Output = namedtuple("Output", ANSWERS)


def verdict(answer):
    return verdict_on(TASK, answer)


# --- right answers ---------------------------------------------------------------------------


class Encoder(nn.Module):
    """Flat: one list of modules, pooling and dropout among them."""

    def __init__(self, a, b, c):
        super().__init__()
        plan = [a, a, a, "pool", b, b, b, "pool", (c, 3, 0), (b, 1, 0), (a, 1, 0)]
        self.steps, i = nn.ModuleList(), 3
        for each in plan:
            if each == "pool":
                self.steps.append(nn.MaxPool2d(2, return_indices=True))
                self.steps.append(nn.Dropout())
                continue
            o, size, padding = each if isinstance(each, tuple) else (each, 3, 1)
            self.steps.append(nn.Conv2d(i, o, size, padding=padding, bias=False))
            self.steps.append(nn.BatchNorm2d(o))
            self.steps.append(nn.LeakyReLU(0.1, inplace=True))
            i = o

    def forward(self, x):
        taps, switches = [], []
        for step in self.steps:
            if isinstance(step, nn.MaxPool2d):
                x, where = step(x)
                taps += [x]
                switches += [where]
            else:
                x = step(x)
        return x, taps, switches


class Decoder(nn.Module):
    def __init__(self, a, b, c):
        super().__init__()
        sizes = [(1, 0), (1, 0), (3, 0)] + [(3, 1)] * 6
        chain = [a, b, c, b, b, b, a, a, a, 3]
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(i, o, size, padding=p, bias=n == 8)
            for n, ((i, o), (size, p)) in enumerate(zip(pairwise(chain), sizes))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in chain[1:-1])

    def forward(self, h, switches=None):
        taps = []
        for n, conv in enumerate(self.convs):
            if n in (3, 6):
                taps = [h, *taps]
                if switches is None:
                    h = h.repeat_interleave(2, 2).repeat_interleave(2, 3)
                else:
                    h = F.max_unpool2d(h, switches[1 if n == 3 else 0], 2)
            h = conv(h)
            if n < 8:
                h = F.leaky_relu(self.norms[n](h), 0.1)
        return h, taps


class WithTwoClasses(nn.Module):
    def __init__(self, num_classes=10, maps=(128, 256, 512)):
        super().__init__()
        self.encoder_c, self.encoder_u = Encoder(*maps), Encoder(*maps)
        self.decoder_c, self.decoder_u = Decoder(*maps), Decoder(*maps)
        self.classifier = nn.Linear(maps[0], num_classes)

    def classify(self, x):
        return self.classifier(self.encoder_c(x)[0].mean((2, 3)))

    def forward(self, x):
        h_u, t_u, where = self.encoder_u(x)
        h_c, t_c, _ = self.encoder_c(x)
        x_u, r_u = self.decoder_u(h_u, where)
        x_c, r_c = self.decoder_c(h_c)
        logits = self.classifier(h_c.flatten(2).mean(2))
        taps = (tuple(zip(t_c, r_c)), tuple(zip(t_u, r_u)))
        return Output(logits, h_c, h_u, x_c, x_u, x_u + x_c, *taps)


class TheCoursesOwn(HybridNet):
    """The library's net, of these numbers of maps."""

    def __init__(self, num_classes=10, maps=(128, 256, 512)):
        a, b, c = maps
        layers = (
            *[Conv(a)] * 3, Pool(), Drop(0.5), *[Conv(b)] * 3, Pool(), Drop(0.5),
            Conv(c, same=False), Conv(b, 1), Conv(a, 1),
        )  # fmt: skip
        family = mirrored.Family(
            "of these maps",
            a,
            lambda: ConvEncoder(layers, 3, Form()),
            lambda up: ConvDecoder(layers, 3, up, Form()),
            lambda: pooled_linear(a, num_classes),
        )
        super().__init__(family)

    def classify(self, x):
        return self.deployed(x)


class Functional(Pieces):
    """Dropout and unpooling by hand; the classifier is a 1x1 mean in another order."""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        del self.drop

    def drop(self, x):
        return F.dropout(x, training=self.training)

    def unpool(self, x, where):
        flat = torch.zeros(*x.shape[:2], 4 * x[0, 0].numel(), dtype=x.dtype, device=x.device)
        flat = flat.scatter(2, where.flatten(2), x.flatten(2))
        return flat.unflatten(2, (2 * x.shape[2], 2 * x.shape[3]))

    def repeat(self, x, switches=None):
        return torch.kron(x, torch.ones(1, 1, 2, 2, dtype=x.dtype, device=x.device))


class MeansAfterTheLinearLayer(Pieces):
    """The classifier is linear, so it may come before the mean."""

    def head(self, a, classes):
        return nn.Linear(a, classes)

    def logits(self, h_c, h_u):
        return self.classifier(h_c.movedim(1, -1)).mean((1, 2))

    def classify(self, x):
        return self.logits(self.encode(self.encoder_c, x)[0], None)


RIGHT = [Pieces, WithTwoClasses, TheCoursesOwn, Functional, MeansAfterTheLinearLayer]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {
    "padded 1x1 convolutions": "shape",
    "8x8 latent": "shape",
    "taps after the upsampling": "shape",
    "taps from the top": "shape",
}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    class SharesTheEncoder(WithTwoClasses):
        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            self.encoder_c = self.encoder_u

    class Forgets(WithTwoClasses):
        def forward(self, x):
            output = super().forward(x)
            h_u = output.h_u
            x_u, r_u = self.decoder_u(h_u)
            taps = tuple((one, other) for (one, _), other in zip(output.taps_u, r_u))
            return output._replace(x_u=x_u, x_hat=output.x_c + x_u, taps_u=taps)

    assert verdict(SharesTheEncoder).misconception == "tied encoders"
    assert verdict(Forgets).misconception == "no unpooling"


class NoPart(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.head_of_c = self._modules.pop("classifier")

    classifier = property(lambda self: None)


class NoTaps(Pieces):
    def pairs(self, taps, mirrored):
        return taps


class Idle(Pieces):
    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.never = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (NoPart, "The attribute classifier must be a module; the five parts are encoder_c, classifier"),
        (NoTaps, "taps_c must be two pairs"),
        (Idle, "The parameter never.weight takes part in no layer"),
        (type("Plain", (), {"__init__": lambda self, *given: None}), "Plain must be derived from nn.Module"),
        (
            type("Tuple", (Pieces,), {"forward": lambda self, x: (super(Pieces, self), x)}),
            "takes part in no layer",
        ),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_a_class_that_nobody_has_begun_is_not_attempted():
    class Stub(nn.Module):
        def __init__(self, num_classes=10, maps=(128, 256, 512)):
            super().__init__()
            raise NotImplementedError("hybridnet.conv_large")

    assert verdict(Stub).state == "not attempted"


# --- the oracle ------------------------------------------------------------------------------


def results(number, **change):
    return dict(zip(TASK.gives, oracle(**TASK.cases[number].exact() | change)))


def test_the_counts_are_those_of_the_table():
    """Sums over the rows of Table B.1: k² · in · out, and 2 · out for a batch norm."""
    encoder = [(3, 128, 9), (128, 128, 9), (128, 128, 9), (128, 256, 9), (256, 256, 9), (256, 256, 9)]
    encoder += [(256, 512, 9), (512, 256, 1), (256, 128, 1)]
    e = sum(i * o * k + 2 * o for i, o, k in encoder)
    d = sum(i * o * k + 2 * i for i, o, k in encoder[1:]) + 3 * 128 * 9 + 3
    assert (e, 1290, d, e, d, 2 * e + 2 * d + 1290) == COUNTS


def test_shapes_are_those_of_the_table():
    a, b, _ = TASK.cases[0].exact()["maps"].tolist()
    found = results(0)
    for when in ("evaluation", "training"):
        assert found[f"h_c in {when}"].shape == (2, a, 6, 6)
        for name in ("encoder_c", "decoder_c", "encoder_u", "decoder_u"):
            assert found[f"first tap of {name} in {when}"].shape == (2, a, 16, 16)
            assert found[f"second tap of {name} in {when}"].shape == (2, b, 8, 8)


def test_the_picture_of_c_forgets_places_and_that_of_u_knows_them():
    """Where all values of a tap were repeated or unpooled: a quarter of the places are left."""
    given = TASK.cases[0].exact()
    model = TheCoursesOwn(given["classes"], tuple(given["maps"].tolist())).double().eval()
    with torch.no_grad():
        for up in (model.decoder_c, model.decoder_u):
            assert len(up.steps) == 11
        x_c = model(given["x"]).x_c
        for parameter in model.encoder_u.parameters():
            parameter.add_(1)
        assert torch.equal(x_c, model(given["x"]).x_c)


def test_dropout_in_training_is_the_known_one_and_is_put_back():
    x = torch.ones(1, 2, 5)
    with KnownDropout() as mode:
        found = F.dropout(x, 0.5), nn.Dropout(0.2)(x), nn.Dropout2d()(x), nn.Dropout().eval()(x), x + 1
    assert torch.equal(found[0], dropped(x)) and torch.equal(found[3], x) and torch.equal(found[4], x + 1)
    assert mode.seen == [(0.5, (1, 2, 5)), (0.2, (1, 2, 5)), (-1.0, (1, 2, 5))]
    assert found[0].eq(0).sum() == 4
    torch.manual_seed(0)
    assert not torch.equal(F.dropout(torch.ones(50)), dropped(torch.ones(50)))


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[1].inputs()
    use(Pieces, **given)
    assert torch.equal(given["x"], TASK.cases[1].inputs()["x"])
