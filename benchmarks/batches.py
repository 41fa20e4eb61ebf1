"""Augmented batches on the CPU: `course_lib.data.Batches` against the usual pipelines.

    python -m benchmarks.batches [--crop 28] [--threads 1] [--profile] [--record]

Goals: 12 times the PIL + DataLoader pipeline, and with two views 15 times it.
"""

import torch
import torchvision
from torch.profiler import ProfilerActivity, profile

from benchmarks import pipelines
from benchmarks.common import arguments, race, ratios, record
from course_lib.data.augment import Augment
from course_lib.data.batches import Batches
from course_lib.data.image_set import ImageSet

OURS, PAD, BATCH, IMAGES, SIDE = "ours", 4, 128, 2560, 32
GOALS = {"one view": ("PIL, reflect", 12), "two views": ("PIL, reflect, twice", 15)}


def pictures() -> ImageSet:
    """As many random colour pictures of CIFAR's size as make twenty batches; the values do not matter."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(IMAGES) % 10)


def read(batches) -> None:
    """One pass over the batches."""
    for _ in batches:
        pass


def one_view(data: ImageSet, crop: int) -> dict:
    """The contestants for crop, flip and normalisation."""
    mean, std = data.statistics()
    ours = Batches(data, BATCH, augment=Augment(crop=crop, pad=PAD, flip=True))
    pil = pipelines.loader(data, pipelines.pil_transform(crop, PAD, mean, std), BATCH)
    black = pipelines.loader(data, pipelines.pil_transform(crop, PAD, mean, std, mirror=False), BATCH)
    v2 = pipelines.v2_transform(crop, PAD, mean, std)
    v2_each = pipelines.loader(data, v2, BATCH, as_pil=False)
    return {
        OURS: lambda: read(ours),
        "PIL, reflect": lambda: read(pil),
        "PIL, black border (another law)": lambda: read(black),
        "v2, image by image": lambda: read(v2_each),
        "v2, batch by batch (one draw for all: another law)": lambda: read(
            pipelines.v2_whole_batches(data, v2, BATCH)
        ),
    }


def two_views(data: ImageSet, crop: int) -> dict:
    """The same for two views of each image."""
    mean, std = data.statistics()
    ours = Batches(data, BATCH, augment=Augment(crop=crop, pad=PAD, flip=True), views=2)
    twice = pipelines.Twice(pipelines.pil_transform(crop, PAD, mean, std))
    pil = pipelines.loader(data, twice, BATCH)
    return {OURS: lambda: read(ours), "PIL, reflect, twice": lambda: read(pil)}


def shares(data: ImageSet, crop: int, passes: int = 7) -> dict[str, float]:
    """The share of each operation in our time, the largest first, each in the best of its passes."""
    ours = Batches(data, BATCH, augment=Augment(crop=crop, pad=PAD, flip=True))
    read(ours)
    best: dict[str, float] = {}
    for _ in range(passes):
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            read(ours)
        for event in profiler.key_averages():
            best[event.key] = min(best.get(event.key, float("inf")), event.self_cpu_time_total)
    total = sum(best.values())
    largest = sorted(best, key=best.get, reverse=True)[:6]
    return {name: best[name] / total for name in largest}


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--crop", type=int, default=28, help="side of the window (default: 28)")
    parser.add_argument("--profile", action="store_true", help="show where our time goes instead")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = pictures()
    print(f"{IMAGES} images {SIDE}x{SIDE}x3: pad {PAD}, crop {options.crop}, flip, normalise; batch {BATCH}")
    if options.profile:
        for name, share in shares(data, options.crop).items():
            print(f"  {share:5.0%}  {name}")
        return
    measured = {}
    for title, contestants in {"one view": one_view, "two views": two_views}.items():
        best = race(contestants(data, options.crop), options.rounds)
        measured[title] = {name: round(ratio, 1) for name, ratio in ratios(best, OURS).items()}
        print(f"{title}: ours {best[OURS] / IMAGES * 1e6:.1f} microseconds an image")
        peer, goal = GOALS[title]
        for name, ratio in measured[title].items():
            print(f"  {ratio:6.1f} x  {name}" + (f"   (goal: {goal})" if name == peer else ""))
    if options.record:
        where = {name: round(share, 2) for name, share in shares(data, options.crop).items()}
        content = {"torchvision": torchvision.__version__, "ratios": measured, "shares": where}
        print(record("batches", f"crop={options.crop}", content))


if __name__ == "__main__":
    main()
