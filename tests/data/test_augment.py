"""Augmentation: the same outputs as the usual pipelines, with the right probabilities, image by image."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image
from scipy import stats
from torchvision.transforms import InterpolationMode

from benchmarks import pipelines
from course_lib.data import colour, geometry
from course_lib.data.augment import Augment
from course_lib.data.batches import Batches
from course_lib.data.image_set import ImageSet

MEAN, STD = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.25, 0.3])
ALMOST_NEVER = 1e-3  # a right law gives a smaller p-value once in a thousand seeds


def landmark(height=8, width=8):
    """One picture (1, 3, H, W) whose pixels tell where they are."""
    place = torch.arange(height * width).view(height, width)
    return torch.stack([place, 255 - place, place * 37 % 251])[None].to(torch.uint8)


def looks(images, n, augment, **options):
    """n augmented views of the images as a (n, C, h, w) tensor, normalised by MEAN and STD."""
    data = ImageSet(images, torch.zeros(len(images), dtype=torch.int64))
    steps = n // 500
    batches = Batches(data, 500, augment=augment, steps=steps, mean=MEAN, std=STD, **options)
    return torch.cat([batch.x for batch in batches])


def to_bytes(x):
    """Normalised images back to the pixels they come from, which they must hit exactly."""
    levels = (x * STD.view(-1, 1, 1) + MEAN.view(-1, 1, 1)) * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    return [image.numpy().tobytes() for image in levels.round().to(torch.uint8)]


def all_outcomes(image, crop, pad):
    """What crop and flip can make of a picture, by PIL, place by place: {bytes: (dy, dx, flipped)}."""
    padded = TF.pad(Image.fromarray(image.permute(1, 2, 0).numpy()), pad, padding_mode="reflect")
    outcomes = {}
    for dy in range(padded.height - crop + 1):
        for dx in range(padded.width - crop + 1):
            window = TF.crop(padded, dy, dx, crop, crop)
            for flipped, picture in enumerate((window, TF.hflip(window))):
                outcomes[TF.pil_to_tensor(picture).numpy().tobytes()] = (dy, dx, flipped)
    return outcomes


@pytest.mark.parametrize(
    ("height", "width", "crop", "pad"), [(8, 8, 8, 2), (8, 8, 6, 2), (8, 8, 5, 0), (7, 10, 6, 1)]
)
def test_crop_and_flip_have_the_law_of_the_pil_pipeline(height, width, crop, pad):
    images = landmark(height, width)
    outcomes = all_outcomes(images[0], crop, pad)
    assert len(outcomes) == 2 * (height + 2 * pad - crop + 1) * (width + 2 * pad - crop + 1)

    pil = pipelines.pil_transform(crop, pad, MEAN, STD)
    picture = Image.fromarray(images[0].permute(1, 2, 0).numpy())
    theirs = torch.stack([pil(picture) for _ in range(1000)])
    ours = looks(images, 20_000, Augment(crop=crop, pad=pad, flip=True))
    seen = to_bytes(ours)
    assert set(to_bytes(theirs)) == set(seen) == set(outcomes)

    times = Counter(seen)
    counts = [times[outcome] for outcome in outcomes]
    assert stats.chisquare(counts).pvalue > ALMOST_NEVER
    # Their 1000 draws are few: means and deviations of the normalised pixels agree within 5 standard errors.
    for moment in (torch.Tensor.mean, torch.Tensor.std):
        a, b = moment(ours, dim=0), moment(theirs, dim=0)
        assert (a - b).abs().max() < 5 * theirs.std(dim=0).max() / 1000**0.5


def test_the_images_of_one_batch_are_drawn_independently():
    seen = to_bytes(looks(landmark().expand(500, -1, -1, -1), 500, Augment(crop=5, flip=True)))
    assert len(set(seen)) == 32  # 4 x 4 places, flipped or not


def test_two_views_are_drawn_independently():
    data = ImageSet(landmark(), torch.zeros(1, dtype=torch.int64))
    batches = Batches(data, 500, augment=Augment(crop=7, flip=True), views=2, steps=40, mean=MEAN, std=STD)
    first, second = (torch.cat(view) for view in zip(*(batch.views for batch in batches)))
    times = Counter(zip(to_bytes(first), to_bytes(second)))
    outcomes = list(all_outcomes(landmark()[0], 7, 0))
    counts = [times[pair] for pair in itertools.product(outcomes, repeat=2)]
    assert len(counts) == 64 and sum(counts) == 20_000
    assert stats.chisquare(counts).pvalue > ALMOST_NEVER


def test_translation_is_a_uniform_shift_of_the_mirrored_picture():
    seen = Counter(to_bytes(looks(landmark(), 20_000, Augment(translate=2))))
    outcomes = [look for look, (_, _, flipped) in all_outcomes(landmark()[0], 8, 2).items() if not flipped]
    assert set(seen) == set(outcomes)
    assert stats.chisquare([seen[outcome] for outcome in outcomes]).pvalue > ALMOST_NEVER


def test_crop_and_translation_add_up():
    seen = Counter(to_bytes(looks(landmark(), 20_000, Augment(crop=7, pad=1, translate=1))))
    step = np.convolve(np.ones(4) / 4, np.ones(3) / 3)  # a place of the crop, plus a shift
    outcomes = {look: place for look, place in all_outcomes(landmark()[0], 7, 2).items() if not place[2]}
    expected = [20_000 * step[dy] * step[dx] for dy, dx, _ in outcomes.values()]
    counts = [seen[look] for look in outcomes]
    assert sum(counts) == 20_000
    assert stats.chisquare(counts, expected).pvalue > ALMOST_NEVER


@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (11, 8)])
def test_rotation_equals_torchvision_of_the_mirrored_picture(shape):
    torch.manual_seed(0)
    height, width = shape
    x, degrees = torch.rand(5, 3, height, width), torch.tensor([-180.0, -33.0, 0.0, 12.5, 90.0])
    margin = min(shape) - 1  # enough mirror image for every angle
    mirrored = torch.nn.functional.pad(x, (margin,) * 4, mode="reflect")
    turned = [
        TF.rotate(image, angle, InterpolationMode.BILINEAR)
        for image, angle in zip(mirrored, degrees.tolist())
    ]
    expected = torch.stack(turned)[:, :, margin:-margin, margin:-margin]
    torch.testing.assert_close(geometry.rotate(x, degrees), expected, atol=2e-5, rtol=0)


def test_a_quarter_turn_is_counter_clockwise_and_exact():
    x = torch.rand(1, 1, 7, 7, dtype=torch.float64)
    turned = geometry.rotate(x, torch.tensor([90.0]))
    torch.testing.assert_close(turned, x.rot90(1, (2, 3)), atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_colour_equals_torchvision_image_by_image(name, channels, top):
    torch.manual_seed(0)
    x, factors = torch.rand(4, channels, 6, 5), torch.tensor([0.0, 0.6, 1.0, 1.9])
    theirs = getattr(TF, f"adjust_{name}")
    expected = torch.stack([theirs(image, factor) for image, factor in zip(x, factors.tolist())])
    ours = getattr(colour, name)(x * top, factors, top) / top
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)


def test_the_three_colour_changes_follow_each_other():
    torch.manual_seed(0)
    x = 255 * torch.rand(3, 3, 6, 6)
    changed = Augment(colour=0.5).distort(x, torch.Generator().manual_seed(5))
    draws = torch.Generator().manual_seed(5)
    factors = [(0.5 + torch.rand(3, generator=draws)).tolist() for _ in range(3)]
    for place, image in enumerate(x / 255):
        for theirs, factor in zip((TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation), factors):
            image = theirs(image, factor[place])
        torch.testing.assert_close(changed[place] / 255, image, atol=1e-6, rtol=0)


def test_colour_factors_are_uniform_around_one():
    grey = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)  # contrast and saturation leave it alone
    x = looks(grey, 2000, Augment(colour=0.4))
    factors = (x[:, 0, 0, 0] * STD[0] + MEAN[0]) * 2.55
    assert stats.kstest(factors.numpy(), stats.uniform(0.6, 0.8).cdf).pvalue > ALMOST_NEVER


def test_angles_are_uniform_around_zero():
    # One bright pixel, three to the right of the centre, tells the angle by where it went.
    image = torch.zeros(1, 3, 11, 11, dtype=torch.uint8)
    image[..., 5, 8] = 255
    x = looks(image, 2000, Augment(rotate=40))[:, 0] * STD[0] + MEAN[0]
    away = torch.arange(11.0) - 5
    weight = x / x.sum(dim=(1, 2), keepdim=True)
    right, up = (weight * away).sum(dim=(1, 2)), -(weight * away[:, None]).sum(dim=(1, 2))
    angles = torch.rad2deg(torch.atan2(up, right)).numpy()
    assert np.abs(angles).max() < 43  # bilinear weights place it to about 3 degrees
    assert np.abs(angles).max() > 37
    assert abs(angles.mean()) < 4 * 40 / 3**0.5 / 2000**0.5
    assert angles.std() == pytest.approx(40 / 3**0.5, rel=0.05)


def test_noise_is_gaussian_in_units_of_the_normalised_pixels():
    images = torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)
    noise = looks(images, 1000, Augment(noise=0.15)) - looks(images, 1000, None)
    assert stats.kstest(noise.flatten().numpy(), stats.norm(0, 0.15).cdf).pvalue > ALMOST_NEVER
    assert abs(np.corrcoef(noise[:-1].flatten(), noise[1:].flatten())[0, 1]) < 4 / noise.numel() ** 0.5


def test_nothing_asked_for_is_nothing_changed():
    images = torch.randint(0, 256, (40, 3, 5, 6), dtype=torch.uint8)
    data = ImageSet(images, torch.zeros(40, dtype=torch.int64))
    (batch,) = Batches(data, 40, augment=Augment(), shuffle=False, mean=MEAN, std=STD)
    assert to_bytes(batch.x) == [image.numpy().tobytes() for image in images]


def test_flip_takes_the_chosen_images_only():
    x = torch.arange(12).view(3, 1, 2, 2)
    flipped = geometry.flip(x, torch.tensor([True, False, True]))
    assert flipped.tolist() == [[[[1, 0], [3, 2]]], [[[4, 5], [6, 7]]], [[[9, 8], [11, 10]]]]


def test_all_windows_cost_no_memory():
    images = torch.zeros(4, 3, 9, 8, dtype=torch.uint8)
    windows = geometry.all_windows(images, (5, 4))
    assert windows.shape == (4, 3, 5, 5, 5, 4)
    assert windows.data_ptr() == images.data_ptr()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "crop is 0"),
        ({"crop": 2.5}, "crop is 2.5"),
        ({"pad": -1}, "pad is -1"),
        ({"translate": True}, "translate is True"),
        ({"rotate": 181}, "rotate is 181, possible are numbers from 0 to 180"),
        ({"colour": 1.5}, "colour is 1.5, possible are numbers from 0 to 1"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"noise": "much"}, "noise is 'much'"),
    ],
)
def test_impossible_changes_are_refused_in_one_sentence(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        Augment(**options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 8, 8), {"crop": 13, "pad": 2}, "crop is 13, but a 8x8 image padded by 2 holds at most 12"),
        ((3, 8, 6), {"crop": 7, "translate": 1}, "crop is 7, but a 8x6 image"),
        ((3, 8, 6), {"pad": 6}, r"pad \+ translate is 6, but a 8x6 image can mirror at most 5"),
        ((2, 8, 8), {"colour": 0.5}, "colour needs images of 1 or 3 channels, given 2"),
    ],
)
def test_changes_that_the_images_do_not_admit_are_refused_before_the_first_batch(shape, options, message):
    data = ImageSet(torch.zeros(4, *shape, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ValueError, match=message):
        Batches(data, 2, augment=Augment(**options))
