"""A right answer to hybridnet.branch_report in pieces, and the pieces that are wrong."""

import torch

from course_lib.grading.mode_pieces import evaluating


def norm2(t):
    return t.flatten(1).pow(2).mean(1)


def inner(a, b):
    return (a * b).flatten(1).mean(1)


def share(x_b, x_hat):
    energy = norm2(x_hat)
    return torch.where(energy > 0, inner(x_b, x_hat) / energy.where(energy > 0, torch.ones_like(energy)), 0.5)


def errors(x, x_c, x_u):
    return norm2(x_c - x), norm2(x_u - x), norm2(x_c + x_u - x)


def shares(x, x_c, x_u):
    return share(x_c, x_c + x_u), share(x_u, x_c + x_u)


def over_images(rows):
    return torch.cat(rows).mean(0)


def reporting(
    errors=errors, inner=lambda x, x_c, x_u: inner(x_c, x_u), shares=shares, joined=over_images,
    mode=evaluating, grad=torch.no_grad, order=slice(None), final=lambda e, i, s: (e, i, s),
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(model, batches):
        rows = []
        with mode(model), grad():
            for x in batches:
                out = model(x)
                parts = (x, out.x_c, out.x_u)
                rows.append(torch.stack([*errors(*parts), inner(*parts), *shares(*parts)], dim=1))
        means = joined(rows)
        return final(means[:3], means[3], means[4:])

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def pooled_shares(model, batches):
    """The share of all pictures together."""
    rows = []
    with evaluating(model), torch.no_grad():
        for x in batches:
            out = model(x)
            e = torch.stack([*errors(x, out.x_c, out.x_u), inner(out.x_c, out.x_u)], dim=1)
            s = torch.stack([inner(out.x_c, out.x_hat), norm2(out.x_hat)], dim=1)
            rows.append(torch.cat([e, s], dim=1))
    means = torch.cat(rows).mean(0)
    c = means[4] / means[5] if means[5] > 0 else means[5] + 0.5
    return means[:3], means[3], torch.stack([c, 1 - c])


def split(a, b):
    """a and b as parts of their sum."""
    total = a + b
    known = total > 0
    part = torch.where(known, a / total.where(known, torch.ones_like(total)), 0.5)
    return part, 1 - part


def of_the_sum(a, total):
    return torch.where(total > 0, a / total.where(total > 0, torch.ones_like(total)), 0.5)


def by_norms(x, x_c, x_u):
    return split(norm2(x_c), norm2(x_u))


def by_lengths(x, x_c, x_u):
    return split(norm2(x_c).sqrt(), norm2(x_u).sqrt())


def by_errors(x, x_c, x_u):
    return split(norm2(x_u - x), norm2(x_c - x))


def of_the_whole(x, x_c, x_u):
    total = norm2(x_c + x_u)
    return of_the_sum(norm2(x_c), total), of_the_sum(norm2(x_u), total)


def of_the_image(x, x_c, x_u):
    return inner(x_c, x) / norm2(x), inner(x_u, x) / norm2(x)


def cosines(x, x_c, x_u):
    lengths = (norm2(x_c).sqrt() * norm2(x_c + x_u).sqrt(), norm2(x_u).sqrt() * norm2(x_c + x_u).sqrt())
    return of_the_sum(inner(x_c, x_c + x_u), lengths[0]), of_the_sum(inner(x_u, x_c + x_u), lengths[1])


def without_care(x, x_c, x_u):
    x_hat = x_c + x_u
    return inner(x_c, x_hat) / norm2(x_hat), inner(x_u, x_hat) / norm2(x_hat)


def zero_for_nothing(x, x_c, x_u):
    known = norm2(x_c + x_u) > 0
    return tuple(torch.where(known, each, 0.0) for each in shares(x, x_c, x_u))


def clamped(x, x_c, x_u):
    return tuple(each.clamp(0, 1) for each in shares(x, x_c, x_u))


def from_the_rest(x, x_c, x_u):
    return norm2(x - x_u - x_c), norm2(x - x_c - x_u), norm2(x_c + x_u - x)


def from_the_reconstruction(x, x_c, x_u):
    x_hat = x_c + x_u
    return norm2(x_c - x_hat), norm2(x_u - x_hat), norm2(x_hat - x)


def summed(x, x_c, x_u):
    c, u, _ = errors(x, x_c, x_u)
    return c, u, c + u


def of_the_mean(x, x_c, x_u):
    return norm2(x_c - x), norm2(x_u - x), norm2((x_c + x_u) / 2 - x)


def cosine(x, x_c, x_u):
    lengths = norm2(x_c).sqrt() * norm2(x_u).sqrt()
    return torch.where(
        lengths > 0, inner(x_c, x_u) / lengths.where(lengths > 0, torch.ones_like(lengths)), 0.0
    )


def mean_of_batches(rows):
    return torch.stack([row.mean(0) for row in rows]).mean(0)
