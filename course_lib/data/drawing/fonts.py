"""Letters as signed distances, from the outlines of the free fonts that matplotlib ships.

The outlines are read unhinted, in whole font units, and turned into distances here, so a letter depends on
the font files alone, and not on how a version of matplotlib or FreeType fills pixels.
"""

import functools
import itertools
from pathlib import Path

import numpy as np

FACES = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmtt10"),
)
REACH = 2.0  # the field spans [-REACH, REACH]; a capital letter's height spans [-1, 1]
RESOLUTION = 80


def has(face: str, characters: str) -> bool:
    """Whether a face can draw all the characters."""
    from matplotlib.font_manager import get_font

    drawn = get_font(_file(face)).get_charmap()
    return all(ord(character) in drawn for character in characters)


@functools.lru_cache(maxsize=4096)
def field(face: str, character: str) -> np.ndarray:
    """Signed distance to a letter's outline, (RESOLUTION, RESOLUTION) float32, negative in the ink.

    The letter stands in the middle from left to right, and its face's capitals in the middle from top to
    bottom, so that a comma stays low. Rows go downwards.
    """
    contours = _contours(face, character)
    across = np.concatenate(contours)[:, 0]
    half = np.concatenate(_contours(face, "H"))[:, 1].max() / 2
    middle = np.array([(across.min() + across.max()) / 2, half])
    centres = ((2 * np.arange(RESOLUTION) + 1) / RESOLUTION - 1) * REACH
    x, y = centres[None, :], -centres[:, None]

    squared = np.full((RESOLUTION, RESOLUTION), np.inf)
    winding = np.zeros((RESOLUTION, RESOLUTION), int)
    for contour in contours:
        points = (contour - middle) / half
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            ex, ey = x1 - x0, y1 - y0
            length = ex * ex + ey * ey
            if length == 0:
                continue
            along = np.clip(((x - x0) * ex + (y - y0) * ey) / length, 0, 1)
            squared = np.minimum(squared, (x - x0 - along * ex) ** 2 + (y - y0 - along * ey) ** 2)
            if ey != 0:  # upward and downward sides to the right of the pixel count against each other
                crosses = ((y >= y0) != (y >= y1)) & (x < x0 + (y - y0) * (ex / ey))
                winding += crosses * (1 if ey > 0 else -1)
    distance = np.sqrt(squared)
    result = np.where(winding != 0, -distance, distance).astype(np.float32)
    result.flags.writeable = False
    return result


def frame(fields: np.ndarray) -> tuple[float, float]:
    """The middle and half the height of the box that holds every letter's ink; a very wide letter counts too.

    A page of digits, one of capitals and one with descenders then all fill the same part of a picture.

    Args:
        fields: (K, RESOLUTION, RESOLUTION), stacked from :func:`field`.
    """
    cell = 2 * REACH / RESOLUTION
    rows, columns = (np.flatnonzero((fields < 0).any(axis)) * cell - REACH for axis in ((0, 2), (0, 1)))
    middle, half = (rows[0] + rows[-1] + cell) / 2, (rows[-1] - rows[0] + cell) / 2
    return middle, max(half, 0.8 * np.abs(columns).max())


def distances(fields: np.ndarray, which: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The distances of N letters at local coordinates, by bilinear interpolation.

    Args:
        fields: (K, RESOLUTION, RESOLUTION) float32, stacked from :func:`field`.
        which: (N,) places in ``fields``.
        u, v: (N, H, W) float32 local coordinates; beyond the field the distance stays what it is at its edge.
    """
    last = RESOLUTION - 1
    unit = np.float32(RESOLUTION / (2 * REACH))
    column = np.clip((u + np.float32(REACH)) * unit - np.float32(0.5), 0, np.float32(last - 0.001))
    row = np.clip((v + np.float32(REACH)) * unit - np.float32(0.5), 0, np.float32(last - 0.001))
    j, i = column.astype(np.int32), row.astype(np.int32)
    s, t = column - j.astype(np.float32), row - i.astype(np.float32)
    flat = fields.reshape(-1)
    at = which.astype(np.int32)[:, None, None] * (RESOLUTION * RESOLUTION) + i * RESOLUTION + j
    top = flat[at] + s * (flat[at + 1] - flat[at])
    at += RESOLUTION
    bottom = flat[at] + s * (flat[at + 1] - flat[at])
    return top + t * (bottom - top)


@functools.lru_cache(maxsize=4096)
def _contours(face: str, character: str) -> list[np.ndarray]:
    """Closed polygons (P, 2), y upwards, in font units; curves are cut into straight pieces."""
    from matplotlib.font_manager import FontProperties, get_font
    from matplotlib.path import Path as Outline
    from matplotlib.textpath import TextToPath

    reader = TextToPath()
    # At this size a pixel is a font unit, so FreeType has nothing to round, whatever its version.
    reader.FONT_SCALE = get_font(_file(face)).units_per_EM
    path = Outline(*reader.get_text_path(FontProperties(fname=_file(face)), character))
    contours, points = [], []
    for values, code in path.iter_segments(simplify=False):
        corners = values.reshape(-1, 2)
        if code == path.MOVETO:
            points = [corners[0]]
            contours.append(points)
        elif code == path.CLOSEPOLY:
            points.append(points[0])
        else:  # a Bezier curve of degree 1, 2 or 3 from the last point, by de Casteljau's construction
            control = np.array([points[-1], *corners])
            for t in np.arange(1, 5) / 4 if len(corners) > 1 else (1.0,):
                curve = control
                while len(curve) > 1:
                    curve = curve[:-1] * (1 - t) + curve[1:] * t
                points.append(curve[0])
    return [np.array([*points, points[0]]) for points in contours]


@functools.cache
def _file(face: str) -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{face}.ttf"))
