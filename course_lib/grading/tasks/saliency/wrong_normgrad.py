"""Wrong answers to saliency.normgrad: a right one in pieces, and each wrong one replaces a piece."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.grading.task import Misconception


def length(each: Tensor) -> Tensor:
    """The norm over the channels, (B, 1, h, w)."""
    return each.square().sum(1, keepdim=True).sqrt()


def box_root(squares: Tensor, n: int, stride: int, padding: int) -> Tensor:
    """The root of the sum over each N×N patch."""
    return F.conv2d(squares, squares.new_ones(1, 1, n, n), stride=stride, padding=padding).sqrt()


def of_g(g: Tensor) -> Tensor:
    return length(g)


def of_patch(x: Tensor, n: int, stride: int, padding: int) -> Tensor:
    return box_root(x.square().sum(1, keepdim=True), n, stride, padding)


def measured(
    from_g: Callable = of_g,
    from_x: Callable = of_patch,
    joined: Callable = torch.mul,
    final: Callable = lambda m: m,
) -> Callable:
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(x, g, kernel_size=1, stride=1, padding=0):
        return final(joined(from_g(g), from_x(x, kernel_size, stride, padding)))

    return answer


def window(x: Tensor, n: int, stride: int, padding: int) -> Tensor:
    """Each location's patch, (B, K·N², h, w)."""
    size = [(side + 2 * padding - n) // stride + 1 for side in x.shape[2:]]
    return F.unfold(x, n, padding=padding, stride=stride).unflatten(2, size)


def averaged(count_include_pad: bool, factor: Callable) -> Callable:
    """An average pooling where the sum over the patch belongs."""

    def from_x(x, n, stride, padding):
        squares = x.square().sum(1, keepdim=True)
        mean = F.avg_pool2d(squares, n, stride, min(padding, n // 2), count_include_pad=count_include_pad)
        return (mean * factor(n)).sqrt()

    return measured(from_x=from_x)


def padded_by(mode: str) -> Callable:
    """Other pixels than zeros beyond the border."""

    def from_x(x, n, stride, padding):
        return of_patch(F.pad(x, (padding,) * 4, mode=mode), n, stride, 0)

    return measured(from_x=from_x)


def middle_of(x: Tensor, n: int, stride: int, padding: int) -> Tensor:
    """The middle pixel of each patch, (B, K, h, w)."""
    each = window(x, n, stride, padding).unflatten(1, (x.shape[1], n, n))
    return each[:, :, n // 2, n // 2]


def own_channels(x, g, kernel_size=1, stride=1, padding=0):
    """‖g ⊙ x‖, over the channels that both have."""
    middle, many = middle_of(x, kernel_size, stride, padding), min(x.shape[1], g.shape[1])
    return length(g[:, :many] * middle[:, :many])


def whole_image(x, g, kernel_size=1, stride=1, padding=0):
    """One number for each image, the norm of all locations together."""
    each = window(x, kernel_size, stride, padding).square().sum((1, 2, 3), keepdim=True)
    return (each * g.square().sum((1, 2, 3), keepdim=True)).sqrt()


def all_products(x, g, kernel_size=1, stride=1, padding=0):
    """The matrices themselves, (B, K', K·N², h, w)."""
    return g[:, :, None] * window(x, kernel_size, stride, padding)[:, None]


def with_matrices(x, g, kernel_size=1, stride=1, padding=0):
    return all_products(x, g, kernel_size, stride, padding).flatten(1, 2).norm(dim=1, keepdim=True)


def sum_of_products(x, g, kernel_size=1, stride=1, padding=0):
    patch = window(x, kernel_size, stride, padding)
    return (g.sum(1, keepdim=True) * patch.sum(1, keepdim=True)).abs()


def largest_product(x, g, kernel_size=1, stride=1, padding=0):
    patch = window(x, kernel_size, stride, padding)
    return g.abs().amax(1, keepdim=True) * patch.abs().amax(1, keepdim=True)


def nuclear_of_the_sum(x, g, kernel_size=1, stride=1, padding=0):
    """The norm for the whole batch together: a location sums over the images."""
    each = measured()(x, g, kernel_size, stride, padding)
    return each.square().sum(0, keepdim=True).sqrt().expand_as(each)


def writes_into_x(x, g, kernel_size=1, stride=1, padding=0):
    made = measured()(x, g, kernel_size, stride, padding)
    x.square_()
    return made


def cut_at_zero(x, g, kernel_size=1, stride=1, padding=0):
    return measured()(x.relu(), g.relu(), kernel_size, stride, padding)


MISCONCEPTIONS = (
    Misconception(
        "average pooling",
        averaged(True, lambda n: 1),
        "The squares of a patch are averaged, so the map is N times too small. Sum them: average pooling "
        "times N².",
    ),
    Misconception(
        "average that leaves the padding out",
        averaged(False, lambda n: n**2),
        "At the border you average over the pixels inside the image only (count_include_pad=False), and then "
        "multiply with all N². The pixels of the padding count too, as zeros.",
    ),
    Misconception(
        "average of the pixels inside",
        averaged(False, lambda n: 1),
        "The squares of a patch are averaged over the pixels inside the image. Sum them, with zeros beyond.",
    ),
    Misconception(
        "each channel by itself",
        own_channels,
        "This is ‖g ⊙ x‖, where a channel meets itself only: the norm for a scaling. "
        "In a convolution every number of g meets every number of the patch.",
    ),
    Misconception(
        "norm over space",
        whole_image,
        "Each image has one number: you sum the squares over the locations too. Sum over the channels only.",
    ),
    Misconception(
        "sum of sizes",
        measured(
            from_x=lambda x, n, stride, padding: window(x, n, stride, padding).abs().sum(1, keepdim=True)
        ),
        "For x you add up absolute values. Take the root of the sum of squares, for x as for g.",
    ),
    Misconception(
        "sum of sizes in g",
        measured(from_g=lambda g: g.abs().sum(1, keepdim=True)),
        "For g you add up absolute values. Take the root of the sum of squares, for g as for x.",
    ),
    Misconception(
        "root forgotten",
        measured(final=torch.square),
        "This is the square of the norm. Take the root.",
    ),
    Misconception(
        "root of x forgotten",
        measured(from_x=lambda *given: of_patch(*given).square()),
        "The factor of x is a sum of squares still. Take its root.",
    ),
    Misconception(
        "root of g forgotten",
        measured(from_g=lambda g: of_g(g).square()),
        "The factor of g is a sum of squares still. Take its root.",
    ),
    Misconception(
        "mirrored border",
        padded_by("reflect"),
        "Beyond the border you mirror the image (reflect). The layer pads with zeros.",
    ),
    Misconception(
        "border repeated",
        padded_by("replicate"),
        "Beyond the border you repeat the last pixel (replicate). The layer pads with zeros.",
    ),
    Misconception(
        "border from the other side",
        padded_by("circular"),
        "Beyond the border you go on at the other side (circular). The layer pads with zeros.",
    ),
    Misconception(
        "sum before the square",
        measured(from_x=lambda x, n, s, p: box_root(x.sum(1, keepdim=True).square(), n, s, p)),
        "You sum over the channels of x and square afterwards, so numbers of opposite sign cancel. Square "
        "first.",
    ),
    Misconception(
        "patch summed before the square",
        measured(
            from_x=lambda x, n, s, p: length(window(x, n, s, p).unflatten(1, (x.shape[1], n * n)).sum(2))
        ),
        "You sum each channel over the patch and square afterwards. Square each pixel first.",
    ),
    Misconception(
        "norms added up over the patch",
        measured(from_x=lambda x, n, s, p: box_root(length(x), n, s, p).square()),
        "The box filter adds up the norms ‖x_v‖ of the pixels. Add up their squares, then take the root.",
    ),
    Misconception(
        "pixel instead of patch",
        measured(from_x=lambda *given: length(middle_of(*given))),
        "Only the middle pixel of each patch counts. The kernel touches N² pixels: sum over all of them.",
    ),
    Misconception(
        "mean over the channels",
        measured(
            from_g=lambda g: g.square().mean(1, keepdim=True).sqrt(),
            from_x=lambda x, n, s, p: box_root(x.square().mean(1, keepdim=True), n, s, p),
        ),
        "You take means over the channels. A norm is made of sums of squares.",
    ),
    Misconception(
        "sum of both norms",
        measured(joined=torch.add),
        "The two norms are added. The squared products come apart into a product: multiply them.",
    ),
    Misconception(
        "gradient alone",
        measured(joined=lambda g, x: g),
        "This is ‖g_u‖, the norm for a bias. For a convolution it is multiplied with the norm of the patch.",
    ),
    Misconception(
        "activation alone",
        measured(joined=lambda g, x: x),
        "This is ‖x_u‖, which knows nothing of any class. Multiply it with the norm of g_u.",
    ),
    Misconception(
        "sum of all products",
        sum_of_products,
        "All products are added up, so that they cancel. Add up their squares and take the root.",
    ),
    Misconception(
        "largest product",
        largest_product,
        "This is the largest size of an entry. Here the entries are aggregated by their norm.",
    ),
    Misconception(
        "positive parts",
        cut_at_zero,
        "Negative numbers are set to 0. NormGrad counts votes for and against alike: leave g and x as they "
        "are.",
    ),
    Misconception(
        "summed over the batch",
        nuclear_of_the_sum,
        "The images of the batch are summed up. Each image has a map of its own.",
    ),
    Misconception(
        "matrices made",
        with_matrices,
        "The map is right, but you make the K' × K·N² matrix of every location, which for 512 channels does "
        "not "
        "fit into memory. Its norm is that of g times that of the patch: no matrix is needed.",
    ),
    Misconception(
        "no axis for the map",
        measured(final=lambda m: m[:, 0]),
        "The maps have no axis of their own. Keep it: (B, 1, h, w), as all maps of this course.",
    ),
    Misconception(
        "writes into x",
        writes_into_x,
        "Write `x.square()` where you write `x.square_()`: the activations belong to whoever called.",
    ),
)
