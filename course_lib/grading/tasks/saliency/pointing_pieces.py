"""A right answer to saliency.pointing_game in pieces, and the pieces that are wrong."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def bilinear(maps: Tensor, size: tuple[int, int], **how) -> Tensor:
    return interpolate(maps, tuple(size), **({"mode": "bilinear", "align_corners": False} | how))


def peak(large: Tensor) -> tuple[Tensor, Tensor]:
    place = large.flatten(1).argmax(1)
    return place // large.shape[3], place % large.shape[3]


def own_mask(masks: Tensor, classes: Tensor) -> Tensor:
    return masks[torch.arange(len(masks), device=masks.device), classes]


def steps_to(mask: Tensor, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """How many rows and columns each pixel is away, (B, H, 1) and (B, 1, W)."""
    rows, columns = (torch.arange(n, device=mask.device) for n in mask.shape[1:])
    return (rows - row[:, None]).abs()[:, :, None], (columns - column[:, None]).abs()[:, None, :]


def near(rows: Tensor, columns: Tensor, tolerance: float) -> Tensor:
    return rows**2 + columns**2 < tolerance**2


def by_class(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    counts = torch.ones_like(hit) if subset is None else subset
    return torch.stack([hit[counts & (classes == k)].double().mean() for k in range(count)])


def game(
    point=lambda maps, size: peak(bilinear(maps, size)),
    region=own_mask,
    within=near,
    touched=None,
    per_class=by_class,
    joined=lambda per_class, hit, subset: per_class.nanmean(),
    subset_of=lambda subset: subset,
):
    """An answer from its pieces; each argument is one thing to get wrong."""

    def closest(mask, row, column, tolerance):
        return (within(*steps_to(mask, row, column), tolerance) & mask).flatten(1).any(1)

    def answer(maps, masks, classes, tolerance, subset=None):
        row, column = point(maps, masks.shape[2:])
        hit = (touched or closest)(region(masks, classes), row, column, tolerance)
        subset = subset_of(subset)
        found = per_class(hit, classes, masks.shape[1], subset)
        return found, joined(found, hit, subset)

    return answer


# --- pieces that are wrong: where a map points -------------------------------------------------


def first_then_scaled(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return tuple(at * n // cells for at, n, cells in zip(peak(maps), size, maps.shape[2:]))


def middle_of_the_cell(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return tuple((at + 0.5) * n / cells - 0.5 for at, n, cells in zip(peak(maps), size, maps.shape[2:]))


def rows_of_height(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    place = bilinear(maps, size).flatten(1).argmax(1)
    return place // size[0], place % size[0]


def column_by_column(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    place = bilinear(maps, size).mT.flatten(1).argmax(1)
    return place % size[0], place // size[0]


def last_of_equals(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    large = bilinear(maps, size).flatten(1)
    place = large.shape[1] - 1 - large.flip(1).argmax(1)
    return place // size[1], place % size[1]


def middle_if_constant(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    flat = (maps == maps[..., :1, :1]).flatten(1).all(1)
    return tuple(
        at.where(~flat, torch.full_like(at, n // 2)) for at, n in zip(peak(bilinear(maps, size)), size)
    )


def centre_of_mass(maps: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    weight = bilinear(maps, size)[:, 0]
    weight = weight - weight.amin((1, 2), keepdim=True) + 1e-9
    rows, columns = (torch.arange(n, device=maps.device, dtype=maps.dtype) for n in size)
    total = weight.sum((1, 2))
    return (weight.sum(2) @ rows) / total, (weight.sum(1) @ columns) / total


# --- pieces that are wrong: what is a hit ------------------------------------------------------


def box_around(mask: Tensor) -> Tensor:
    """The mask filled up to its tightest box."""

    def filled(line: Tensor) -> Tensor:
        return (line.cumsum(1) > 0) & (line.flip(1).cumsum(1).flip(1) > 0)

    return filled(mask.any(2))[:, :, None] & filled(mask.any(1))[:, None, :]


def to_the_middle(mask: Tensor, row: Tensor, column: Tensor, tolerance: float) -> Tensor:
    rows, columns = (torch.arange(n, device=mask.device).double() for n in mask.shape[1:])
    area = mask.sum((1, 2))
    middle = (mask.sum(2).double() @ rows) / area, (mask.sum(1).double() @ columns) / area
    return (middle[0] - row) ** 2 + (middle[1] - column) ** 2 < tolerance**2


def shrunk(maps: Tensor, masks: Tensor, classes: Tensor, tolerance: float, subset: Tensor | None = None):
    """Everything at the size of the map, the tolerance too."""
    small = interpolate(masks.double(), maps.shape[2:], mode="area") > 0
    scale = masks.shape[3] / maps.shape[3]
    return game(point=lambda maps, _: peak(maps))(maps, small, classes, tolerance / scale, subset)


def any_of_the_highest(maps: Tensor, masks: Tensor, classes: Tensor, tolerance: float, subset=None):
    large = bilinear(maps, masks.shape[2:])
    top = large == large.amax((2, 3), keepdim=True)
    hit = torch.zeros_like(classes, dtype=torch.bool)
    for number, row, column in zip(*(each.tolist() for each in top[:, 0].nonzero(as_tuple=True))):
        place = torch.tensor([row], device=maps.device), torch.tensor([column], device=maps.device)
        mask = own_mask(masks, classes)[number : number + 1]
        hit[number] |= (near(*steps_to(mask, *place), tolerance) & mask).any()
    found = by_class(hit, classes, masks.shape[1], subset)
    return found, found.nanmean()


# --- pieces that are wrong: the accuracies -----------------------------------------------------


def pooled(per_class: Tensor, hit: Tensor, subset: Tensor | None) -> Tensor:
    return (hit if subset is None else hit[subset]).double().mean()


def others_miss(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    return by_class(hit if subset is None else hit & subset, classes, count, None)


def share_of_all(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    counts = torch.ones_like(hit) if subset is None else subset
    share = torch.stack([(hit & counts & (classes == k)).sum() / counts.sum() for k in range(count)]).double()
    return share.where(~by_class(hit, classes, count, subset).isnan(), torch.nan)


def numbers_of_hits(hit: Tensor, classes: Tensor, count: int, subset: Tensor | None) -> Tensor:
    return by_class(hit, classes, count, subset) * torch.stack(
        [((classes == k) & (True if subset is None else subset)).sum() for k in range(count)]
    )
