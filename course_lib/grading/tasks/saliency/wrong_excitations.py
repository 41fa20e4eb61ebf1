"""Wrong answers to saliency.excitation, and what to tell whoever gives one."""

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency import excitation_pieces as pieces
from course_lib.grading.tasks.saliency.excitation_pieces import exciting

OF_THE_RULE = (
    Misconception(
        "not times the input",
        exciting(rule=pieces.by_weight),
        "The signal goes back by the weights alone. What an input contributes is weight times input: "
        "multiply with x at the end.",
    ),
    Misconception(
        "with the bias",
        exciting(rule=pieces.with_bias),
        "The divisor holds the bias. It belongs to no input, so its share of the signal is lost: "
        "leave it out.",
    ),
    Misconception(
        "divided by all weights",
        exciting(rule=pieces.over_all_weights),
        "The divisor is the sum over all weights. Only positive ones excite: sum w⁺ x there too, "
        "or the shares do not add up to 1.",
    ),
    Misconception(
        "negative weights too",
        exciting(rule=pieces.with_all_weights),
        "Negative weights take part. They inhibit, and excitation follows positive weights only: "
        "w⁺ = max(w, 0).",
    ),
    Misconception(
        "sizes of the weights",
        exciting(rule=pieces.with_sizes),
        "You take |w|. Negative weights do not excite: set them to 0.",
    ),
    Misconception(
        "not divided",
        exciting(rule=pieces.not_divided),
        "The contributions are not divided by their sum, so the signal grows from layer to layer. "
        "Divide p by Σ w⁺ x first.",
    ),
    Misconception(
        "zero by zero",
        exciting(rule=pieces.without_care),
        "Where no input excites, the share is 0 / 0. The signal ends there: put 0.",
    ),
    Misconception(
        "plain gradient",
        exciting(rule=pieces.by_gradient),
        "Convolutions and linear layers are differentiated as usual. "
        "Send back shares: x times the transposed layer of p / (w⁺ x).",
    ),
    Misconception(
        "average pooling differentiated",
        exciting(average=pieces.differentiated),
        "Average pooling shares the signal out evenly. It is a sum like any other: "
        "by contribution, x_j / Σ x.",
    ),
    Misconception(
        "average pooling passes to the largest",
        exciting(average=pieces.to_the_largest_instead),
        "Average pooling sends the signal to the largest of each window. "
        "Share it by contribution, x_j / Σ x.",
    ),
    Misconception(
        "max-pooling shares",
        exciting(pool=pieces.shares_of_window),
        "Max-pooling shares the signal among the inputs. Only the largest of a window was used: it gets all.",
    ),
    Misconception(
        "max-pooling in equal parts",
        exciting(pool=pieces.to_all_that_reach_it),
        "Max-pooling gives every input of a window the same. Only the largest was used: it gets all.",
    ),
    Misconception(
        "batch norm differentiated",
        exciting(norm=pieces.differentiated),
        "Batch norm multiplies the signal with its slope. It moves no signal from place to place: "
        "let it pass.",
    ),
)

OF_THE_START_AND_END = (
    Misconception(
        "probabilities at the top",
        exciting(seed=lambda logits, y: logits.softmax(1)),
        "The signal begins with the softmax of the logits. It begins at the asked class alone: "
        "1 there, 0 elsewhere.",
    ),
    Misconception(
        "all classes at the top",
        exciting(seed=lambda logits, y: logits * 0 + 1),
        "The signal begins at all classes. It begins at the asked one alone: 1 there, 0 elsewhere.",
    ),
    Misconception(
        "logit at the top",
        exciting(seed=lambda logits, y: pieces.one_hot(logits, y) * logits),
        "The signal begins with the logit of the class. It is a probability and begins with 1.",
    ),
    Misconception(
        "likeliest class",
        exciting(seed=lambda logits, y: pieces.one_hot(logits, logits.argmax(1))),
        "You explain the class with the largest logit. Explain the class that is asked for, y.",
    ),
    Misconception(
        "one layer too far",
        exciting(shift=1),
        "The signal is that at the input of layers[stop]. Stop at its output.",
    ),
    Misconception(
        "mean over the channels",
        exciting(final=lambda p, contrastive: pieces.summed_up(p, contrastive) / p.shape[1]),
        "The map is the mean over the channels. Sum them.",
    ),
    Misconception(
        "largest channel",
        exciting(final=lambda p, contrastive: p.amax(1, keepdim=True)),
        "The map is the largest channel. Sum them.",
    ),
    Misconception(
        "contrast not clamped",
        exciting(final=lambda p, contrastive: p.sum(1, keepdim=True)),
        "A contrastive map has negative values. Clamp it at 0, after the sum over the channels.",
    ),
    Misconception(
        "clamped before the sum",
        exciting(final=lambda p, contrastive: p.clamp(min=0).sum(1, keepdim=True)),
        "The channels are clamped before they are summed. First the sum, then no less than 0.",
    ),
)

