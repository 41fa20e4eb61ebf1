"""The sets made by code: as recorded, disjoint, and with factors and masks that match the pictures."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import binary_erosion
from sklearn.datasets import load_digits

from course_lib.data import balanced_subset, describe, load, names, verify
from course_lib.data.drawing import canvas, shapes, textures
from tests.data.drawn import bytes_of, centre_of_mass, whole

EMBEDDED = names("embedded")
VARIANTS = [
    *((name, {}) for name in EMBEDDED),
    ("glyphs", {"textured": True}),
    ("sprites", {"grid": (2, 8, 6, 6)}),
]


@pytest.mark.parametrize("name", EMBEDDED)
def test_sets_are_bit_for_bit_the_recorded_ones(name):
    info = describe(name)
    found = {split: whole(name, split).digest() for split in info.sizes}
    if found != info.digests and info.drawn_with:
        pytest.skip(f"this version of {info.drawn_with} draws the set a little differently")
    assert found == info.digests


def test_verify_draws_again_and_compares(monkeypatch):
    assert verify("sprites").state == "ok"
    for name, state in (("sprites", "broken"), ("glyphs", "differs")):
        monkeypatch.setitem(describe(name).digests, "test", "0" * 64)
        found = verify(name)
        assert found.state == state and "test" in found.says and found.says.endswith(".")


@pytest.mark.parametrize("name", EMBEDDED)
def test_sets_are_as_described(name):
    info = describe(name)
    for split, n in info.sizes.items():
        data = whole(name, split)
        assert (len(data), data.shape, data.num_classes) == (n, info.shape, info.classes)
        assert (data.name, data.split) == (name, split)
        assert data.images.dtype == torch.uint8 and data.images.float().std() > 10
        counts = torch.bincount(data.labels, minlength=info.classes)
        assert counts.min() > 0.7 * n / info.classes
        assert data.masks.shape in [(n, things, *info.shape[1:]) for things in (1, info.classes)]
        assert all(len(values) == n for values in (data.factors or {}).values())
        balanced_subset(data.labels, 10 * info.classes, seed=0)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_no_test_image_is_in_the_training_set(name, options):
    train, test = whole(name, "train", **options), whole(name, "test", **options)
    seen, unseen = bytes_of(train), bytes_of(test)
    assert len(seen) == len(train) and len(unseen) == len(test) and not seen & unseen


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_the_seed_decides_and_torch_does_not(name, options):
    if "grid" not in options and name != "digits_m":
        options = options | {"n": 300}
    first = load(name, "test", **options)
    torch.manual_seed(123)
    np.random.seed(123)
    again, other = load(name, "test", **options), load(name, "test", **options, seed=1)
    assert first.digest() == again.digest() != other.digest()
    assert all(torch.equal(first.factors[key], again.factors[key]) for key in first.factors or {})


@pytest.mark.parametrize(
    ("name", "size"), [("digits_m", 28), ("glyphs", 20), ("objects", 24), ("sprites", 64)]
)
def test_size_is_an_option(name, size):
    options = {} if name == "digits_m" else {"n": 30}
    data = load(name, "test", size=size, **options)
    assert data.shape[1:] == (size, size) and data.masks.shape[2:] == (size, size)
    assert 0.01 < data.masks.float().mean() < 0.5


# --- digits_m -------------------------------------------------------------------------------


def test_digits_m_holds_each_digit_once():
    both = torch.cat([whole("digits_m", split).labels for split in ("train", "test")])
    assert torch.bincount(both).tolist() == np.bincount(load_digits().target).tolist()


def test_digits_m_is_the_difference_of_background_and_digit():
    data = load("digits_m", "train", contrast=0.3, strength=0.4, seed=7)
    rng = np.random.default_rng(7)
    order = rng.permutation(1797)
    background = 0.4 * textures.coloured_noise(rng, 1797, 16, 0.3)
    digits = load_digits()
    assert data.labels.tolist() == digits.target[order[:1200]].tolist()
    for i in range(0, 1200, 97):
        grey = Image.fromarray((digits.images[order[i]] / 16).astype(np.float32))
        ink = np.zeros((16, 16))
        ink[2:14, 2:14] = np.asarray(grey.resize((12, 12), Image.BICUBIC)) > 0.45
        assert (data.masks[i, 0].numpy() != ink).sum() <= 1  # a value at the threshold may fall either way
        ink = data.masks[i, 0].numpy()
        np.testing.assert_array_equal(data.images[i], np.rint(255 * np.abs(background[order[i]] - ink)))


def test_digits_m_without_background_is_white_on_black():
    data = load("digits_m", "test", strength=0.0)
    assert torch.equal(data.images, data.masks.expand(-1, 3, -1, -1) * torch.tensor(255, dtype=torch.uint8))


# --- sprites --------------------------------------------------------------------------------


def test_sprites_stand_where_the_factors_say():
    data = whole("sprites", "test")
    x, y = centre_of_mass(data.images[:, 0])
    symmetric = data.labels < 2  # square and ellipse; the heart's centre of mass is not its origin
    assert (x - data.factors["x"])[symmetric].abs().max() < 0.005
    assert (y - data.factors["y"])[symmetric].abs().max() < 0.005
    offset = torch.hypot(x - data.factors["x"], y - data.factors["y"]) / data.factors["scale"]
    assert offset[~symmetric].std() < 0.01


def test_sprites_have_the_size_that_the_factors_say():
    data = whole("sprites", "test")
    area = data.images[:, 0].double().sum((1, 2)) / 255 * (2 / 32) ** 2 / data.factors["scale"] ** 2
    for label, exact in ((0, 1.4**2), (1, np.pi * 0.95 * 0.5)):
        assert area[data.labels == label].mean() == pytest.approx(exact, rel=0.02)
    assert all(area[data.labels == label].std() < 0.05 for label in range(3))


def test_ellipses_point_where_the_angle_says():
    data = load("sprites", "test", size=64)
    data = data.subset(data.labels == 1)
    picture = data.images[:, 0].double()
    x, y = centre_of_mass(picture)
    along = (2 * torch.arange(64) + 1) / 64 - 1
    dx, dy = along - x[:, None], along - y[:, None]
    xx = (picture.sum(1) * dx**2).sum(1)
    yy = (picture.sum(2) * dy**2).sum(1)
    xy = torch.einsum("nhw,nh,nw->n", picture, dy, dx)
    seen = 0.5 * torch.atan2(-2 * xy, xx - yy).rad2deg()  # y points downwards
    error = (seen - data.factors["angle"] + 90) % 180 - 90
    assert error.abs().max() < 2


def test_grid_holds_every_combination_once():
    parts = [whole("sprites", split, grid=(2, 3, 4, 5)) for split in ("train", "test")]
    assert [len(part) for part in parts] == [288, 72]
    rows = np.concatenate(
        [np.stack([part.factors[k] for k in ("shape", "scale", "angle", "x", "y")], 1) for part in parts]
    )
    assert len(np.unique(rows.round(9), axis=0)) == 360
    assert [len(np.unique(rows[:, k])) for k in (0, 1, 3, 4)] == [3, 2, 4, 5]


@pytest.mark.parametrize("options", [{"grid": (2, 2), "seed": 0}, {"grid": 5}, {"grid": (2, 0, 2, 2)}])
def test_bad_grids_are_named(options):
    with pytest.raises(ValueError, match="grid is"):
        load("sprites", **options)
    with pytest.raises(ValueError, match="n and grid"):
        load("sprites", n=10, grid=(2, 2, 2, 2))


# --- objects --------------------------------------------------------------------------------


def test_object_masks_are_the_shapes_drawn_large():
    data = load("objects", "test", n=200)
    factors = {key: values.numpy() for key, values in data.factors.items()}
    place = (factors[key] for key in ("x", "y", "scale", "angle"))
    u, v, _ = canvas.place(32 * 8, *place)
    inside = shapes.distances(tuple(shapes.SHAPES.values()), factors["shape"], u, v) < 0
    share = inside.reshape(200, 32, 8, 32, 8).mean((2, 4))
    mask = data.masks[:, 0].numpy()
    assert (mask != (share >= 0.5)).mean() < 0.002
    assert not mask[share < 0.05].any() and mask[share > 0.95].all()


def test_objects_have_one_colour_and_it_is_the_recorded_one():
    data = load("objects", "test", n=300)
    seen = 0
    for image, mask, hue, lightness in zip(
        data.images.double() / 255,
        data.masks[:, 0],
        data.factors["hue"],
        data.factors["lightness"],
        strict=True,
    ):
        inner = torch.from_numpy(binary_erosion(mask, np.ones((3, 3)), iterations=2))
        if inner.any():
            seen += 1
            expected = torch.tensor(
                colorsys.hls_to_rgb(float(hue), float(lightness), 0.85), dtype=torch.float64
            )
            assert (image[:, inner] - expected[:, None]).abs().max() <= 0.51 / 255
    assert seen > 250


def test_objects_can_be_seen():
    data = whole("objects", "test")
    picture, mask = data.images.double() / 255, data.masks.double()
    inside = (picture * mask).sum((2, 3)) / mask.sum((2, 3))
    outside = (picture * (1 - mask)).sum((2, 3)) / (1 - mask).sum((2, 3))
    apart = (inside - outside).norm(dim=1)
    assert apart.quantile(0.02) > 0.3


def test_object_nuisances_are_independent_of_the_class():
    data = whole("objects", "train")
    labels = data.labels.double()
    for name in ("hue", "lightness", "scale", "angle", "x", "y", "texture"):
        both = torch.stack([labels, data.factors[name].double()])
        assert torch.corrcoef(both)[0, 1].abs() < 0.04, name
    counts = torch.bincount(data.factors["texture"])
    assert len(counts) == len(textures.KINDS) and counts.min() > 1000


def test_bad_digit_size_is_named():
    with pytest.raises(ValueError, match="size is 18, possible are the multiples of 4"):
        load("digits_m", size=18)
