"""The drawn set of glyphs: where they stand, how they look, and which faces are held back."""

import pytest
import torch

from course_lib.data import load
from course_lib.data.drawing import fonts
from tests.data.drawn import centre_of_mass


def test_glyphs_stand_where_the_factors_say():
    data = load("glyphs", "test", characters="0", faces=["DejaVuSans"], n=200)
    x, y = centre_of_mass(data.images[:, 0])
    assert (14 * x - data.factors["dx"]).abs().max() < 0.15
    assert (14 * y - data.factors["dy"]).abs().max() < 0.15


def test_glyphs_lean_and_stretch_as_the_factors_say():
    data = load("glyphs", "test", characters="I", faces=["DejaVuSans"], n=200, size=56)
    angle, shear = torch.deg2rad(data.factors["angle"]), data.factors["shear"]
    top = torch.stack(
        [torch.cos(angle) * shear - torch.sin(angle), torch.cos(angle) + torch.sin(angle) * shear]
    )
    picture = data.images[:, 0].double()
    x, _ = centre_of_mass(picture)
    along = (2 * torch.arange(56) + 1) / 56 - 1
    height = picture.sum(2)
    middle = (picture * along).sum(2) / height.clamp(min=1e-9)
    y = (height * along).sum(1) / height.sum(1)
    lean = (height * (middle - x[:, None]) * (along - y[:, None])).sum(1)
    lean = -lean / (height * (along - y[:, None]) ** 2).sum(1)  # to the right per unit upwards
    assert (lean - top[0] / top[1]).abs().max() < 0.05
    rows = (data.masks[:, 0].any(2)).sum(1) / 56
    assert (rows - data.factors["scale"] * top[1]).abs().max() < 0.09


def test_textured_glyphs_are_the_difference_of_background_and_glyph():
    plain = load("glyphs", "test", n=100)
    textured = load("glyphs", "test", n=100, textured=True, contrast=0.0)
    assert torch.equal(plain.masks, textured.masks) and torch.equal(plain.labels, textured.labels)
    cover = plain.images.double() / 255
    outside, inside = cover == 0, cover == 1
    for image, out, ink in zip(textured.images.double() / 255, outside[:, 0], inside[:, 0], strict=True):
        background = image[:, out].amin(1)  # flat, since the contrast is 0
        assert (image[:, out].amax(1) - background).max() <= 1.01 / 255
        if ink.any():
            assert (image[:, ink] - (1 - background[:, None])).abs().max() <= 2.01 / 255


def test_seen_and_unseen_faces_have_none_in_common():
    seen = load("glyphs", "train", faces="seen", n=500).factors["face"].unique().tolist()
    unseen = load("glyphs", "test", faces="unseen", n=500).factors["face"].unique().tolist()
    assert not set(seen) & set(unseen) and sorted(seen + unseen) == list(range(len(fonts.FACES)))


def test_characters_are_the_classes():
    data = load("glyphs", "train", characters="xyz", n=30)
    assert data.class_names == ("x", "y", "z") and torch.bincount(data.labels).tolist() == [10, 10, 10]
    greek = load("glyphs", "train", characters="αβγ", n=400).factors["face"].unique()
    assert all(not fonts.FACES[face].startswith("cm") for face in greek)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"characters": ""}, "characters is ''"),
        ({"characters": "aba"}, "each once"),
        ({"characters": "a b"}, "visible"),
        ({"faces": "others"}, "all, seen, unseen"),
        ({"faces": ["Arial"]}, "possible are names from"),
        ({"faces": []}, "possible are names from"),
        ({"faces": ["cmr10"], "characters": "д"}, "cmr10 lacks"),
        ({"characters": "字"}, "No face"),
    ],
)
def test_bad_glyph_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        load("glyphs", **options)
