"""The canvas, the shapes, the textures and the letters, against literal formulas and other libraries."""

import itertools

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image

from course_lib.data.drawing import canvas, fonts, shapes, textures

rng = np.random.default_rng(0)


def test_place_undoes_slant_turn_scale_and_move():
    n, size = 20, 9
    x, y, scale = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n), rng.uniform(0.2, 1.5, n)
    angle, shear = rng.uniform(-180, 180, n), rng.uniform(-0.5, 0.5, n)
    local = canvas.place(size, x, y, scale, angle, shear)
    for i in range(n):
        cos, sin = np.cos(np.deg2rad(angle[i])), np.sin(np.deg2rad(angle[i]))
        for row, column in ((0, 0), (3, 7), (8, 2)):
            u, v = float(local.u[i, row, column]), float(local.v[i, row, column])
            slanted = np.array([u - shear[i] * v, v])  # one unit above is v = -1, and goes to the right
            turned = np.array([cos * slanted[0] + sin * slanted[1], cos * slanted[1] - sin * slanted[0]])
            seen = scale[i] * turned + (x[i], y[i])
            np.testing.assert_allclose(
                seen, [(2 * column + 1) / size - 1, (2 * row + 1) / size - 1], atol=1e-5
            )
        assert local.pixel[i, 0, 0] == pytest.approx(2 / size / scale[i])


def test_angles_turn_counter_clockwise_as_seen():
    local = canvas.place(101, 0.0, 0.0, 0.9, 90.0)
    arrow = shapes.arrow(local.u, local.v)[0] < 0  # it points up; after a quarter turn to the left
    columns = np.flatnonzero(arrow.any(0))
    assert arrow[:, columns[:3]].sum() < arrow[:, columns[8:20]].sum() / 4  # the tip is on the left


def test_coverage_sums_to_the_area():
    local = canvas.place(64, 0.05, -0.03, 0.8)
    cover = canvas.coverage(shapes.disc(local.u, local.v, 0.9), local.pixel)
    assert cover.min() == 0 and cover.max() == 1
    assert cover.sum() * (2 / 64) ** 2 == pytest.approx(np.pi * 0.72**2, rel=2e-3)


def test_compose_lays_things_over_each_other():
    n, m, size = 3, 2, 4
    background, covers, colours = (
        rng.random((n, 3, size, size)),
        rng.random((n, m, size, size)),
        rng.random((n, m, 3)),
    )
    covers = np.where(covers > 0.7, 1.0, covers)
    pictures, masks = canvas.compose(background, covers, colours)
    for i, row, column in np.ndindex(n, size, size):
        expected = background[i, :, row, column]
        for k in range(m):
            a = covers[i, k, row, column]
            expected = (1 - a) * expected + a * colours[i, k]
        np.testing.assert_allclose(pictures[i, :, row, column], expected, atol=1e-6)
        solid = [k for k in range(m) if covers[i, k, row, column] >= 0.5]
        assert np.flatnonzero(masks[i, :, row, column]).tolist() == solid[-1:]
    assert masks.sum(1).max() == 1


def test_difference_and_rounding():
    background, cover = np.full((1, 3, 1, 3), 0.25), np.array([[[0.0, 0.25, 1.0]]])
    np.testing.assert_allclose(canvas.difference(background, cover)[0, 0, 0], [0.25, 0.0, 0.75])
    assert canvas.to_uint8(np.array([-1, 0.499 / 255, 0.501 / 255, 2])).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shapes_fit_the_unit_circle_and_fill_a_part_of_it(name):
    local = canvas.place(200, 0.0, 0.0, 1 / 1.3)  # the canvas shows a little more than the circle
    distance = shapes.SHAPES[name](local.u, local.v)[0]
    radius = np.hypot(local.u, local.v)[0]
    assert distance.dtype == np.float32 and np.isfinite(distance).all()
    assert radius[distance < 0].max() <= 1.02
    assert 0.15 < (distance < 0).mean() * 2.6**2 / np.pi < 0.8


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_shapes_soften_over_one_pixel_only(name):
    """No fog: but for the thinnest tips, a pixel off the outline is all in or all out."""
    local = canvas.place(64, 0.0, 0.0, 0.9, 10.0)
    distance = shapes.SHAPES[name](local.u, local.v)
    cover = canvas.coverage(distance, local.pixel)[0]
    inside = cover >= 0.5
    rolled = [np.roll(inside, step, axis) for axis in (0, 1) for step in (-1, 1)]
    edge = np.any([r != inside for r in rolled], 0)
    near = edge | np.any([np.roll(edge, step, axis) for axis in (0, 1) for step in (-1, 1)], 0)
    assert ((cover > 0) & (cover < 1) & ~near).mean() < 0.002


def test_polygon_is_the_signed_distance():
    corners = [(-0.8, -0.6), (0.9, -0.7), (0.1, 0.0), (0.7, 0.8), (-0.5, 0.5)]  # not convex
    u, v = rng.uniform(-1, 1, (2, 200)).astype(np.float32)
    distance = shapes.polygon(corners)(u, v)
    closed = np.array([*corners, corners[0]])
    border = np.concatenate([np.linspace(a, b, 4000) for a, b in itertools.pairwise(closed)])
    nearest = np.array([np.hypot(*(border - p).T).min() for p in np.stack([u, v], 1)])
    inside = Outline(corners).contains_points(np.stack([u, v], 1))
    np.testing.assert_allclose(distance, np.where(inside, -nearest, nearest), atol=5e-4)


