"""Wrong answers to saliency.meta_step, and what to tell whoever gives one."""

import copy

from course_lib.grading.mode_pieces import as_it_is
from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency import step_pieces as pieces
from course_lib.grading.tasks.saliency.step_pieces import stepping

OF_THE_STEP = (
    Misconception(
        "half a step",
        stepping(length=lambda eps, sign: sign * eps),
        "The step has the length ε. It is 2ε: the finite difference that replaces the Hessian is taken over "
        "twice the inner step, so that two of its terms cancel.",
    ),
    Misconception(
        "uphill",
        stepping(length=lambda eps, sign: -2 * sign * eps),
        "The step goes up the loss. With sign = 1 it goes down, towards the class: subtract the gradient.",
    ),
    Misconception(
        "sign ignored",
        stepping(length=lambda eps, sign: 2 * eps),
        "sign makes no difference. With sign = -1 the step goes up the loss.",
    ),
    Misconception(
        "two steps",
        stepping(length=lambda eps, sign: sign * eps, times=2),
        "You take two steps of ε, each with a gradient of its own. It is one step of 2ε.",
    ),
    Misconception(
        "step of length one",
        stepping(rule=pieces.of_unit_length),
        "The gradient is scaled to length 1. Use it as it is.",
    ),
    Misconception(
        "weight decay",
        stepping(rule=pieces.with_weight_decay),
        "The optimiser has weight decay, which pulls at every weight besides. "
        "The step is that of plain gradient descent.",
    ),
    Misconception(
        "momentum",
        stepping(rule=pieces.with_nesterov),
        "The optimiser has (Nesterov) momentum, which makes already the first step longer. "
        "The step is that of plain gradient descent.",
    ),
    Misconception(
        "Adam",
        stepping(rule=pieces.with_adam),
        "Adam moves every weight by about the same. The step is that of plain gradient descent: "
        "2ε times the gradient.",
    ),
)

OF_THE_LOSS = (
    Misconception(
        "logit",
        stepping(loss=pieces.of_the_logit),
        "The step follows the logit of the class. The inner loss is the cross-entropy; "
        "only what is explained afterwards is the logit.",
    ),
    Misconception(
        "sum over the images",
        stepping(loss=pieces.of_the_sum),
        "The loss is a sum over the images, so the step grows with their number. Take the mean.",
    ),
    Misconception(
        "class that the net chooses",
        stepping(loss=pieces.of_the_likeliest),
        "The step goes towards the class that the net prefers. It goes towards the one that is asked for, y.",
    ),
    Misconception(
        "training mode",
        stepping(mode=as_it_is),
        "The loss is computed in training mode, so batch norm uses the batch and its statistics move. "
        "Set the copy to evaluation mode first.",
    ),
    Misconception(
        "training mode on the model",
        pieces.in_training_on_the_model,
        "The model itself is run in training mode, which moves the statistics of its batch norms. "
        "Make the copy first, set it to evaluation mode, and run that.",
    ),
)

OF_THE_PARAMETERS = (
    Misconception(
        "classifier only",
        stepping(which=lambda name, p: name.startswith("head")),
        "Only the classifier has moved. Then activations are those of θ and only gradients those of θ': "
        "move all parameters.",
    ),
    Misconception(
        "no vectors",
        stepping(which=lambda name, p: p.dim() > 1),
        "Biases and the weights of batch norm stay. They are parameters too: move all of them.",
    ),
    Misconception(
        "frozen ones left out",
        stepping(which=lambda name, p: p.requires_grad),
        "Parameters that need no gradient stay where they are. The step is one of the function, "
        "whoever trains it: move all of them.",
    ),
    Misconception(
        "copy frozen",
        stepping(after=lambda model, stepped: stepped.requires_grad_(False)),
        "The copy's parameters need no gradient, but the model's do. Leave requires_grad as it is.",
    ),
    Misconception(
        "copy unfrozen",
        stepping(after=lambda model, stepped: stepped.requires_grad_()),
        "The model is frozen and its copy is not. Put requires_grad back when you have your gradients.",
    ),
)

OF_THE_MODEL = (
    Misconception(
        "no copy",
        stepping(start=lambda model: model),
        "The model itself has moved: what you return is no copy of it. Begin with copy.deepcopy(model).",
    ),
    Misconception(
        "model moved too",
        stepping(after=pieces.moves_the_model_too),
        "The copy is right, but the model has taken the step as well. Leave its weights alone.",
    ),
    Misconception(
        "step in the model",
        stepping(after=pieces.exchanged),
        "The model has taken the step and the copy has not. Move the copy, and leave the model alone.",
    ),
    Misconception(
        "no step",
        stepping(returned=lambda model, stepped: copy.deepcopy(model)),
        "The copy has the model's own weights. A name that is bound anew does not reach it: "
        "write into its parameters in place.",
    ),
    Misconception(
        "gradients on the model",
        pieces.backward_on_the_model,
        "backward() adds to .grad of the model's weights, and so to what stood there before. "
        "Use torch.autograd.grad, on the copy.",
    ),
    Misconception(
        "gradients wiped",
        pieces.wiped_and_backward_on_the_model,
        "The model's .grad is wiped and written anew, and its next training step would use that. "
        "Use torch.autograd.grad, on the copy.",
    ),
    Misconception(
        "model left in evaluation mode",
        stepping(after=lambda model, stepped: model.eval()),
        "The model stays in evaluation mode, and the next training step would go wrong without a sound. "
        "Only the copy needs it.",
    ),
    Misconception(
        "model in training mode afterwards",
        stepping(after=lambda model, stepped: model.train()),
        "model.train() puts every module of the model into training mode, also those that were not. "
        "Leave the model's modes alone.",
    ),
)

MISCONCEPTIONS = (*OF_THE_STEP, *OF_THE_LOSS, *OF_THE_PARAMETERS, *OF_THE_MODEL)
