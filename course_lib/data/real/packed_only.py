"""Sets that exist as a packed file only: subsets, resized sets, and sets that torchvision does not know."""

from course_lib.data.real import class_names, packed_sets
from course_lib.data.real.source import RealSet, real_info

CIFAR100_SUBSET = RealSet(
    real_info(
        "cifar100_subset",
        "CIFAR-100, the first 30 training and 10 test images of each class",
        "none stated; cite Krizhevsky 2009",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (3, 32, 32),
        100,
        {"train": 3000, "test": 1000},
        packed="cifar100_subset.zip",
        sha256="e0e868abd2d3f7c984f7bfc905156c581998d6bd0af337becce846e31f78289b",
        note="factor index is the place in the official set",
    ),
    unpack=packed_sets.cifar100_subset,
)

GTSRB32 = RealSet(
    real_info(
        "gtsrb32",
        "GTSRB at 32 x 32, at most 80 training and 30 test images a class",
        "none stated; cite Stallkamp et al. 2012",
        "https://benchmark.ini.rub.de",
        (3, 32, 32),
        43,
        {"train": 3440, "test": 1279},
        packed="gtsrb32.zip",
        sha256="27f43052d84e6ce1d685e228c1087ac667bddb01bf28dc51f6e40f7c4fb9529e",
        note="factors x0, y0, x1, y1 (the sign's box, pixels) and track (the physical sign)",
    ),
    unpack=packed_sets.gtsrb32,
    class_names=class_names.TRAFFIC_SIGNS,
)

PACS64 = RealSet(
    real_info(
        "pacs64",
        "PACS at 64 x 64: seven classes as art painting, cartoon, photo and sketch",
        "none stated; research",
        "https://domaingeneralization.github.io",
        (3, 64, 64),
        7,
        {"train": 7993, "test": 1998},
        options={"domain": None},
        choices={"domain": (None, "art_painting", "cartoon", "photo", "sketch")},
        packed="pacs64.zip",
        sha256="39e05c1cb6202c48cf4076afc4e8a1d197e7f25558e8e8512e99dc3ee941604d",
        note="a fifth of each domain and class is the test, no official split; factor domain, 0 to 3",
    ),
    unpack=packed_sets.pacs64,
)

CUB20 = RealSet(
    real_info(
        "cub20",
        "CUB-200-2011, twenty of its bird species, with boxes",
        "non-commercial research",
        "https://www.vision.caltech.edu/datasets/cub_200_2011/",
        (3, 64, 64),
        20,
        {"train": 600, "test": 589},
        options={"size": 64},
        packed="cub20.zip",
        sha256="f0af42fbf281c51f63c45659be537bd792dac535a7d8c6e89f80f9aaa90c7359",
        note="factors x0, y0, x1, y1: the bird's box in pixels",
    ),
    unpack=packed_sets.cub20,
)

KANNADA_MNIST = RealSet(
    real_info(
        "kannada_mnist",
        "Kannada-MNIST: handwritten Kannada digits",
        "CC BY-SA 4.0",
        "https://github.com/vinayprabhu/Kannada_MNIST",
        (1, 28, 28),
        10,
        {"train": 8000, "test": 2000, "dig": 10240},
        packed="digits/kannada_mnist.npz",
        sha256="1d853c9f3e6059ad7b20659a3c07cd848dc1f6d11eea68e85ea09b45b600c605",
        note="train and test are both from the official test set; dig is Dig-MNIST, other writers, harder",
    ),
    unpack=packed_sets.arrays,
    class_names=class_names.DIGITS,
)

CMATERDB_BANGLA = RealSet(
    real_info(
        "cmaterdb_bangla",
        "CMATERdb: handwritten Bangla digits",
        "non-commercial use",
        "https://github.com/prabhuomkar/CMATERdb",
        (1, 32, 32),
        10,
        {"train": 5000, "test": 1000},
        packed="digits/cmaterdb_bangla.npz",
        sha256="6967f81fcc106fe7c540497d061f018c1e9160f78cf6cd1257873bc10002b269",
        note="black ink on white",
    ),
    unpack=packed_sets.arrays,
    class_names=class_names.DIGITS,
)

CMATERDB_DEVANAGARI = RealSet(
    real_info(
        "cmaterdb_devanagari",
        "CMATERdb: handwritten Devanagari digits",
        "non-commercial use",
        "https://github.com/prabhuomkar/CMATERdb",
        (1, 32, 32),
        10,
        {"train": 2500, "test": 500},
        packed="digits/cmaterdb_devanagari.npz",
        sha256="9411fda7452c54a8e2cb78ed5ae39fc540ac71280defeec834f07b9757b1c8fd",
        note="black ink on white",
    ),
    unpack=packed_sets.arrays,
    class_names=class_names.DIGITS,
)

SIGN_LANGUAGE_DIGITS = RealSet(
    real_info(
        "sign_language_digits",
        "Hand signs for the digits 0 to 9",
        "Apache-2.0",
        "https://github.com/ardamavi/Sign-Language-Digits-Dataset",
        (3, 32, 32),
        10,
        {"train": 1651, "test": 411},
        packed="digits/sign_language_digits.zip",
        sha256="d2e2f5a5ebe9b22ee8f273ab5df476633c08c675d9075865c9635f1c0cb13648",
        note="no official split: a fifth is the test",
    ),
    unpack=packed_sets.arrays,
    class_names=class_names.DIGITS,
)

YALEB = RealSet(
    real_info(
        "yaleb",
        "Extended Yale B: 38 people's faces, each under many lights",
        "free for research, cite Georghiades et al. 2001",
        "http://vision.ucsd.edu/content/extended-yale-face-database-b-b",
        (1, 48, 42),
        38,
        {"train": 1207, "test": 1207, "all": 2414},
        packed="faces/yaleb_48x42.npz",
        sha256="cb138efbe2b584f21d4a95fd7d227756fd23537bcb2f34ad67346311c9f2a5f4",
        note="no official split: half of each person's is the test; factors azimuth, elevation of the light",
    ),
    unpack=packed_sets.yaleb,
)

BSDS300_SMALL = RealSet(
    real_info(
        "bsds300_small",
        "BSDS500's training and validation photos, longest side 160: backgrounds",
        "non-commercial research",
        "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        (3, 96, 96),
        0,
        {"train": 200, "test": 100},
        options={"size": 96},
        packed="bsds300_small.zip",
        sha256="9dfab2818c366ee008731a9ebe7dab1b2d93bb8d80c4f2923d07956d5d13329d",
        note="the square middles of the photos; no classes, every label is -1",
    ),
    unpack=packed_sets.bsds300,
)
