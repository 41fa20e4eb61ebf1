"""Wrong answers to hybridnet.conv_large, and what to tell whoever gives one."""

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.hybridnet import altered_hybrids as altered

MISCONCEPTIONS = (
    Misconception(
        "tied encoders",
        altered.TiedEncoders,
        "Both branches have one and the same encoder. Make two: E_c is to forget what E_u keeps.",
    ),
    Misconception(
        "tied decoders",
        altered.TiedDecoders,
        "Both branches have one and the same decoder. Make two, each for a latent of its own.",
    ),
    Misconception(
        "unpooling in both",
        altered.UnpoolsBoth,
        "D_c unpools too. Switches say where things were; the discriminative branch must do without: repeat "
        "each value 2x2.",
    ),
    Misconception(
        "unpooling in the wrong branch",
        altered.UnpoolsInC,
        "D_c unpools and D_u repeats. It is the other way round (a caption of the source has it wrong): "
        "the switches belong to the branch without classes.",
    ),
    Misconception(
        "switches of E_u in both",
        altered.UnpoolsInCWithU,
        "D_c unpools with the switches of E_u, so x_c depends on the other branch. Repeat each value 2x2 "
        "there.",
    ),
    Misconception(
        "switches of the other encoder",
        altered.OtherSwitches,
        "D_u unpools with the switches of E_c. Take those of its own branch, E_u.",
    ),
    Misconception(
        "no unpooling",
        altered.RepeatsBoth,
        "D_u repeats each value 2x2. It is given the switches of E_u: put each value where the maximum "
        "stood.",
    ),
    Misconception(
        "bilinear",
        altered.Bilinear,
        "D_c interpolates between the values. Repeat each one 2x2, mode nearest.",
    ),
    Misconception(
        "padded 1x1 convolutions",
        altered.PaddedOnes,
        "The 1x1 convolutions have a padding of 1, as Table 3.3 prints, and the maps grow from 6x6 to 10x10. "
        "Its own sizes need a padding of 0.",
    ),
    Misconception(
        "8x8 latent",
        altered.KeepsTheSide,
        "The 3x3 convolution to 512 maps keeps the side. It is a valid one, without padding: from 8x8 to "
        "6x6.",
    ),
    Misconception(
        "batch norm on the picture",
        altered.FinishedPicture,
        "The last layer of a decoder has batch norm and LeakyReLU. A picture may have any values: leave the "
        "transposed convolution bare, with a bias.",
    ),
    Misconception(
        "activation on the picture",
        altered.ActivatedPicture,
        "The picture goes through a LeakyReLU. The last layer is linear, so that a picture may have any "
        "values.",
    ),
    Misconception(
        "tanh on the picture",
        altered.SquashedPicture,
        "The picture goes through a tanh. Two partial pictures are added, so neither may be held in a range.",
    ),
    Misconception(
        "no bias at the end",
        altered.NoBias,
        "The last layer of a decoder has no bias. Nothing follows that could shift the picture: it needs "
        "one.",
    ),
    Misconception(
        "bias before batch norm",
        altered.Biased,
        "The convolutions have a bias, which batch norm takes away again: bias=False. "
        "Only the last of a decoder keeps it.",
    ),
    Misconception(
        "plain convolutions in the decoder",
        altered.PlainConvolutions,
        "The decoders are made of nn.Conv2d. With stride 1 these can do the same, but the table has "
        "transposed "
        "ones: nn.ConvTranspose2d.",
    ),
    Misconception(
        "ReLU",
        altered.ReLU,
        "The activations are ReLUs. Take LeakyReLU(0.1).",
    ),
    Misconception(
        "slope of 0.01",
        altered.SmallSlope,
        "The slope of LeakyReLU is torch's default, 0.01. Here it is 0.1.",
    ),
    Misconception(
        "norm after the activation",
        altered.ActivationFirst,
        "Batch norm follows the activation. It stands between convolution and activation.",
    ),
    Misconception(
        "no batch norm",
        altered.NoNorm,
        "There is no batch norm. Each convolution but the last of a decoder is followed by one.",
    ),
    Misconception(
        "fewer maps too early",
        altered.TooEarly,
        "The second stage of a decoder goes to 128 maps at once. It mirrors 128-256-256-256, so only its "
        "last "
        "convolution does that.",
    ),
    Misconception(
        "no dropout",
        altered.NoDropout,
        "The encoders have no dropout. One with p = 0.5 follows each of the two poolings.",
    ),
    Misconception(
        "whole maps dropped",
        altered.WholeMaps,
        "Dropout2d drops whole maps. Take nn.Dropout, which drops single values.",
    ),
    Misconception(
        "dropout before the pooling",
        altered.DropoutFirst,
        "Dropout stands before the pooling, which then picks among what is left. It comes after.",
    ),
    Misconception(
        "taps after dropout",
        altered.TapsDropped,
        "The encoder's taps are taken after dropout, so half of what a decoder should rebuild is missing. "
        "Take them right after the pooling.",
    ),
    Misconception(
        "dropout in the decoders",
        altered.DecodersDrop,
        "The decoders have dropout too. Only the encoders do.",
    ),
    Misconception(
        "taps after the upsampling",
        altered.TapsAbove,
        "The decoder's taps are taken after the upsampling. The encoder's stand behind the pooling, so take "
        "them right before.",
    ),
    Misconception(
        "taps from the top",
        altered.TapsTurned,
        "The taps are in the opposite order. The one nearest to the image comes first.",
    ),
    Misconception(
        "decoder first",
        altered.DecoderFirst,
        "In each pair the decoder's activation stands first. The encoder's does.",
    ),
    Misconception(
        "classifier on both latents",
        altered.SumOfLatents,
        "The classifier reads h_c + h_u. It must see h_c alone, or E_u learns about the classes.",
    ),
    Misconception(
        "probabilities",
        altered.Probabilities,
        "The classifier gives probabilities. Losses take logits: leave the softmax to them.",
    ),
    Misconception(
        "global maximum",
        altered.MaxHead,
        "The classifier takes the maximum of each map. Take the mean: global average pooling.",
    ),
    Misconception(
        "mean of the pictures",
        altered.Mean,
        "x_hat is the mean of the two pictures. It is their sum.",
    ),
    Misconception(
        "classify runs everything",
        altered.ClassifyRunsAll,
        "classify runs the other encoder and the decoders too, for nothing. After training only C and E_c "
        "are "
        "kept: run these two.",
    ),
)
