"""Wrong answers to hybridnet.shake_shake, and what to tell whoever gives one."""

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.hybridnet import shaken_pieces as pieces

MISCONCEPTIONS = (
    Misconception(
        "one number for the batch",
        pieces.OneForTheBatch,
        "All images of a batch get the same α. Draw one for each image: shape (B, 1, 1, 1).",
    ),
    Misconception(
        "one β for the batch",
        pieces.OneBetaForTheBatch,
        "Each image has its own α, but all share one β. Draw β for each image too: shape (B, 1, 1, 1).",
    ),
    Misconception(
        "a number for each place",
        pieces.ForEachPlace,
        "α differs from place to place or from map to map. One number counts for the whole of an image.",
    ),
    Misconception(
        "the same number backward",
        pieces.SameBackward,
        "The gradient is mixed with the α of the forward pass, as autograd does by itself. "
        "The backward pass needs a number of its own, β.",
    ),
    Misconception(
        "β is 1 - α",
        pieces.Turned,
        "The gradient is mixed with 1 - α. β must not depend on α: draw it anew.",
    ),
    Misconception(
        "calm backward pass",
        pieces.CalmBackward,
        "The gradient is halved between the branches. That is how evaluation works; in training draw β.",
    ),
    Misconception(
        "calm forward pass",
        pieces.CalmForward,
        "Only the gradient shakes; the outputs are plain means. In training draw α for the outputs as well.",
    ),
    Misconception(
        "never shakes",
        pieces.NeverShakes,
        "The branches are always averaged. In training (self.training) draw α for the output and β for the "
        "gradient.",
    ),
    Misconception(
        "shakes in evaluation",
        pieces.ShakesInEvaluation,
        "Two evaluations of the same images differ. Without self.training each branch counts a half.",
    ),
    Misconception(
        "drawn when it is made",
        pieces.DrawnOnce,
        "The numbers are drawn once, in __init__, and stay. Draw them in forward, for each image of each "
        "batch.",
    ),
    Misconception(
        "two numbers",
        pieces.TwoNumbers,
        "Each branch has a number of its own, and together they are not 1. The second gets 1 - α.",
    ),
    Misconception(
        "sum",
        pieces.Sum,
        "The branches are added. They are mixed: α of the first and 1 - α of the second.",
    ),
    Misconception(
        "sum in evaluation",
        pieces.SumInEvaluation,
        "In evaluation the branches are added. Each counts a half, which is what α is on average.",
    ),
    Misconception(
        "both scaled by β",
        pieces.BothScaledByBeta,
        "The gradient of both branches is multiplied by β. The second gets 1 - β.",
    ),
    Misconception(
        "gradient of a sum",
        pieces.GradientOfTheSum,
        "In training both branches get the whole gradient. Multiply it by β for the first, 1 - β for the "
        "second.",
    ),
    Misconception(
        "one or the other",
        pieces.OneOrTheOther,
        "α is 0 or 1, so a branch is dropped altogether. Take any number between 0 and 1, all equally "
        "likely.",
    ),
    Misconception(
        "normal numbers",
        pieces.Normal,
        "α is drawn from a normal distribution. Draw it evenly between 0 and 1: torch.rand, not torch.randn.",
    ),
    Misconception(
        "one branch",
        pieces.FirstAlone,
        "Only one branch counts, or both share their weights: that is an ordinary residual block. "
        "Make two, and mix them.",
    ),
    Misconception(
        "no skip connection",
        pieces.NoSkip,
        "The input is not added. The block is the skip connection plus the mixture of the two branches.",
    ),
    Misconception(
        "ReLU before the skip connection",
        pieces.SharedReLU,
        "The skip connection gets ReLU(x). It must get x itself.",
    ),
    Misconception(
        "ReLU at the end",
        pieces.ReLULast,
        "There is a ReLU after the sum. Here it stands at the beginning of each branch, and nothing "
        "follows the sum.",
    ),
    Misconception(
        "no ReLU at the beginning",
        pieces.NoFirstReLU,
        "A branch begins with its convolution. It begins with a ReLU: ReLU, convolution, norm, and once "
        "more.",
    ),
    Misconception(
        "convolution, norm, ReLU",
        pieces.ConvBNReLU,
        "The ReLU follows the norm, also at the end of a branch. Each half of a branch is ReLU, "
        "convolution, norm.",
    ),
    Misconception(
        "no norm at the end",
        pieces.NoLastNorm,
        "The batch norm at the end of each branch is missing.",
    ),
    Misconception(
        "no norm",
        pieces.NoNorm,
        "The branches have no batch norm. Each of their convolutions is followed by one.",
    ),
    Misconception(
        "no norm in the skip connection",
        pieces.SkipWithoutNorm,
        "Where the shape changes, the 1x1 convolution of the skip connection is followed by a batch norm "
        "too.",
    ),
    Misconception(
        "skip connection always convolves",
        pieces.SkipAlwaysConvolves,
        "The skip connection has a convolution also where the shape stays. There it is x itself.",
    ),
    Misconception(
        "changes the shape last",
        pieces.LateStride,
        "Stride and number of maps change in the wrong convolution: it is the first of a branch, and in a "
        "mirrored block the last.",
    ),
    Misconception(
        "mirrored, but not turned round",
        pieces.NotTurned,
        "A mirrored block changes stride and maps in its first convolution. "
        "It undoes the other block, so its last convolution does that.",
    ),
    Misconception(
        "no output padding",
        pieces.NoOutputPadding,
        "A mirrored block with stride 2 gives one row and one column too few. "
        "nn.ConvTranspose2d needs output_padding=stride - 1 to double a side.",
    ),
    Misconception(
        "never mirrored",
        pieces.NeverMirrored,
        "Mirrored blocks make the images smaller. They undo a stride: use nn.ConvTranspose2d.",
    ),
)
