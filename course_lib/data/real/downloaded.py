"""Sets that torchvision can download: what each is, whose it is, how torchvision holds it, its packed file.

Sizes are images per split. Checksums of the downloads are torchvision's own; ``digests`` are of the pictures
and labels, whichever form they were read from.
"""

from course_lib.data.real import class_names, packed_sets, torchvision_sets
from course_lib.data.real.source import RealSet, Torchvision, real_info

_TRAIN_FLAG = {"train": {"train": True}, "test": {"train": False}}
_SPLIT = {"train": {"split": "train"}, "test": {"split": "test"}}
_MNIST_SIZES = {"train": 60000, "test": 10000}
_CIFAR_SIZES = {"train": 50000, "test": 10000}
_in_memory, _pictures = torchvision_sets.in_memory, torchvision_sets.pictures

MNIST = RealSet(
    real_info(
        "mnist",
        "MNIST: handwritten digits",
        "CC BY-SA 3.0 (the usual statement)",
        "http://yann.lecun.com/exdb/mnist/",
        (1, 28, 28),
        10,
        _MNIST_SIZES,
        packed="mnist.npz",
        sha256="5cfda821e770d683146446386503306ed28e934e1f39cbebf9dd71f129d2ea36",
        download=12,
        digests={
            "train": "6b248bd672ad38fd506bbdec2d3bf974a59781019af9caaa10d89e28db5119ec",
            "test": "e684845e9531d0c62a2a27ca56c79349ca70ec82fefe97416675bf93b1c52011",
        },
    ),
    Torchvision("MNIST", _TRAIN_FLAG, ("MNIST",), _in_memory, ("MNIST/raw/*.gz",)),
    packed_sets.arrays,
    class_names.DIGITS,
)

FASHION_MNIST = RealSet(
    real_info(
        "fashion_mnist",
        "Fashion-MNIST: clothes",
        "MIT",
        "https://github.com/zalandoresearch/fashion-mnist",
        (1, 28, 28),
        10,
        _MNIST_SIZES,
        packed="fashion_mnist.npz",
        sha256="9e762212da2d7e29cf4f0098b977e9d7c656f1c660e5429a9ab5aca485328ee8",
        download=31,
        digests={
            "train": "b4797da7d6584bac8c9e0fcac6322770f75bffd30658ed794e1fc731424e861c",
            "test": "81071f08d0eac70fdb7ed718f8b25b5602b5f69249d2a0b45b08310c1cee5579",
        },
    ),
    Torchvision("FashionMNIST", _TRAIN_FLAG, ("FashionMNIST",), _in_memory, ("FashionMNIST/raw/*.gz",)),
    packed_sets.arrays,
    class_names.FASHION,
)

KMNIST = RealSet(
    real_info(
        "kmnist",
        "Kuzushiji-MNIST: ten cursive Japanese characters",
        "CC BY-SA 4.0",
        "http://codh.rois.ac.jp/kmnist/",
        (1, 28, 28),
        10,
        _MNIST_SIZES,
        download=21,
    ),
    Torchvision("KMNIST", _TRAIN_FLAG, ("KMNIST",), _in_memory, ("KMNIST/raw/*.gz",)),
    class_names=class_names.KUZUSHIJI,
)

USPS = RealSet(
    real_info(
        "usps",
        "USPS: digits from envelopes",
        "none stated; research",
        "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html#usps",
        (1, 16, 16),
        10,
        {"train": 7291, "test": 2007},
        packed="usps.npz",
        sha256="d4c470e617c155543105e54ce25164133894a583b96fc016538f0b4e5124d32e",
        download=9,
        note="the packed training images are within a grey level of the official ones",
    ),
    Torchvision("USPS", _TRAIN_FLAG, ("usps.bz2", "usps.t.bz2"), _in_memory),
    packed_sets.arrays,
    class_names.DIGITS,
)

CIFAR10 = RealSet(
    real_info(
        "cifar10",
        "CIFAR-10: small photos of animals and vehicles",
        "none stated; cite Krizhevsky 2009",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (3, 32, 32),
        10,
        _CIFAR_SIZES,
        packed="cifar10.zip",
        sha256="9ce1e1cb3de308ac23320bc15f25b8bf3586bb69e3a1efee9dc720b23b52d6c0",
        download=171,
        digests={
            "train": "aa9a08f3858e2947380abcbc057522aa77851b7de896607f6cfe2acd7b137139",
            "test": "ba2f7f96034dcc440e09ba94306097c5c25eb6bf0b796d793bfdacc1e3fbb1dd",
        },
    ),
    Torchvision("CIFAR10", _TRAIN_FLAG, ("cifar-10-batches-py",), _in_memory),
    packed_sets.arrays,
    class_names.CIFAR10,
)