@pytest.mark.parametrize(("cells", "size"), [(2, 16), (5, 16), (9, 28), (8, 12)])
def test_bicubic_is_pillows(cells, size):
    z = rng.standard_normal((cells, cells)).astype(np.float32)
    ours = textures.bicubic(cells, size) @ z @ textures.bicubic(cells, size).T
    pillows = np.asarray(Image.fromarray(z).resize((size, size), Image.BICUBIC))
    np.testing.assert_allclose(ours, pillows, atol=1e-5)


def test_coloured_noise_is_the_formula():
    n, size, contrast = 4, 16, 0.7
    noise = textures.coloured_noise(np.random.default_rng(5), n, size, contrast)
    stream = np.random.default_rng(5)
    base = stream.random((n, 3, 1, 1))
    grains = [stream.standard_normal((n, 3, k, k)) for k in (2, 5, 9)]
    for i, c in np.ndindex(n, 3):
        enlarged = [
            np.asarray(Image.fromarray(g[i, c].astype(np.float32)).resize((size, size), Image.BICUBIC))
            for g in grains
        ]
        n2, n5, n9 = enlarged
        expected = np.clip(base[i, c] + contrast * 0.35 * (0.5 * n2 + 0.35 * n5 + 0.25 * n9), 0, 1)
        np.testing.assert_allclose(noise[i, c], expected, atol=1e-5)
    flat = textures.coloured_noise(np.random.default_rng(5), n, size, 0)
    assert flat.std((2, 3)).max() < 1e-12


def test_patterns_are_what_they_are_called():
    kinds = np.repeat(np.arange(5), 40)
    colours = rng.random((200, 2, 3))
    pictures = textures.patterns(np.random.default_rng(1), kinds, 32, colours, 1.0)
    assert pictures.shape == (200, 3, 32, 32) and pictures.min() >= 0 and pictures.max() <= 1
    plain, noise, rest = pictures[:40], pictures[40:80], pictures[80:]
    np.testing.assert_allclose(plain, np.broadcast_to(colours[:40, 0, :, None, None], plain.shape))
    assert noise.std((2, 3)).mean() > 0.1
    # Stripes, checks and dots stay between their two colours, and show both.
    low, high = (f(colours[80:], axis=1)[..., None, None] for f in (np.min, np.max))
    assert (rest >= low - 1e-9).all() and (rest <= high + 1e-9).all()
    share = (
        (rest - colours[80:, 0, :, None, None]) / (colours[80:, 1] - colours[80:, 0])[..., None, None]
    ).mean((1, 2, 3))
    assert (share > 0.02).all() and (share < 0.98).all()
    half = textures.patterns(np.random.default_rng(1), kinds, 32, colours, 0.5)[80:]
    assert half.std((2, 3)).mean() == pytest.approx(rest.std((2, 3)).mean() / 2, rel=1e-6)


def test_every_face_has_the_common_characters():
    every = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    assert len(fonts.FACES) == 20 and all(fonts.has(face, every) for face in fonts.FACES)
    assert fonts.has("DejaVuSans", "αβγд") and not fonts.has("cmr10", "д")


@pytest.mark.parametrize("face", ["DejaVuSans-Bold", "STIXGeneral", "cmr10"])
def test_letters_have_the_counters_that_they_have(face):
    """The number of closed white areas tells a winding rule that is wrong."""
    from scipy.ndimage import label

    for character, holes in {"0": 1, "1": 0, "8": 2, "B": 2, "A": 1, "C": 0}.items():
        ink = np.pad(fonts.field(face, character) < 0, 1)
        assert label(~ink)[1] - 1 == holes, (face, character)


def test_letters_have_distances_that_grow_by_one_per_unit():
    field = fonts.field("DejaVuSans", "O")
    step = 2 * fonts.REACH / fonts.RESOLUTION
    slope = np.hypot(*np.gradient(field.astype(float), step))
    assert np.median(slope) == pytest.approx(1, abs=0.01) and slope.max() < 1.05


def test_capitals_are_two_units_high_and_descenders_go_below():
    step = 2 * fonts.REACH / fonts.RESOLUTION
    rows = {c: np.flatnonzero((fonts.field("STIXGeneral", c) < 0).any(1)) * step - fonts.REACH for c in "Hgx"}
    assert rows["H"][0] == pytest.approx(-1, abs=step) and rows["H"][-1] == pytest.approx(1, abs=step)
    assert rows["g"][-1] > 1.3 and rows["x"][0] > -0.5
    middle, half = fonts.frame(np.stack([fonts.field("STIXGeneral", c) for c in "Hg"]))
    assert middle > 0.15 and half > 1.2


def test_interpolation_of_letters_is_bilinear():
    from scipy.ndimage import map_coordinates

    fields = np.stack([fonts.field("cmss10", c) for c in "5R"])
    which = np.array([1, 0, 1])
    u, v = rng.uniform(-1.8, 1.8, (2, 3, 6, 6)).astype(np.float32)
    ours = fonts.distances(fields, which, u, v)
    for i, k in enumerate(which):
        at = [(w + fonts.REACH) * fonts.RESOLUTION / (2 * fonts.REACH) - 0.5 for w in (v[i], u[i])]
        np.testing.assert_allclose(ours[i], map_coordinates(fields[k], at, order=1), atol=1e-4)
