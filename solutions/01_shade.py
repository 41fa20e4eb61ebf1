# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercises: SHADE
#
# Here you write the heart of the chapter yourself.
#
# Every task has a text, a cell for your answer, and a cell that checks it.
# A check never stops the notebook: it says what is wrong first, and where.
# If you are stuck, run `hint("shade.penalty")` in a cell of your own; asked again, it says more.

# %%
import torch

from course_lib.grading import check, hint, progress

# %% [markdown] statement="shade.penalty"
# ### Why
#
# A unit is a detector.
# Before its ReLU it gives a number $h$.
# Where the pattern it looks for is absent, $h$ is well below zero; where the pattern is there, well above.
# So the values of a unit lie in two *modes*, each with a mean of its own.
#
# SHADE draws every value to the mean of its own mode.
# To do so it measures how far the values are from their modes, and that measure is what you write now.
#
# A value does not say which mode it belongs to.
# It belongs to both, with a probability for each, and so both distances count, each with its probability.
#
# ```text
#             μ⁰              h                     μ¹
#   ──────────┼───────────────●─────────────────────┼──────────►
#             ├── distance 0 ─┤───── distance 1 ────┤
#               counts 1-σ(h)        counts σ(h)
# ```
#
# ### What to compute
#
# For each unit, the mean over the $K$ samples of
#
# $$\sum_{z \in \{0, 1\}} p(z \mid h)\,(h - \mu^z)^2
# \qquad\text{with}\qquad p(1 \mid h) = \sigma(h) = \frac{1}{1 + e^{-h}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $h$ | `h` | `(K, D)` | $K$ values of each of $D$ units, before the ReLU |
# | $\mu^0$ | `mu[0]` | `(D,)` | for each unit, the mean of its values when the pattern is absent |
# | $\mu^1$ | `mu[1]` | `(D,)` | for each unit, the mean when the pattern is there |
# | | result | `(D,)` | the penalty of each unit |
#
# This is Eq. A.8 of Robert (2019).
#
# ### What your answer may and may not do
#
# - Loops, one line, `einsum`: all are right if the numbers are.
# - Networks train with it, so its gradient has to reach `h`: through the distances, and through $\sigma(h)$.
# - `h` and `mu` belong to the caller and stay as they are.


# %% task="shade.penalty"
def shade_penalty(h, mu):
    """How far the values of each unit are from their modes.

    Args:
        h: values before the ReLU, (K, D).
        mu: the means of the two modes, (2, D); mu[0] where the pattern is absent, mu[1] where it is there.

    Returns:
        The penalty of each unit, (D,).

    >>> h = torch.tensor([[-1.0, 1.0], [2.0, 1.0]])
    >>> mu = torch.tensor([[-1.0, 0.0], [2.0, 2.0]])
    >>> shade_penalty(h, mu)
    tensor([1.7466, 1.0000])
    """
    ### BEGIN SOLUTION
    q = torch.sigmoid(h)  # (K, D): the probability that the pattern is there
    squares = (1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2  # (K, D)
    return squares.mean(dim=0)
    ### END SOLUTION


# %% check="shade.penalty"
check("shade.penalty", shade_penalty)

# %% [markdown]
# ## Where you are

# %%
progress("shade")
