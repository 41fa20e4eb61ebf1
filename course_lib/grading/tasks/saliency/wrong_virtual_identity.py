"""Wrong answers to saliency.virtual_identity in what they imagine, and those in what they insert."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.identity_pieces import Pieces
from course_lib.grading.tasks.saliency.wrong_identities import IDENTITIES


class Entering(Pieces):
    """x is what enters the layer."""

    def seen(self, images, y):
        found = []
        place = self.model.get_submodule(self.layer)
        handle = place.register_forward_pre_hook(
            lambda module, inputs: found.append(inputs[0].detach().clone())
        )
        _, g = super().seen(images, y)
        handle.remove()
        return found[0], g


class EnteringBoth(Pieces):
    """Both x and g belong to what enters the layer."""

    def seen(self, images, y):
        kept = []

        def hook(module, inputs):
            kept.append(inputs[0].detach().clone().requires_grad_())
            return (kept[0].clone(),)

        handle = self.model.get_submodule(self.layer).register_forward_pre_hook(hook)
        logits = self.model(images)
        handle.remove()
        return kept[0].detach(), torch.autograd.grad(self.score(logits, y), kept[0])[0]


class AtTheNextLayer(Pieces):
    """x is what enters the layer that runs next: behind a branch, that is the sum."""

    def seen(self, images, y):
        _, g = super().seen(images, y)
        place = self.model.get_submodule(self.layer)
        found, over, handles = [], [], [place.register_forward_hook(lambda *given: over.append(True))]
        for module in self.model.modules():
            if not list(module.children()):
                handles.append(
                    module.register_forward_pre_hook(
                        lambda module, inputs: found.append(inputs[0].detach().clone()) if over else None
                    )
                )
        self.model(images)
        for handle in handles:
            handle.remove()
        return found[0], g


class Overwritten(Pieces):
    """What the hook keeps is what a ReLU behind it writes into."""

    def seen(self, images, y):
        kept = []

        def hook(module, inputs, output):
            kept.append(output.detach().clone().requires_grad_() * 1)
            return kept[0]

        handle = self.model.get_submodule(self.layer).register_forward_hook(hook)
        logits = self.model(images)
        handle.remove()
        return kept[0].detach(), torch.autograd.grad(self.score(logits, y), kept[0])[0]


class OfTheLoss(Pieces):
    def score(self, logits, y):
        return F.cross_entropy(logits, y, reduction="sum")


class OfTheMean(Pieces):
    def score(self, logits, y):
        return super().score(logits, y) / len(y)


class OfTheProbability(Pieces):
    def score(self, logits, y):
        return super().score(logits.softmax(1), y)


class OfAllClasses(Pieces):
    def score(self, logits, y):
        return logits.sum()


class OfTheBestClass(Pieces):
    def score(self, logits, y):
        return logits.amax(1).sum()


class AveragedGradient(Pieces):
    def each(self, x, g):
        return super().each(x, g.mean((2, 3), keepdim=True).expand_as(g))


class WithoutX(Pieces):
    def each(self, x, g):
        return super().each(torch.ones_like(x), g)


class Transposed(Pieces):
    def each(self, x, g):
        made = super().each(x, g)
        return made.transpose(1, 2) if self.kind == "conv" else made


class Summed(Pieces):
    def each(self, x, g):
        return super().each(x, g).sum((-2, -1))


class MiddlePixel(Pieces):
    def patches(self, x):
        return x


class LeavesAHook(Pieces):
    def contributions(self, images, y):
        made = super().contributions(images, y)
        self.model.get_submodule(self.layer).register_forward_hook(lambda module, inputs, output: None)
        return made


class LeavesGradients(Pieces):
    """Backwards through all of the net."""

    def contributions(self, images: Tensor, y: Tensor) -> Tensor:
        made = super().contributions(images, y)
        self.score(self.model(images.clone().requires_grad_()), y).backward()
        return made


class Freezes(Pieces):
    def contributions(self, images, y):
        self.model.requires_grad_(False)
        return super().contributions(images, y)


class Trains(Pieces):
    def contributions(self, images, y):
        made = super().contributions(images, y)
        self.model.train()
        return made


MISCONCEPTIONS = (
    *IDENTITIES,
    Misconception(
        "what enters the layer",
        Entering,
        "x is what enters the layer. The identity stands behind the layer: its input is the layer's output.",
    ),
    Misconception(
        "both before the layer",
        EnteringBoth,
        "x and g belong to what enters the layer. Both belong to its output, where the identity is imagined.",
    ),
    Misconception(
        "what enters the next layer",
        AtTheNextLayer,
        "x is what enters the next layer. Behind a branch that is the sum of both ways: "
        "take the output of the layer itself.",
    ),
    Misconception(
        "overwritten in place",
        Overwritten,
        "A ReLU that works in place writes into the tensor that you keep, so x and g belong to what is "
        "behind "
        "the ReLU. Keep x, and give the rest of the net a copy.",
    ),
    Misconception(
        "gradient of the loss",
        OfTheLoss,
        "g is the gradient of the cross-entropy, whose sign is opposite and which mixes in the other "
        "classes. "
        "Take the class's logit.",
    ),
    Misconception(
        "mean over the batch",
        OfTheMean,
        "The score is averaged over the batch, so every contribution is B times too small. Sum the logits.",
    ),
    Misconception(
        "gradient of the probability",
        OfTheProbability,
        "g is the gradient of the probability, which vanishes where the net is sure. Take the class's logit.",
    ),
    Misconception(
        "all classes",
        OfAllClasses,
        "The logits of all classes are summed up. Each image has one class to explain: its y.",
    ),
    Misconception(
        "predicted class",
        OfTheBestClass,
        "The class with the largest logit is explained. Explain the class that y names.",
    ),
    Misconception(
        "averaged gradient",
        AveragedGradient,
        "g is averaged over the locations, as in Grad-CAM. Each location has a gradient of its own.",
    ),
    Misconception(
        "gradient alone",
        WithoutX,
        "Only g is used. For scaling and convolution it is multiplied with x, or with its patch.",
    ),
    Misconception(
        "transposed",
        Transposed,
        "The matrices are transposed: x gᵀ in place of g xᵀ. The channel of g comes first, as in the weight.",
    ),
    Misconception(
        "summed over the locations",
        Summed,
        "The contributions are summed over the locations, which gives the gradient of the weight. "
        "Stop before the sum.",
    ),
    Misconception(
        "pixel instead of patch",
        MiddlePixel,
        "Only the pixel at u is used. The kernel touches the N×N pixels around it, zeros beyond the border.",
    ),
    Misconception(
        "hook left behind",
        LeavesAHook,
        "A hook stays on the model. Keep what register_forward_hook returns, and call its remove().",
    ),
    Misconception(
        "gradients left behind",
        LeavesGradients,
        "backward() leaves gradients in the model's parameters. torch.autograd.grad(score, x) leaves none.",
    ),
    Misconception(
        "model frozen",
        Freezes,
        "The parameters of the model need no gradient any more. Leave requires_grad as it is.",
    ),
    Misconception(
        "model left in training mode",
        Trains,
        "The model is in training mode afterwards. Leave it in the mode in which you get it.",
    ),
)