CIFAR100 = RealSet(
    real_info(
        "cifar100",
        "CIFAR-100: small photos of a hundred kinds",
        "none stated; cite Krizhevsky 2009",
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        (3, 32, 32),
        100,
        _CIFAR_SIZES,
        download=169,
    ),
    Torchvision("CIFAR100", _TRAIN_FLAG, ("cifar-100-python",), _in_memory),
)

SVHN = RealSet(
    real_info(
        "svhn",
        "SVHN: street view house numbers, cropped digits",
        "non-commercial use",
        "http://ufldl.stanford.edu/housenumbers/",
        (3, 32, 32),
        10,
        {"train": 73257, "test": 26032},
        download=246,
    ),
    Torchvision("SVHN", _SPLIT, ("train_32x32.mat", "test_32x32.mat"), _in_memory),
    class_names=class_names.DIGITS,
)

STL10 = RealSet(
    real_info(
        "stl10",
        "STL-10: photos, few of them labelled",
        "none stated; photos of ImageNet, research",
        "https://cs.stanford.edu/~acoates/stl10/",
        (3, 96, 96),
        10,
        {"train": 5000, "test": 8000, "unlabelled": 100000},
        download=2640,
        note="the unlabelled split takes 2.8 GB of memory; its labels are -1",
    ),
    Torchvision("STL10", _SPLIT | {"unlabelled": {"split": "unlabeled"}}, ("stl10_binary",), _in_memory),
    class_names=class_names.STL10,
)

OMNIGLOT = RealSet(
    real_info(
        "omniglot",
        "Omniglot: 1623 characters of 50 alphabets, each drawn by 20 people",
        "MIT",
        "https://github.com/brendenlake/omniglot",
        (1, 28, 28),
        964,
        {"train": 19280, "test": 13180},
        options={"size": 28},
        packed="omniglot.npz",
        sha256="535fcc040252949183761da5e18c4dac965647f6e77ea50c11c07d679dbe4758",
        download=16,
        note="white ink; train is the background set, test the evaluation set with 659 other characters; "
        "size=105 is the original; factors alphabet, drawer",
    ),
    Torchvision(
        "Omniglot",
        {"train": {"background": True}, "test": {"background": False}},
        ("omniglot-py",),
        torchvision_sets.omniglot,
    ),
    packed_sets.omniglot,
)

GTSRB = RealSet(
    real_info(
        "gtsrb",
        "GTSRB: German traffic signs",
        "none stated; cite Stallkamp et al. 2012",
        "https://benchmark.ini.rub.de",
        (3, 32, 32),
        43,
        {"train": 26640, "test": 12630},
        options={"size": 32},
        download=276,
    ),
    Torchvision("GTSRB", _SPLIT, ("gtsrb",), _pictures, ("gtsrb/*.zip",)),
    class_names=class_names.TRAFFIC_SIGNS,
)

DTD = RealSet(
    real_info(
        "dtd",
        "DTD: textures that people describe by 47 words",
        "research only",
        "https://www.robots.ox.ac.uk/~vgg/data/dtd/",
        (3, 64, 64),
        47,
        {"train": 1880, "val": 1880, "test": 1880},
        options={"size": 64},
        download=625,
        note="the first of the ten official partitions",
    ),
    Torchvision(
        "DTD", {s: {"split": s} for s in ("train", "val", "test")}, ("dtd",), _pictures, ("dtd/*.tar.gz",)
    ),
)

CELEBA = RealSet(
    real_info(
        "celeba",
        "CelebA: faces of celebrities with 40 attributes",
        "non-commercial research",
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        (3, 64, 64),
        10177,
        {"train": 162770, "val": 19867, "test": 19962},
        options={"size": 64, "n": None},
        download=1450,
        note="the class is the person; n reads only the first n; the factors are the 40 attributes, 0 or 1",
    ),
    Torchvision(
        "CelebA",
        {
            ours: {"split": theirs, "target_type": []}
            for ours, theirs in (("train", "train"), ("val", "valid"), ("test", "test"))
        },
        ("celeba",),
        torchvision_sets.celeba,
        ("celeba/*.zip",),
    ),
)

VOC = RealSet(
    real_info(
        "voc",
        "PASCAL VOC 2012, the segmented scenes",
        "photos under Flickr's terms of use; research",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        (3, 64, 64),
        20,
        {"train": 1464, "val": 1449},
        options={"size": 64},
        download=2000,
        note="masks[:, c] are the pixels of class c; the label is the class with most pixels",
    ),
    Torchvision(
        "VOCSegmentation",
        {split: {"year": "2012", "image_set": split} for split in ("train", "val")},
        ("VOCdevkit/VOC2012",),
        torchvision_sets.voc,
    ),
    class_names=class_names.VOC,
)
