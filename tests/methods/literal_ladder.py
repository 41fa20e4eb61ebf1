"""The ladder network to the letter: Rasmus et al. 2015, Algorithm 1, one number at a time."""

import math
from types import SimpleNamespace

from course_lib.methods.ladder_steps import EPS


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def combined(a, z, u):
    """The estimate of one unit; a1 to a10 as in the source."""
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = a
    mu = a1 * sigmoid(a2 * u + a3) + a4 * u + a5
    v = a6 * sigmoid(a7 * u + a8) + a9 * u + a10
    return (z - mu) * v + mu


def times(rows, weight):
    """Rows (N, D) times the transpose of weight (C, D)."""
    weight = weight.tolist()
    return [[sum(w * v for w, v in zip(unit, row, strict=True)) for unit in weight] for row in rows]


def statistics(rows):
    n, units = len(rows), range(len(rows[0]))
    mean = [sum(row[c] for row in rows) / n for c in units]
    return mean, [math.sqrt(sum((row[c] - mean[c]) ** 2 for row in rows) / n + EPS) for c in units]


def normalised(rows, mean, std):
    return [[(v - m) / s for v, m, s in zip(row, mean, std, strict=True)] for row in rows]


def plus(rows, noise):
    return [[v + e for v, e in zip(row, more, strict=True)] for row, more in zip(rows, noise, strict=True)]


def encoder(net, x, noises):
    """z(0) to z(L), means, deviations and logits; noises are one table for each z."""
    h = z = plus(x, noises[0])
    zs, means, stds = [z], [[0.0] * len(x[0])], [[1.0] * len(x[0])]
    for l, rung in enumerate(net.rungs, 1):
        before = times(h, rung.up[1].weight)
        mean, std = statistics(before)
        z = plus(normalised(before, mean, std), noises[l])
        gains, shifts = rung.gain.tolist(), rung.shift.tolist()
        h = [[g * (v + b) for v, g, b in zip(row, gains, shifts, strict=True)] for row in z]
        if l < len(net.rungs):
            h = [[max(v, 0.0) for v in row] for row in h]
        zs.append(z), means.append(mean), stds.append(std)
    return zs, means, stds, h


def softmax(row):
    return [math.exp(v) / sum(math.exp(w) for w in row) for v in row]


def algorithm_1(net, batch, noises, costs):
    """C of Rasmus et al. 2015, Algorithm 1, with all that it is made of."""
    x = batch.x.flatten(1).tolist()
    silent = [[[0.0] * len(row) for row in table] for table in noises]
    noisy, _, _, logits = encoder(net, x, noises)
    clean, means, stds, clean_logits = encoder(net, x, silent)
    u, z_hat, cost = [softmax(row) for row in logits], {}, 0.0
    for l in reversed(range(len(noisy))):
        u = normalised(u, *statistics(u))
        a = net.combinators[l].a.T.tolist()
        guess = [
            [combined(a[c], z, above) for c, (z, above) in enumerate(zip(z_row, u_row, strict=True))]
            for z_row, u_row in zip(noisy[l], u, strict=True)
        ]
        z_hat[l] = normalised(guess, means[l], stds[l])
        squares = sum(
            (p - q) ** 2 for row, other in zip(clean[l], z_hat[l]) for p, q in zip(row, other, strict=True)
        )
        cost += costs[l] * squares / (len(x) * len(x[0] if l == 0 else clean[l][0]))
        if l > 0:
            u = times(guess, net.rungs[l - 1].down[0].weight)
    labelled = [(row, y) for row, y in zip(logits, batch.y.tolist()) if y >= 0]
    cls = -sum(math.log(softmax(row)[y]) for row, y in labelled) / len(labelled)
    return SimpleNamespace(
        z=clean, z_noisy=noisy, z_hat=[z_hat[l] for l in range(len(noisy))],
        logits=logits, clean_logits=clean_logits, cls=cls, denoising=cost,
    )  # fmt: skip
