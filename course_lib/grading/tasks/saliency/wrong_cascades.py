"""Wrong answers to saliency.cascade, and what to tell whoever gives one."""

import copy

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency import cascade_pieces as pieces
from course_lib.grading.tasks.saliency.cascade_pieces import cascading

MISCONCEPTIONS = (
    Misconception(
        "first to last",
        cascading(order=list),
        "The layers lose their weights from the first to the last. Begin at the output, with the last one.",
    ),
    Misconception(
        "one layer at a time",
        cascading(cumulative=False),
        "Each model has one new layer only. The cascade goes on: what was new before stays new.",
    ),
    Misconception(
        "the model itself",
        cascading(start=pieces.itself, copied=pieces.itself),
        "The model that was given loses its weights. Work on a deep copy.",
    ),
    Misconception(
        "copies of the model that is destroyed",
        cascading(start=pieces.itself),
        "What you hand out are copies, but the model that was given loses its weights with them. "
        "Make a copy first.",
    ),
    Misconception(
        "one copy for all",
        cascading(copied=pieces.itself),
        "You hand out the same model each time, so who keeps the first finds it changed by the last. "
        "Hand out a deep copy of each: copy.copy shares the layers.",
    ),
    Misconception(
        "without batch norm",
        cascading(names=pieces.without_norms),
        "Batch norm is left out. It has weights of its own and has seen the data: it is a layer as well.",
    ),
    Misconception(
        "batch norm comes but stays",
        cascading(reset=pieces.keeps_norms),
        "The batch norms come in their turn and stay as they were. Reset them as well.",
    ),
    Misconception(
        "statistics stay",
        cascading(reset=pieces.keeps_statistics),
        "Batch norm keeps the mean and the variance of what it has seen. They are buffers, and learned too: "
        "reset_parameters() resets them as well.",
    ),
    Misconception(
        "only the statistics",
        cascading(reset=pieces.keeps_the_affine_part),
        "Batch norm keeps its scale and shift; only its statistics are new. Reset both.",
    ),
    Misconception(
        "biases stay",
        cascading(reset=pieces.keeps_biases),
        "The biases stay. A new layer has a new bias as well.",
    ),
    Misconception(
        "zeros",
        cascading(reset=pieces.zero),
        "The new weights are 0, and nothing comes through such a net. "
        "Draw them as torch does for a new layer.",
    ),
    Misconception(
        "large weights",
        cascading(reset=pieces.standard_normal),
        "The new weights are standard normal, far larger than torch draws them. Use reset_parameters().",
    ),
    Misconception(
        "small weights",
        cascading(reset=pieces.small_normal),
        "The new weights are tiny, and their biases 0, unlike those of a new layer. Use reset_parameters().",
    ),
    Misconception(
        "noise",
        cascading(reset=pieces.noise_added),
        "The old weights are still there, with noise on them. Replace them.",
    ),
    Misconception(
        "shuffled",
        cascading(reset=pieces.shuffled),
        "The old weights are only shuffled. Draw new ones.",
    ),
    Misconception(
        "all leaves",
        cascading(names=pieces.all_leaves),
        "ReLUs and poolings come too, though they have nothing to lose. "
        "Take the modules with parameters of their own.",
    ),
    Misconception(
        "whole blocks",
        cascading(names=pieces.blocks),
        "You take the children of the model, so a whole block loses its weights at once. "
        "Go down to the layers: named_modules().",
    ),
    Misconception(
        "the model as it is comes first",
        cascading(at_first=lambda model: [("", copy.deepcopy(model))]),
        "The first model is the original one. The cascade begins with the last layer new.",
    ),
    Misconception(
        "the first layer stays",
        cascading(names=lambda model: pieces.layers_of(model)[1:]),
        "The first layer never comes. In the end nothing of the model is left.",
    ),
    Misconception(
        "short names",
        cascading(called=lambda name: name.split(".")[-1]),
        "The names are not whole: `conv1` instead of `body.conv1`. "
        "Give what model.get_submodule(name) understands.",
    ),
    Misconception(
        "seed ignored",
        cascading(drawing=pieces.forget_seed),
        "The seed makes no difference. With one seed the new weights are always the same.",
    ),
    Misconception(
        "always the same seed",
        cascading(drawing=lambda seed: pieces.seeded(0)),
        "The seed is always the same, whatever is asked for. Use the one that is given.",
    ),
    Misconception(
        "each layer begins at the seed",
        cascading(alike=True),
        "Every layer begins at the seed, so two layers of one shape get the same weights. Set it once.",
    ),
    Misconception(
        "global seed",
        cascading(drawing=pieces.for_everyone),
        "torch.manual_seed also changes the random numbers of whoever calls you. "
        "Set it within torch.random.fork_rng().",
    ),
    Misconception(
        "seed held between the models",
        pieces.held_between,
        "While your generator waits, the caller draws from your seed: fork_rng is still open at the yield. "
        "Draw all weights first, and close it.",
    ),
    Misconception(
        "drawn anew each time",
        pieces.drawn_anew_each_time,
        "Each model draws all of its new layers again. Then two models differ in more than one layer: "
        "keep what is drawn.",
    ),
    Misconception(
        "copies in evaluation mode",
        cascading(copied=pieces.evaluated),
        "The copies are in evaluation mode and the model is not. Leave modes as they are.",
    ),
    Misconception(
        "copies unfrozen",
        cascading(copied=pieces.unfrozen),
        "A frozen parameter needs a gradient in your copies. Leave requires_grad as it is.",
    ),
    Misconception(
        "model left in evaluation mode",
        cascading(after=lambda model: model.eval()),
        "The model is in evaluation mode afterwards. Leave it as it was.",
    ),
)
