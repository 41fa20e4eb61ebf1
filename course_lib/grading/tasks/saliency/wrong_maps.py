"""Wrong answers to saliency.maps: another score, another tensor, a model that is not as it was."""

from course_lib.grading.mode_pieces import all_trained_afterwards, as_it_is, left_in_evaluation
from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.map_pieces import (
    answering,
    by_backward,
    by_backward_wiped,
    cross_entropy,
    of_class,
    of_probability,
    of_the_likeliest,
    overwritten,
    stored_before,
)
from course_lib.grading.tasks.saliency.wrong_map_formulas import OF_THE_FORMULA

OF_THE_SCORE = (
    Misconception(
        "gradient of the loss",
        answering(score=cross_entropy),
        "The gradient is that of the cross-entropy. It has roughly the opposite sign and mixes in the other "
        "classes. Differentiate the logit of the class.",
    ),
    Misconception(
        "log-probability",
        answering(score=lambda logits, y: -cross_entropy(logits, y)),
        "The gradient is that of the logarithm of the probability, which falls when another class rises. "
        "Differentiate the logit itself.",
    ),
    Misconception(
        "probability",
        answering(score=of_probability),
        "The gradient is that of the softmax probability. It vanishes where the net is sure. "
        "Differentiate the logit.",
    ),
    Misconception(
        "sign turned",
        answering(score=lambda logits, y: -of_class(logits, y)),
        "The gradient is that of minus the logit, so the maps show what speaks against the class. "
        "Take the logit itself.",
    ),
    Misconception(
        "mean over the batch",
        answering(score=lambda logits, y: of_class(logits, y) / len(y)),
        "The score is a mean over the batch, so each map shrinks with the number of images. Sum the logits.",
    ),
    Misconception(
        "class that the net chooses",
        answering(score=of_the_likeliest),
        "You explain the largest logit. Explain the class that is asked for, y.",
    ),
    Misconception(
        "all classes",
        answering(score=lambda logits, y: logits.sum()),
        "The score is the sum of all logits. Pick for each image the logit of its class.",
    ),
    Misconception(
        "class of the first image",
        answering(score=lambda logits, y: logits[:, y[0]].sum()),
        "All images are explained for the class of the first one. Each has its own, y[b].",
    ),
)

OF_THE_MODEL = (
    Misconception(
        "training mode",
        answering(mode=as_it_is),
        "The model runs in training mode, so batch norm mixes the images of a batch and is moved by them. "
        "Set it to evaluation mode meanwhile.",
    ),
    Misconception(
        "left in evaluation mode",
        answering(mode=left_in_evaluation),
        "The model stays in evaluation mode, and the next training step would go wrong without a sound. "
        "Put every mode back.",
    ),
    Misconception(
        "everything trained afterwards",
        answering(mode=all_trained_afterwards),
        "model.train() puts every module into training mode, also those that were not. "
        "Remember the mode of each and put that back.",
    ),
    Misconception(
        "overwritten in place",
        answering(keep=overwritten),
        "The ReLU after the layer works in place, and has written into the tensor that you kept. "
        "Keep the layer's output and hand a clone of it on.",
    ),
    Misconception(
        "two different tensors",
        answering(keep=stored_before),
        "The activation is from before the in-place ReLU, the gradient from after it: both are needed at the "
        "same tensor. Let your hook hand on a clone.",
    ),
    Misconception(
        "before the layer",
        answering(entering=True, keep=lambda given: (given, given, given.clone())),
        "You take what enters the layer. A map at a layer is one of its output.",
    ),
    Misconception(
        "hook left on the model",
        answering(remove=False),
        "Your hook stays on the model and runs at every later call. Take it away: handle.remove().",
    ),
    Misconception(
        "gradients on the weights",
        answering(derive=by_backward),
        "backward() adds to .grad of every weight, and the next training step would use that. "
        "Use torch.autograd.grad at the tensor you need.",
    ),
    Misconception(
        "gradients wiped",
        answering(derive=by_backward_wiped),
        "zero_grad() wipes gradients that were there before you came. "
        "With torch.autograd.grad at the tensor you need, none of them is touched.",
    ),
    Misconception(
        "weights frozen",
        answering(before=lambda model: model.requires_grad_(False)),
        "The weights no longer need a gradient after your call, so the model cannot learn. "
        "Leave requires_grad as it is.",
    ),
    Misconception(
        "weights unfrozen",
        answering(before=lambda model: model.requires_grad_()),
        "A frozen model has weights that need a gradient after your call. "
        "Let a copy of the image need one instead.",
    ),
    Misconception(
        "image marked",
        answering(image=lambda x: x.requires_grad_()),
        "The caller's images need a gradient after your call. Mark a copy: x.detach().clone().",
    ),
    Misconception(
        "keeps the graph",
        answering(finish=lambda made, x: made),
        "The maps hold on to the graph of the whole forward pass. Return them detached.",
    ),
)

MISCONCEPTIONS = (*OF_THE_FORMULA, *OF_THE_SCORE, *OF_THE_MODEL)
