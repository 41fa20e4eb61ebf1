"""The figures and tables of Robert 2019, Chapter 3 and Appendix B, that hold no measurement."""

from course_lib.studies.drawings import Drawing

DRAWINGS = (
    Drawing(
        "Robert 2019, Fig. 3.1",
        "What an auto-encoder keeps, and what HybridNet keeps sorted into two latents.",
        "Measured instead, by linear probes of both latents.",
        "hybridnet-table-3-5",
    ),
    Drawing(
        "Robert 2019, Fig. 3.2",
        "A car, its two partial reconstructions, and their sum.",
        "The same for digits, at every stage of training.",
        "hybridnet-watch",
    ),
    Drawing(
        "Robert 2019, Fig. 3.3",
        "Early and late fusion.",
        "Drawn, with the equations of both.",
        "hybridnet-fusion",
    ),
    Drawing(
        "Robert 2019, Figs. 3.4 and 3.9",
        "A HybridNet for CIFAR-10, and one with pooling switches.",
        "Drawn as one figure. The caption of Fig. 3.9 puts the unpooling into the discriminative branch; "
        "the text and the drawing have it in the other one.",
        "hybridnet-architecture",
    ),
    Drawing(
        "Robert 2019, Fig. 3.5",
        "Which loss is wired to which part.",
        "Computed: the gradient that each loss sends to each part.",
        "hybridnet-gradients",
    ),
    Drawing(
        "Robert 2019, Fig. 3.7",
        "The first version of HybridNet, with SHADE.",
        "Not drawn: its layers are those of the family conv_shade, and Table 3.2 is measured with it.",
        "hybridnet-table-3-2",
    ),
    Drawing(
        "Robert 2019, Table 3.1",
        "The image sets: MNIST, MNIST-M, SVHN, CIFAR-10, STL-10, and how many labels they have.",
        "The sets that the course reads are listed with their sizes. The caption says that the extra images "
        "of SVHN serve as labelled ones; the text has them unlabelled. The course does not read them.",
    ),
    Drawing(
        "Robert 2019, Tables 3.3 and B.1",
        "The layers of ConvLarge and of its decoder.",
        "Built, and counted by the tests: 12 482 832 parameters in all, of which 3 121 802 are kept. "
        "The 1×1 convolutions have no padding, though Table 3.3 prints 1, and the last layer is linear.",
        "hybridnet-architecture",
    ),
    Drawing(
        "Robert 2019, Tables B.2, B.4, B.6, B.7 and B.8",
        "How the nets are trained: optimisers, batches, weights and their schedules.",
        "Drawn as curves; they are the settings of the studies at full size. Half a cosine needs a factor ½ "
        "that the source does not print, and its momentum falls where the source says it increases.",
        "hybridnet-ramps",
    ),
    Drawing(
        "Robert 2019, Table B.3",
        "The layers of the net for STL-10.",
        "Built, and counted by the tests: 9 312 016 parameters. Its last pooling gives the latent itself, so "
        "that there are three intermediate terms a branch and not four.",
    ),
    Drawing(
        "Robert 2019, Table B.5 and Fig. B.3",
        "The residual net with shaken branches, and its blocks.",
        "Built, and counted by the tests. The table leaves out the decoder's last layer and prints the sizes "
        "before each doubling.",
    ),
)
