"""Wrong answers to hybridnet.temporal_ensemble, and what to tell whoever gives one."""

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.hybridnet import faulty_ensembles as faulty

MISCONCEPTIONS = (
    Misconception(
        "no correction",
        faulty.Uncorrected,
        "The target is Z itself. Z starts at 0, so after one epoch it is only 1 - α of a prediction: "
        "divide it by 1 - αᵗ.",
    ),
    Misconception(
        "correction multiplied",
        faulty.Multiplied,
        "You multiply Z with 1 - αᵗ, which makes it smaller still. Divide.",
    ),
    Misconception(
        "one epoch too many",
        faulty.OneTooMany,
        "The power of α counts one epoch more than the image has seen. "
        "After its first epoch the divisor is 1 - α¹.",
    ),
    Misconception(
        "divided by 1 - α",
        faulty.DividedByAlpha,
        "The divisor is 1 - α in every epoch. That is right after the first only: afterwards it is 1 - αᵗ.",
    ),
    Misconception(
        "α and 1 - α exchanged",
        faulty.Exchanged,
        "The old average keeps the weight 1 - α and the new prediction gets α. It is the other way round.",
    ),
    Misconception(
        "1 - α for α everywhere",
        faulty.ExchangedThroughout,
        "You use 1 - α where α belongs, in the average and in the divisor. "
        "α is what the old average keeps: a large α remembers long.",
    ),
    Misconception(
        "α fixed",
        faulty.AlphaFixed,
        "α is always 0.6. Use the α that the class was made with.",
    ),
    Misconception(
        "corrected average moved on",
        faulty.FromTheTarget,
        "The next average starts from the target. Keep Z without the correction, and correct a copy "
        "whenever a target is asked for.",
    ),
    Misconception(
        "averages its own targets",
        faulty.AveragesItself,
        "The target enters the average in the place of the prediction, so nothing new ever comes in. "
        "Move Z towards what was observed.",
    ),
    Misconception(
        "place in the batch",
        faulty.PlaceInTheBatch,
        "You look images up by their place in the batch. "
        "Batches are shuffled, so an image has the number that stands in index.",
    ),
    Misconception(
        "told by the place in the batch",
        faulty.ToldByPlaceInTheBatch,
        "Predictions are stored by their place in the batch, and looked up by the number of the image. "
        "Store them at index as well.",
    ),
    Misconception(
        "moved at once",
        faulty.AtOnce,
        "observe moves the average at once, so an image that comes twice in an epoch counts twice. "
        "Only remember there, and move everything in end_epoch.",
    ),
    Misconception(
        "first of the epoch",
        faulty.FirstOfTheEpoch,
        "Of an image that came twice, the first prediction counts. Take the mean of all in the epoch.",
    ),
    Misconception(
        "last of the epoch",
        faulty.LastOfTheEpoch,
        "Of an image that came twice, the last prediction counts, because it overwrites the one before. "
        "Take the mean of all in the epoch.",
    ),
    Misconception(
        "one count for all",
        faulty.OneCount,
        "All images share one count of epochs. An image that was missing has seen fewer, "
        "so each needs a count of its own.",
    ),
    Misconception(
        "missing counts as zero",
        faulty.MissingAreZero,
        "An image that did not come is averaged with a prediction of zeros. "
        "Leave its Z and its count as they are.",
    ),
    Misconception(
        "old epoch kept",
        faulty.KeepsTheEpoch,
        "An image that does not come is moved again by its prediction of an epoch before. "
        "Forget what was observed once the epoch is over.",
    ),
    Misconception(
        "always known",
        faulty.AlwaysKnown,
        "Images count as known before anybody has seen them, with a target of zeros. "
        "known is true only where an epoch with this image is over.",
    ),
    Misconception(
        "known one epoch late",
        faulty.KnownLate,
        "Images become known after their second epoch. One is enough, because of the correction.",
    ),
    Misconception(
        "plain mean",
        faulty.PlainMean,
        "All epochs count alike. The average is exponential: α of the old, 1 - α of the new prediction.",
    ),
    Misconception(
        "last epoch alone",
        faulty.LastOnly,
        "The target is what the epoch before predicted. Average over all epochs, with weights that fade.",
    ),
    Misconception(
        "starts at the first prediction",
        faulty.FirstTaken,
        "The first prediction becomes the average as it is, so it weighs more than it should ever after. "
        "Start at 0 and divide by 1 - αᵗ.",
    ),
    Misconception(
        "starts at equal probabilities",
        faulty.FromUniform,
        "Z starts at equal probabilities for all classes, and these stay in the target. "
        "Start at 0 and divide by 1 - αᵗ.",
    ),
    Misconception(
        "gradient leaks",
        faulty.Leaks,
        "The targets still hang on earlier predictions for autograd. "
        "They are constants for the loss: store prob.detach().",
    ),
    Misconception(
        "writes into prob",
        faulty.WritesIntoTheirs,
        "The numbers are right, but the given prob has changed. Its owner still needs it for the loss.",
    ),
)