OF_THE_CONTRAST = (
    Misconception(
        "no contrast",
        exciting(difference=lambda p, against: p),
        "The contrast makes no difference. Subtract the signal of the negated classifier, and clamp the map "
        "at the end only: just below the classifier no unit has both signals, so clamping there undoes it.",
    ),
    Misconception(
        "all layers negated",
        exciting(everywhere=True),
        "The weights of all layers are negated for the contrast. Negate the last layer's alone.",
    ),
    Misconception(
        "signal negated",
        exciting(difference=lambda p, against: 2 * p),
        "For the contrast the signal is negated, not the weights, which only doubles it. "
        "With -w other inputs excite: w⁺ becomes max(-w, 0).",
    ),
    Misconception(
        "contrast added",
        exciting(difference=lambda p, against: p + against),
        "The two signals are added. Subtract the one of the negated classifier.",
    ),
    Misconception(
        "contrast the wrong way round",
        exciting(difference=lambda p, against: against - p),
        "The difference is the wrong way round: what speaks for the class is negative. Take p - p̃.",
    ),
    Misconception(
        "signal clamped",
        exciting(closing=lambda p: p.clamp(min=0)),
        "The signal itself is clamped at 0. It keeps its sign; only the map is clamped, after the sum.",
    ),
    Misconception(
        "only the contrast",
        exciting(difference=lambda p, against: against),
        "The signal is that of the negated classifier alone. Are its weights back in "
        "place for the second pass?",
    ),
    Misconception(
        "classifier negated for both",
        exciting(difference=lambda p, against: 0 * p, after=pieces.leaves_it_negated),
        "The classifier's weights stay negated, so both passes are the same and nothing is left. "
        "Make new weights instead of changing those that are there.",
    ),
    Misconception(
        "classifier left negated",
        exciting(after=pieces.leaves_it_negated),
        "The classifier's weights are negated after your call. Make new weights instead of changing these.",
    ),
)

OF_THE_LAYERS = (
    Misconception(
        "negative weights removed",
        exciting(after=pieces.leaves_it_positive),
        "The layers have lost their negative weights. Make new tensors instead of changing theirs.",
    ),
    Misconception(
        "training mode",
        exciting(mode=pieces.as_it_is),
        "The layers run in training mode, so batch norm mixes the images and is moved by them. "
        "Set them to evaluation mode meanwhile.",
    ),
    Misconception(
        "left in evaluation mode",
        exciting(mode=pieces.left_in_evaluation),
        "The layers stay in evaluation mode, and the next training step would go wrong without a sound. "
        "Put every mode back.",
    ),
    Misconception(
        "everything trained afterwards",
        exciting(mode=pieces.all_trained_afterwards),
        "All layers are in training mode afterwards, also those that were not. "
        "Remember the mode of each and put that back.",
    ),
    Misconception(
        "keeps the graph",
        exciting(finish=lambda t: t),
        "The results hold on to a graph. Return them detached.",
    ),
)

MISCONCEPTIONS = (*OF_THE_RULE, *OF_THE_START_AND_END, *OF_THE_CONTRAST, *OF_THE_LAYERS)
