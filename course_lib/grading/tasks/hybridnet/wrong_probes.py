"""Wrong answers to hybridnet.probes: a right one in pieces, and each wrong one replaces a piece."""

import torch

from course_lib.grading.task import Misconception


def solved(h, t, ridge):
    return torch.linalg.solve(
        h.T @ h + ridge * torch.eye(h.shape[1], dtype=h.dtype, device=h.device), h.T @ t
    )


def r2_of(t, predicted):
    return 1 - (t - predicted).square().sum(0) / (t - t.mean(0)).square().sum(0)


def mean_of(h, t, h_test, t_test):
    """What is taken from h, from h_test, from t, and put back."""
    return h.mean(0), h.mean(0), t.mean(0), t.mean(0)


def probing(
    fit=solved, means=mean_of, score=lambda t, predicted, t_train: r2_of(t, predicted),
    joined=lambda r2: r2.mean(), data=lambda *given: given,
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(h, t, h_test, t_test, ridge=1.0):
        h, t, h_test, t_test = data(h, t, h_test, t_test)
        from_h, from_test, from_t, back = means(h, t, h_test, t_test)
        weights = fit(h - from_h, t - from_t, ridge)
        predicted = (h_test - from_test) @ weights + back
        return predicted, joined(score(t_test, predicted, t))

    return answer


def with_ones(h, t, h_test, t_test, ridge=1.0):
    """The offset is the weight of a unit that is always 1, and the penalty falls on it too."""
    one = lambda x: torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    predicted = one(h_test) @ solved(one(h), t, ridge)
    return predicted, r2_of(t_test, predicted).mean()


def standardised(h, t, h_test, t_test, ridge=1.0):
    size = h.std(0, unbiased=False)
    return probing()(h / size, t, h_test / size, t_test, ridge)


def no_ridge(h, t, ridge):
    return torch.linalg.pinv(h) @ t


def correlations(t, predicted, _):
    a, b = t - t.mean(0), predicted - predicted.mean(0)
    return (a * b).sum(0) ** 2 / (a * a).sum(0) / (b * b).sum(0)


def explained(t, predicted, _):
    return (predicted - t.mean(0)).square().sum(0) / (t - t.mean(0)).square().sum(0)


def from_training_mean(t, predicted, t_train):
    return 1 - (t - predicted).square().sum(0) / (t - t_train.mean(0)).square().sum(0)


def residual_variance(t, predicted, _):
    return 1 - (t - predicted).var(0) / t.var(0)


def pooled(t, predicted, _):
    return 1 - (t - predicted).square().sum() / (t - t.mean(0)).square().sum()


def one_mean(t, predicted, _):
    return 1 - (t - predicted).square().sum() / (t - t.mean()).square().sum()


def on_training(h, t, h_test, t_test, ridge=1.0):
    predicted = probing()(h, t, h_test, t_test, ridge)[0]
    return predicted, probing()(h, t, h, t, ridge)[1]


def fitted_to_the_test(h, t, h_test, t_test, ridge=1.0):
    return probing()(h_test, t_test, h_test, t_test, ridge)


def writes_into_h(h, t, h_test, t_test, ridge=1.0):
    result = probing()(h, t, h_test, t_test, ridge)
    h -= h.mean(0)
    return result


MISCONCEPTIONS = (
    Misconception(
        "no offset",
        probing(means=lambda h, t, h_test, t_test: (0, 0, 0, 0)),
        "The line is forced through 0. Take the training means away first and add that of t at the end.",
    ),
    Misconception(
        "offset penalised",
        with_ones,
        "The offset is a weight like the others, so the ridge pulls it to 0. "
        "Leave it out of the penalty: take the means away instead.",
    ),
    Misconception(
        "targets not centred",
        probing(means=lambda h, t, h_test, t_test: (h.mean(0), h.mean(0), 0, 0)),
        "The mean of the targets is missing from what is predicted. Add the training mean of t.",
    ),
    Misconception(
        "latents not centred",
        probing(means=lambda h, t, h_test, t_test: (0, 0, t.mean(0), t.mean(0))),
        "Only the targets are centred. The latents need their training mean taken away too.",
    ),
    Misconception(
        "test means",
        probing(means=lambda h, t, h_test, t_test: (h.mean(0), h_test.mean(0), t.mean(0), t.mean(0))),
        "The test latents are centred by their own mean, as if they were known beforehand. "
        "Take away the training mean.",
    ),
    Misconception(
        "test targets put back",
        probing(means=lambda h, t, h_test, t_test: (h.mean(0), h.mean(0), t.mean(0), t_test.mean(0))),
        "The mean of the test targets is put into the prediction, which then knows what it should tell. "
        "Add the training mean.",
    ),
    Misconception(
        "no ridge",
        probing(fit=no_ridge),
        "There is no ridge. Add ridge to each number on the diagonal of HᵀH.",
    ),
    Misconception(
        "ridge times N",
        probing(fit=lambda h, t, ridge: solved(h, t, ridge * len(h))),
        "The ridge is multiplied by the number of samples, which happens if HᵀH is divided by it. "
        "HᵀH is the sum.",
    ),
    Misconception(
        "ridge squared",
        probing(fit=lambda h, t, ridge: solved(h, t, ridge**2 if ridge != 1 else 1)),
        "The ridge is squared. It is added to the diagonal as it is.",
    ),
    Misconception(
        "default ridge",
        probing(fit=lambda h, t, ridge: solved(h, t, 1.0)),
        "The ridge is always 1. Use the argument; 1 is only its default.",
    ),
    Misconception(
        "ridge everywhere",
        probing(fit=lambda h, t, ridge: torch.linalg.solve(h.T @ h + ridge, h.T @ t)),
        "The ridge is added to every number of HᵀH. It belongs on the diagonal: ridge times torch.eye(D).",
    ),
    Misconception(
        "standardised",
        standardised,
        "The units are divided by their standard deviation, so the ridge means something else for each. "
        "Take only the means away.",
    ),
    Misconception(
        "scored on the training samples",
        on_training,
        "R² is that of the training samples, which many units can always drive up. Use the test samples.",
    ),
    Misconception(
        "fitted to the test samples",
        fitted_to_the_test,
        "The probe is fitted to the samples that it is tested on. Fit it to h and t.",
    ),
    Misconception(
        "squared correlation",
        probing(score=correlations),
        "This is the squared correlation, which forgives a wrong offset and a wrong slope. "
        "Compare the predictions themselves: 1 - missed / spread.",
    ),
    Misconception(
        "variance of the prediction",
        probing(score=explained),
        "This is the spread of the predictions over that of the targets. A prediction may vary much and be "
        "wrong: take 1 - missed / spread.",
    ),
    Misconception(
        "variance of the residuals",
        probing(score=residual_variance),
        "The variance of what is missed forgives a prediction that is off by a constant. "
        "Sum the squares of what is missed, without taking a mean away.",
    ),
    Misconception(
        "spread around the training mean",
        probing(score=from_training_mean),
        "The spread is measured around the training mean. R² compares with the mean of the test targets.",
    ),
    Misconception(
        "unexplained share",
        probing(score=lambda t, predicted, _: 1 - r2_of(t, predicted)),
        "This is the share that is missed. R² is 1 minus that.",
    ),
    Misconception(
        "clamped at 0",
        probing(score=lambda t, predicted, _: r2_of(t, predicted).clamp(min=0)),
        "Negative values are set to 0. A probe that does worse than the mean has a negative R²: leave it.",
    ),
    Misconception(
        "targets pooled",
        probing(score=pooled),
        "Squares of all targets are summed before dividing, so a large target counts more. "
        "Divide for each target, then take the mean.",
    ),
    Misconception(
        "one mean for all targets",
        probing(score=one_mean),
        "The spread is measured around one mean for all targets, and pooled. Each target has a mean and a R² "
        "of its own.",
    ),
    Misconception(
        "one R² for each target",
        probing(joined=lambda r2: r2),
        "There is one R² for each target. Return their mean.",
    ),
    Misconception(
        "writes into h",
        writes_into_h,
        "Write `H = h - h.mean(0)` where you write `h -= h.mean(0)`.",
    ),
)
