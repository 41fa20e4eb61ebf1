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
# # Exercises: saliency
#
# Here you write the chapter's method yourself, piece by piece.
#
# Every task has a text, a cell for your answer, and a cell that checks it.
# A check never stops the notebook: it says what is wrong first, and where.
# If you are stuck, run `hint("saliency.contributions")` in a cell of your own; asked again, it says more.
#
# The tasks come in four parts, and each part can be done by itself.
# What you have done is kept on your machine: `progress("saliency")` shows it, here and in the last cell.
#
# | part | what it is about |
# |---|---|
# | A | the framework: extract each location's vote, aggregate it to a number, without a layer to hold on to |
# | B | the methods: six maps from one backward pass, methods that change that pass, layers combined |
# | C | measuring: do two maps agree, does a map care about the class, does it point at the object |
# | D | changing the model: one step towards the class before explaining, and weights drawn anew |

# %%
import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.grading import check, hint, passed, progress

# %% [markdown]
# # Part A: the framework

# %% [markdown] statement="saliency.contributions"
# ### Why
#
# Which pixels matter for what a net says?
# Here is a way to ask that starts from training.
#
# A training step changes weights, by a gradient.
# The weights of a convolution are used at every location of the image, so their gradient is a *sum over
# locations*.
# Each location has a vote on how the weights should change, and the gradient only counts the votes.
#
# ```text
#    x, what enters          g, the gradient at the output          dL/dW, the gradient of the weights
#
#    ┌───┬───┬───┐                ┌───┬───┬───┐
#    │   │ p │   │   patch at u   │   │ g │   │   at u           =   Σ   g  pᵀ   over all locations u
#    └───┴───┴───┘                └───┴───┴───┘                           ▲
#                                                                         └── the vote of u: a matrix
# ```
#
# A location with a large vote matters to the net.
# This is the first of two steps, *extract*: give the votes, before they are summed up.
# The second, *aggregate*, makes one number of each vote; that is for later tasks.
#
# ### What to compute
#
# Three kinds of layers share their weights over the locations.
# For each, the *spatial contribution* of a location $u$ is its summand in the gradient of the weights:
#
# | `kind` | layer | gradient of its weights | contribution of $u$ |
# |---|---|---|---|
# | `"bias"` | $x_{ku} + b_k$ | $\sum_u g_u$ | $g_u$ |
# | `"scaling"` | $\alpha_k\, x_{ku}$ | $\sum_u g_u \odot x_u$ | $g_u \odot x_u$ |
# | `"conv"` | $W p_u$ | $\sum_u g_u\, p_u^\top$ | $g_u\, p_u^\top$ |
#
# where $p_u$ is the patch that the kernel covers when it makes the output at $u$: $K \cdot N^2$ numbers.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | `(B, K, H, W)` | what enters the layer |
# | $g$ | `g` | `(B, K', h, w)` | the gradient at its output; for bias and scaling it has the shape of `x` |
# | $N$ | `kernel_size` | number | of the convolution, which has $N \times N$ weights for each pair of maps |
# | | `stride`, `padding` | numbers | of the convolution; it pads with zeros |
# | | result | `(B, K', h, w)` | bias and scaling: a vector at each location |
# | | result | `(B, K', K·N², h, w)` | conv: a matrix at each location |
#
# The $K \cdot N^2$ numbers of a patch come in the order channel, row, column.
# Then the sum over all images and locations is `layer.weight.grad.flatten(1)`.
#
# These are Eqs. 2 and 3 and Table 1 in Chapter 8 of Rebuffi (2020).
#
# ### What your answer may and may not do
#
# - `torch.nn.functional.unfold` (here `F.unfold`) may help: it lists the patches.
# - A location is one of the *output*: there are $h \times w$ of them, also where stride and padding make that
#   another number than $H \times W$.
# - Every image of the batch has contributions of its own.
# - `x` and `g` belong to the caller and stay as they are.


# %% task="saliency.contributions"
def spatial_contributions(kind, x, g, kernel_size=1, stride=1, padding=0):
    """What each location adds to the gradient of weights that all locations share.

    Args:
        kind: "bias", "scaling" or "conv".
        x: what enters the layer, (B, K, H, W).
        g: the gradient at its output, (B, K', h, w).
        kernel_size, stride, padding: of the convolution.

    Returns:
        (B, K', h, w) for bias and scaling, (B, K', K·N², h, w) for conv.

    >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])  # one image of one map, 1×3 pixels
    >>> g = torch.tensor([[[[1.0, 5.0, -1.0]]]])
    >>> spatial_contributions("scaling", x, g)
    tensor([[[[ 1., 10., -3.]]]])
    >>> layer = nn.Conv2d(1, 1, kernel_size=3, padding=1, bias=False)
    >>> layer(x).backward(g)
    >>> votes = spatial_contributions("conv", x, g, kernel_size=3, padding=1)
    >>> votes.shape
    torch.Size([1, 1, 9, 1, 3])
    >>> torch.allclose(votes.sum(dim=(0, 3, 4)), layer.weight.grad.flatten(1))
    True
    """
    ### BEGIN SOLUTION
    if kind == "bias":
        return g
    if kind == "scaling":
        return g * x
    patches = F.unfold(x, kernel_size, padding=padding, stride=stride)  # (B, K·N², h·w)
    patches = patches.unflatten(2, g.shape[2:])  # (B, K·N², h, w)
    return g[:, :, None] * patches[:, None]
    ### END SOLUTION


# %% check="saliency.contributions"
check("saliency.contributions", spatial_contributions)

# %% [markdown] statement="saliency.normgrad"
# ### Why
#
# The vote of a location in a convolution is a matrix, $g_u\, p_u^\top$.
# To draw a map you need one number for it, and its norm is the simplest: how much does this location ask the
# weights to change, in whatever direction?
# That map is *NormGrad*.
#
# But look at the size of these matrices.
# The last convolutions of VGG16 have 3×3 kernels between 512 maps of 14×14 locations.
# That is 196 matrices of $512 \times 4608$ numbers: nearly two gigabytes for one image.
#
# You do not need a single one of them.
# Each is the product of a column and a row:
#
# ```text
#                   p_u                                     ‖p_u‖
#               ┌───────────┐
#          ┌─┐  │ · · · · · │
#     g_u  │ │  │ · · · · · │   K'·K·N² products            ‖g_u‖ · ‖p_u‖    two norms
#          │ │  │ · · · · · │
#          └─┘  └───────────┘
# ```
#
# ### What to compute
#
# For every location $u$ the norm of its contribution,
#
# $$\mathrm{NG}(u) = \big\| g_u\, p_u^\top \big\|_F = \sqrt{\textstyle\sum_{k', j} (g_{k'u}\, p_{ju})^2}
# = \| g_u \| \, \| p_u \| ,$$
#
# where $p_u$ is the patch that the kernel covers at $u$, with zeros beyond the border.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | `(B, K, H, W)` | what enters the layer |
# | $g$ | `g` | `(B, K', h, w)` | the gradient at its output |
# | $N$ | `kernel_size` | number | of the convolution |
# | | `stride`, `padding` | numbers | of the convolution; it pads with zeros |
# | $\mathrm{NG}$ | result | `(B, 1, h, w)` | the map |
#
# The patch need not be copied out either.
# Its squared norm is a sum over the pixels $v$ that it covers,
#
# $$\| p_u \|^2 = \sum_{v \in \text{patch of } u} \| x_v \|^2 ,$$
#
# that is a *box filter* over the map of $\| x_v \|^2$.
#
# This is row 5 of Table 2 in Chapter 8 of Rebuffi (2020), and with a kernel of 1×1 row 4.
#
# ### What your answer may and may not do
#
# - It makes no matrix $g_u\, p_u^\top$ for all locations at once.
#   The check watches the largest tensor that is made meanwhile.
#   Patches, as `F.unfold` gives them, are allowed.
# - `x` and `g` belong to the caller and stay as they are.
# - No gradient is asked for: a map is something to look at.


# %% task="saliency.normgrad"
def normgrad(x, g, kernel_size=1, stride=1, padding=0):
    """The norm of what each location adds to the gradient of a convolution's weights.

    Args:
        x: what enters the layer, (B, K, H, W).
        g: the gradient at its output, (B, K', h, w).
        kernel_size, stride, padding: of the convolution.

    Returns:
        The map, (B, 1, h, w).

    >>> x = torch.tensor([3.0, 0.0, 4.0, 1.0]).reshape(1, 2, 1, 2)  # the columns (3, 4) and (0, 1)
    >>> g = torch.tensor([0.0, 1.0, 2.0, 0.0]).reshape(1, 2, 1, 2)  # the columns (0, 2) and (1, 0)
    >>> normgrad(x, g)
    tensor([[[[10.,  1.]]]])
    >>> normgrad(x, g, kernel_size=3, padding=1)  # both patches hold both columns of x
    tensor([[[[10.1980,  5.0990]]]])
    """
    ### BEGIN SOLUTION
    squares = (x**2).sum(dim=1, keepdim=True)  # (B, 1, H, W)
    box = torch.ones(1, 1, kernel_size, kernel_size).to(x)
    patches = F.conv2d(squares, box, stride=stride, padding=padding)  # ‖p_u‖², (B, 1, h, w)
    return g.norm(dim=1, keepdim=True) * patches.sqrt()
    ### END SOLUTION


# %% check="saliency.normgrad"
check("saliency.normgrad", normgrad)

# %% [markdown] statement="saliency.aggregate"
# ### Why
#
# A saliency map has two dials.
# *Extract*: which layer do you imagine, so that locations have votes?
# *Aggregate*: how do you make one number of a vote?
#
# Many methods that were published one by one are positions of these two dials.
#
# | | sum | filter and norm | norm | max |
# |---|---|---|---|---|
# | bias | gradient, summed | | | gradient, nearly |
# | scaling | linear approximation | selective NormGrad | | |
# | conv 1×1, 3×3 | | | NormGrad | |
#
# The empty cells are methods too; only nobody had named them.
# In this task you write all of them.
#
# Here $x$ and $g$ belong to the same tensor, the output of some layer.
# The layer that is imagined is an identity behind it, which changes nothing, so it keeps the size:
# a convolution of $N \times N$ pads with $(N - 1) / 2$ zeros on every side.
#
# ### What to compute
#
# First the contribution of each location $u$: with $p_u$ the $N \times N$ patch of $x$ around $u$,
#
# $$\text{bias:}\; g_u \qquad \text{scaling:}\; g_u \odot x_u \qquad \text{conv:}\; g_u\, p_u^\top .$$
#
# Then one number, from all its entries $v$:
#
# | `how` | number |
# |---|---|
# | `"sum"` | $\sum v$ |
# | `"filter_norm"` | $\sqrt{\sum (v_+)^2}$, with $v_+ = \max(v, 0)$: the votes *for* the class only |
# | `"norm"` | $\sqrt{\sum v^2}$ |
# | `"max"` | the largest entry, with its sign |
#
# For bias and scaling the contribution is a vector, and you can write this down as it stands.
# For a convolution it is a matrix with $K \cdot K N^2$ entries, and you are to do without it.
# Each aggregation of $g_u\, p_u^\top$ follows from a few numbers of $g_u$ and of $p_u$.
# NormGrad is the simplest case, $\|g_u\|\,\|p_u\|$.
# Find the other three.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `kind` | text | `"bias"`, `"scaling"` or `"conv"` |
# | | `how` | text | `"sum"`, `"filter_norm"`, `"norm"` or `"max"` |
# | $x$ | `x` | `(B, K, h, w)` | activations |
# | $g$ | `g` | `(B, K, h, w)` | the gradient of the class score in them |
# | $N$ | `kernel_size` | number | odd; only for `"conv"` |
# | | result | `(B, 1, h, w)` | the map |
#
# The grid is that of §3.1.3 in Chapter 8 of Rebuffi (2020) and of the code that goes with it.
# The source gives the closed form for the norm alone.
# It prints the gradient of Simonyan et al. (2014) as a max, and means the largest size $|v|$.
# This grid has the plain max.
#
# ### What your answer may and may not do
#
# - It makes no matrix $g_u\, p_u^\top$ for all locations at once; the check watches that.
#   Patches, as `F.unfold` gives them, are allowed.
# - Activations can be negative, before a ReLU for example, and gradients anyway.
# - Beyond the border the patch holds zeros, and they are entries like all others.
# - `x` and `g` belong to the caller and stay as they are.


# %% task="saliency.aggregate"
def aggregate(kind, how, x, g, kernel_size=1):
    """One number for each location, out of its contribution to the gradient of an imagined identity.

    Args:
        kind: the identity, "bias", "scaling" or "conv".
        how: "sum", "filter_norm", "norm" or "max".
        x: activations, (B, K, h, w).
        g: the gradient in them, (B, K, h, w).
        kernel_size: of the convolution, odd.

    Returns:
        The map, (B, 1, h, w).

    >>> x = torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1)
    >>> g = torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1)
    >>> ways = "sum", "filter_norm", "norm", "max"
    >>> [round(aggregate("scaling", how, x, g).item(), 4) for how in ways]  # of (3, 2)
    [5.0, 3.6056, 3.6056, 3.0]
    >>> [round(aggregate("conv", how, x, g).item(), 4) for how in ways]  # of (3, -6) over (-1, 2)
    [-2.0, 3.6056, 7.0711, 3.0]
    """
    ### BEGIN SOLUTION
    ways = {
        "sum": lambda v: v.sum(dim=1, keepdim=True),
        "filter_norm": lambda v: v.relu().norm(dim=1, keepdim=True),
        "norm": lambda v: v.norm(dim=1, keepdim=True),
        "max": lambda v: v.amax(dim=1, keepdim=True),
    }
    way = ways[how]
    if kind == "bias":
        return way(g)
    if kind == "scaling":
        return way(g * x)
    p = F.unfold(x, kernel_size, padding=kernel_size // 2).unflatten(2, g.shape[2:])  # (B, K·N², h, w)
    if how == "filter_norm":
        # A product is positive where both factors are, and where neither is.
        both, neither = way(g) * way(p), way(-g) * way(-p)
        return (both**2 + neither**2).sqrt()
    if how == "max":
        # The largest product is one of the ends of g with one of the ends of p.
        products = [end_g * end_p for end_g in (way(g), -way(-g)) for end_p in (way(p), -way(-p))]
        return way(torch.cat(products, dim=1))
    return way(g) * way(p)
    ### END SOLUTION


# %% check="saliency.aggregate"
check("saliency.aggregate", aggregate)

# %% [markdown] statement="saliency.virtual_identity"
# ### Why
#
# Locations have votes where a layer shares weights over them.
# But you may want a map where there is no such layer: behind a ReLU, or at the image itself.
#
# So imagine one.
# Behind the ReLU put a layer that changes nothing.
# It adds 0, or multiplies with 1, or convolves with a kernel that is 1 in its middle.
# The net computes what it computed before.
# Yet this layer *has* weights, and they have a gradient, and the gradient is a sum of votes.
#
# ```text
#             ┌──────┐    x    ┌──────────┐    x    ┌─────────────┐
#   image ───►│ relu ├────────►│ identity ├────────►│ rest of net ├───► class score
#             └──────┘         └──────────┘         └─────────────┘
#                                    ▲         g = d score / d x
#                                    │
#                          d score / d weight = Σ_u vote of u,  made of x and g
# ```
#
# Now look at what the votes are made of: $x$ and $g$, and both are there without the layer.
# So nobody ever has to put it in.
# In this task you do, once, to see that it is true; and then you do without.
#
# ### What to compute
#
# Write a class with two methods.
#
# **`insert()`** puts the identity behind the layer for real.
# It gives back two things: a net with the identity in it, and the weight of the identity.
# The weight is a parameter of that net.
#
# | `kind` | the identity makes of $x$ | weight | shape |
# |---|---|---|---|
# | `"bias"` | $x_{ku} + b_k$ | $b_k = 0$ | `(K,)` |
# | `"scaling"` | $\alpha_k\, x_{ku}$ | $\alpha_k = 1$ | `(K,)` |
# | `"conv"` | an $N \times N$ convolution of $x$ with $w$ | $w_{kk'ij} = 0$ or 1 | `(K, K, N, N)` |
#
# The kernel is 1 where $k = k'$ and $(i, j)$ is its middle, and 0 elsewhere.
# The convolution pads with $(N - 1) / 2$ zeros on every side, so that the size stays.
# The identity has this weight and no other.
#
# **`contributions(images, y)`** gives the votes, from the model as it is.
# With $x$ the output of the layer, $g$ the gradient in $x$ of the score, and $p_u$ the $N \times N$ patch of
# $x$ around $u$, these are
#
# $$\text{bias:}\; g_u \qquad \text{scaling:}\; g_u \odot x_u \qquad \text{conv:}\; g_u\, p_u^\top .$$
#
# The score of an image is the *logit* of its class, `model(images)[b, y[b]]`.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `model` | | a net in evaluation mode, images to logits `(B, C)` |
# | | `layer` | text | a dotted name, as `model.get_submodule(layer)` takes it |
# | $K$ | `channels` | number | channels that the layer gives out |
# | $N$ | `kernel_size` | number | odd; only for `"conv"` |
# | | `images` | `(B, 2, H, W)` | |
# | | `y` | `(B,)` | the class to explain, of each image |
# | | contributions | `(B, K, h, w)` | for bias and scaling |
# | | contributions | `(B, K, K·N², h, w)` | for conv; a patch lists channel, row, column |
#
# This is §3.1.2 in Chapter 8 of Rebuffi (2020).
#
# ### How your answer is tried
#
# The net from `insert()` is run, and the gradient of its weight taken.
# Then other numbers are written into the weight, and it is run again: an identity that is really there shows.
# After that, `contributions` is asked for.
#
# ### What your answer may and may not do
#
# - The model belongs to the caller.
#   Afterwards it has no hook and no layer more than before, the same weights, mode and `requires_grad`,
#   and no gradient in any `.grad`.
# - Most of the ReLUs work in place: they write into the tensor that the layer before them gives out.
#   If you keep that tensor, keep a copy.
# - The layer may be the first, with the image as its output, and a model may be frozen.
#   Then the output of the layer does not depend on anything that needs a gradient.
#   A fresh tensor in its place does not mind.


# %% task="saliency.virtual_identity"
class VirtualIdentity:
    """An identity with shared weights behind a layer of a net: put in for real, or only imagined.

    Args:
        model: a net in evaluation mode, images to logits (B, C).
        layer: the name of the layer that it stands behind.
        kind: "bias", "scaling" or "conv".
        channels: how many the layer gives out, K.
        kernel_size: of the convolution, odd.

    >>> model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, bias=False))
    >>> model[2].weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 0.0, 1.0]])
    >>> image, y = torch.tensor([[[[5.0, -5.0], [1.0, 2.0]]]]), torch.tensor([0])
    >>> virtual = VirtualIdentity(model, layer="0", kind="scaling", channels=1)
    >>> virtual.contributions(image, y)  # x is 5, 0, 1, 2, and g is 1, 2, 3, 4
    tensor([[[[5., 0.],
              [3., 8.]]]])
    >>> net, weight = virtual.insert()
    >>> torch.equal(net(image), model(image))
    True
    >>> torch.autograd.grad(net(image)[0, y].sum(), weight)
    (tensor([16.]),)
    """

    def __init__(self, model, layer, kind, channels, kernel_size=3):
        ### BEGIN SOLUTION
        self.model, self.layer, self.kind = model, layer, kind
        self.channels, self.kernel_size = channels, kernel_size
        ### END SOLUTION

    def insert(self):
        """A net with the identity in it, and the identity's weight."""
        ### BEGIN SOLUTION
        K, N = self.channels, self.kernel_size
        weight = torch.ones(K) if self.kind == "scaling" else torch.zeros(K)
        if self.kind == "conv":
            weight = torch.zeros(K, K, N, N)
            weight[range(K), range(K), N // 2, N // 2] = 1
        weight = nn.Parameter(weight.to(next(self.model.parameters())))

        def identity(module, inputs, x):
            if self.kind == "conv":
                return F.conv2d(x, weight, padding=N // 2)
            return x + weight[:, None, None] if self.kind == "bias" else x * weight[:, None, None]

        net = copy.deepcopy(self.model)
        place = net.get_submodule(self.layer)
        place.register_parameter("identity", weight)
        place.register_forward_hook(identity)
        return net, weight
        ### END SOLUTION

    def contributions(self, images, y):
        """What each location adds to the gradient of the weight: (B, K, h, w) or (B, K, K·N², h, w)."""
        ### BEGIN SOLUTION
        seen = []

        def look(module, inputs, output):
            # A fresh tensor has a gradient whatever came before it; its copy is what a ReLU may write into.
            seen.append(output.detach().clone().requires_grad_())
            return seen[0].clone()

        handle = self.model.get_submodule(self.layer).register_forward_hook(look)
        logits = self.model(images)
        handle.remove()
        score = logits[range(len(y)), y].sum()
        (g,) = torch.autograd.grad(score, seen)
        x = seen[0].detach()
        if self.kind == "bias":
            return g
        if self.kind == "scaling":
            return g * x
        patches = F.unfold(x, self.kernel_size, padding=self.kernel_size // 2).unflatten(2, x.shape[2:])
        return g[:, :, None] * patches[:, None]
        ### END SOLUTION


# %% check="saliency.virtual_identity"
check("saliency.virtual_identity", VirtualIdentity)

# %% [markdown]
# # Part B: the methods

# %% [markdown] statement="saliency.maps"
# ### Why
#
# There are many saliency methods, each with a paper of its own.
# Seen from here they are one: take what a layer gives, take the gradient that arrives there,
# and make one number
# for each location of the two.
#
# ```text
#   image ──► ... ──► layer ──► x ──► ... ──► logits ──► the logit of class y
#                               │                               │
#                               g  ◄──────── gradient ──────────┘
#
#                       x, g  ──►  one number for each location  ──►  map
# ```
#
# So you write the six best known of them in one function.
# Half of the work is to get $x$ and $g$, cleanly, at any layer of any model.
#
# ### What to compute
#
# $x$ is the output of the layer, and $g$ is the gradient of the *logit* of the class $y$ with respect to it.
# For several images, that is the gradient of the sum of their logits, each for its own class.
# At a location $u$ let $x_u$ and $g_u$ be the vectors of the $K$ channels there:
#
# | `method` | map at $u$ | |
# |---|---|---|
# | `"gradient"` | $\max_k \lvert g_{ku} \rvert$ | Simonyan et al. (2014) |
# | `"linear_approximation"` | $\sum_k g_{ku}\, x_{ku}$ | also called gradient × input |
# | `"grad_cam"` | $\big( \sum_k \bar g_k\, x_{ku} \big)_+$ | Selvaraju et al. (2017) |
# | `"cam"` | $\sum_k w_{yk}\, x_{ku}$, with $w_{yk}$ the weights of `model.head` | Zhou et al. (2016) |
# | `"normgrad"` | $\lVert g_u \rVert\, \lVert x_u \rVert$ | Rebuffi et al. (2020) |
# | `"selective_normgrad"` | $\lVert (g_u \odot x_u)_+ \rVert$ | Rebuffi et al. (2020) |
#
# $(\cdot)_+$ sets negative numbers to 0, and norms are Euclidean.
# $\bar g_k$ is the mean of $g_{ku}$ over the locations.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `model` | | maps images to logits `(B, classes)` |
# | | `x` | `(B, C, H, W)` | images |
# | $y$ | `y` | `(B,)` | the class that is explained for each image |
# | | `layer` | text or None | a dotted name, such as `"body.relu2"`; None is the image itself |
# | $x$ | | `(B, K, h, w)` | the output of the layer |
# | $g$ | | `(B, K, h, w)` | the gradient there |
# | | result | `(B, 1, h, w)` | the map, as large as the layer |
#
# These are the rows of Table 2 in Chapter 8 of Rebuffi (2020), and CAM and Grad-CAM from its text.
# Row 1 is printed there without the bars; its text has them.
#
# ### Why the logit?
#
# The source writes the gradient of the whole loss.
# For the maps that look at the sign this is a trap: with the cross-entropy, $g$ has about the opposite sign,
# and the map shows what speaks *against* the class.
# A probability is no better, because it falls when another class rises.
#
# ### What your answer may and may not do
#
# - `"cam"` is only asked for where nothing but a global average pooling and `model.head`, an `nn.Linear`,
# follow.
# - A ReLU after the layer may work *in place*: it writes into the very tensor that the layer has given.
#   The map is one of what the layer gave, so a hook had better keep it and hand on a clone.
# - Batch norm must not let the images of a batch influence each other.
# - The model is somebody else's and in the midst of training.
#   Its modes (each module has one), its `requires_grad`,
# its `.grad` and its hooks are afterwards what they were.
#   Perhaps none of its parameters needs a gradient.
# - `x` belongs to the caller too; the map does not hold on to a graph.
#
# The layers of the nets that the check hands over are `body.conv1`, `body.norm1`, `body.relu1`, `body.pool1`
# and so on, and `head`.


# %% task="saliency.maps"
def saliency_map(model, x, y, layer, method):
    """A saliency map at a layer.

    Args:
        model: maps images to logits; its last layer is model.head.
        x: images, (B, C, H, W).
        y: the class to explain for each image, (B,).
        layer: the dotted name of a layer, or None for the image.
        method: "gradient", "linear_approximation", "grad_cam", "cam", "normgrad" or "selective_normgrad".

    Returns:
        The maps, (B, 1, h, w).

    >>> model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2))
    >>> with torch.no_grad():
    ...     model[0].weight[:], model[0].bias[:] = 2.0, 0.0
    ...     model[3].weight[0] = torch.tensor([1.0, -3.0])  # the class 0
    >>> x, y = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([0])
    >>> saliency_map(model, x, y, "1", "gradient")  # "1" is the ReLU
    tensor([[[[1., 3.]]]])
    >>> saliency_map(model, x, y, "1", "linear_approximation")
    tensor([[[[  2., -12.]]]])
    >>> saliency_map(model, x, y, None, "normgrad")
    tensor([[[[ 2., 12.]]]])
    """
    ### BEGIN SOLUTION
    kept = []

    def keep(module, inputs, output):
        kept.append(output)
        return output.clone()  # Why: what follows may write into it in place

    image = x.detach().clone().requires_grad_()
    hooks = []
    if layer is None:
        kept.append(image)
    else:
        hooks.append(model.get_submodule(layer).register_forward_hook(keep))
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    logits = model(image)
    for module, mode in modes:
        module.training = mode
    for hook in hooks:
        hook.remove()
    score = logits.gather(1, y[:, None]).sum()
    (g,) = torch.autograd.grad(score, kept[0])
    x = kept[0].detach()

    if method == "gradient":
        return g.abs().amax(dim=1, keepdim=True)
    if method == "linear_approximation":
        return (g * x).sum(dim=1, keepdim=True)
    if method == "grad_cam":
        return (g.mean(dim=(2, 3), keepdim=True) * x).sum(dim=1, keepdim=True).relu()
    if method == "cam":
        weights = model.head.weight.detach()[y]  # (B, K)
        return (weights[:, :, None, None] * x).sum(dim=1, keepdim=True)
    if method == "normgrad":
        return g.norm(dim=1, keepdim=True) * x.norm(dim=1, keepdim=True)
    return (g * x).relu().norm(dim=1, keepdim=True)
    ### END SOLUTION


# %% check="saliency.maps"
check("saliency.maps", saliency_map)

# %% [markdown]
# ### Three maps that are one
#
# Below a global average pooling every location gets the same gradient, $g_{ku} = w_{yk} / |\Omega|$ with
# $|\Omega|$ locations.
# Then Grad-CAM is the linear approximation with a ReLU, CAM is $|\Omega|$ times the linear approximation,
# the gradient map is a constant, and NormGrad is $\lVert x_u \rVert$ but for a factor: the same for every
# class.
# Anywhere else they are four different maps.

# %% [markdown] statement="saliency.modified_relu"
# ### Why
#
# Some methods are not content with the gradient.
# They change what a ReLU lets back, and the pictures become crisp.
#
# ```text
#     z, what went in            1   -2    3   -4
#     forward, max(z, 0)         1    0    3    0
#
#     p, what comes back         5    6   -7   -8
#     gradient                   5    ·   -7    ·      where z > 0
#     deconvnet                  5    6    ·    ·      where p > 0
#     guided                     5    ·    ·    ·      where both
# ```
#
# A crisp picture is not yet a faithful one.
# Guided backpropagation shows edges of the image, nearly the same for every class,
# and the chapter measures it.
#
# ### What to compute
#
# Forward both rules are an ordinary ReLU, $\max(z, 0)$.
# When a signal $p$ arrives at the output, what goes back to $z$ is
#
# $$\text{guided:}\quad p \cdot \mathbf 1[z > 0] \cdot \mathbf 1[p > 0] , \qquad
# \text{deconvnet:}\quad p \cdot \mathbf 1[p > 0] .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $z$ | `z` | any | the input |
# | | `rule` | text | `"guided"` or `"deconvnet"` |
# | | result | as `z` | $\max(z, 0)$ |
# | $p$ | | as `z` | the signal that arrives at the result |
#
# The deconvnet is that of Zeiler and Fergus (2014),
# guided backpropagation that of Springenberg et al. (2015);
# §2.5.1 of Rebuffi (2020) names both.
#
# ### How another signal goes back
#
# Autograd derives the signal from the output, so here you have to overrule it.
# A `torch.autograd.Function` with a `forward` and a `backward` of its own does that.
# So does a hook on a tensor, `out.register_hook(...)`, which may change the signal that passes.
#
# ### What your answer may and may not do
#
# - A net has many ReLUs, and all of them run before the first signal comes back.
#   What a call needs to know later belongs to this call: `ctx.save_for_backward` keeps it.
# - Where $z$ is exactly 0 the ReLU is silent.
# - `z` belongs to the layer before and is not written into.


# %% task="saliency.modified_relu"
def modified_relu(z, rule):
    """A ReLU that lets another signal back than its gradient.

    Args:
        z: numbers, of any shape.
        rule: "guided" or "deconvnet".

    Returns:
        max(z, 0), of the same shape.

    >>> z = torch.tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
    >>> p = torch.tensor([5.0, 6.0, -7.0, -8.0])
    >>> out = modified_relu(z, "guided")
    >>> out.detach()
    tensor([1., 0., 3., 0.])
    >>> (out * p).sum().backward()  # sends p back
    >>> z.grad
    tensor([5., 0., 0., 0.])
    >>> z.grad = None
    >>> (modified_relu(z, "deconvnet") * p).sum().backward()
    >>> z.grad
    tensor([5., 6., 0., 0.])
    """

    ### BEGIN SOLUTION
    class Modified(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(ctx, p):
            (z,) = ctx.saved_tensors
            passes = p > 0
            if rule == "guided":
                passes = passes & (z > 0)
            return torch.where(passes, p, torch.zeros_like(p))

    return Modified.apply(z)
    ### END SOLUTION


# %% check="saliency.modified_relu"
check("saliency.modified_relu", modified_relu)

# %% [markdown] statement="saliency.excitation"
# ### Why
#
# A gradient says what would happen if an input changed.
# *Excitation backprop* asks something else: who has done it?
#
# Imagine one unit of credit at the logit of a class.
# It is handed down, layer by layer, and each unit shares what it got among those that excited it,
# in proportion
# to what they contributed.
# Nothing is lost on the way: at every depth the credits add up to 1, like probabilities.
#
# ```text
#                        logit of the class          p = 1
#                       ╱         │        ╲
#           w x =      3        -2          1        what each has contributed
#                      ▼                    ▼
#           p' =      3/4         0        1/4       only those that excite have a share
# ```
#
# Its weak spot is that it hardly sees the class: the share of a unit depends on how active it is, and on the
# class only in the last layer.
# The *contrastive* variant subtracts the credit of "everything but this class", for which all weights of the
# classifier are turned round.
#
# ### What to compute
#
# The net is a list of layers that run one after the other.
# Send the signal $p$ from the top down to the output of `layers[stop]`:
#
# | layer | signal at its input |
# |---|---|
# | `nn.Linear`, `nn.Conv2d` | $p'_j = x_j \sum_i w^+_{ij}\, p_i \,/\, \sum_k w^+_{ik}\, x_k$ |
# | `nn.AvgPool2d` | the same; its weights are all equal |
# | `nn.MaxPool2d` | $p$ of each window goes to its largest input, as a gradient does |
# | `nn.ReLU`, `nn.BatchNorm2d` | $p' = p$ |
# | `nn.Flatten` | the same numbers, in the shape of its input |
#
# $x$ is what went into the layer, and $w^+ = \max(w, 0)$; the bias plays no part.
# Where the divisor is 0 there is no share: put 0.
# At the top $p$ is 1 at the class $y$ and 0 at all others.
#
# *Contrastive:* send the signal through the last layer twice, with its weights $w$, which gives $p$, and with
# $-w$ in their place, which gives $\tilde p$.
# What goes on from there is $p - \tilde p$, and it may be negative.
#
# The map is the sum of the signal over the channels; a contrastive one has its negative values set to 0.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `layers` | a list | modules of the kinds above; the last is an `nn.Linear` |
# | | `x` | `(B, C, H, W)` or `(B, D)` | images, or samples for a net of linear layers |
# | $y$ | `y` | `(B,)` | the class for each sample |
# | | `stop` | number | the signal is that at the output of `layers[stop]` |
# | | `contrastive` | bool | False where it is not given |
# | $p$ | first result | as that output | the signal |
# | | second result | `(B, 1, h, w)` or `(B, 1)` | the map |
#
# This is the method of Zhang et al. (2016), which Rebuffi (2020) compares with and does not write out.
#
# ### Three layers, one rule
#
# Written with whole tensors the rule for layers that sum is
#
# $$p' = x \odot f^\top\!\big( p \oslash f(x) \big) ,$$
#
# with $f$ the layer with $w^+$ and without bias, and $\oslash$ division.
# $f^\top$ is the transposed layer, and you need not write it: it is what autograd does.
# If `z = f(x)`, the gradient of `(z * r).sum()` with respect to `x` is $f^\top(r)$, where `r` is a constant.
#
# ### What your answer may and may not do
#
# - The layers are in the midst of training.
#   Run them in evaluation mode; each has afterwards the mode that it had.
# - Their weights stay as they are, and so does `.grad`.
# - A ReLU may work in place, so keep a copy of what enters a layer.
# - What a layer sums is never negative, but for the first layer, and the signal stops before that one.
# - The results do not hold on to a graph.


# %% task="saliency.excitation"
def excitation_backprop(layers, x, y, stop, contrastive=False):
    """Hand the credit for a class down through a list of layers.

    Args:
        layers: modules that run one after the other.
        x: samples, (B, C, H, W) or (B, D).
        y: the class for each sample, (B,).
        stop: the number of the layer at whose output to stop.
        contrastive: whether to subtract the credit of the negated classifier.

    Returns:
        The signal at the output of layers[stop], and its map, (B, 1, h, w) or (B, 1).

    >>> layers = [nn.ReLU(), nn.Linear(3, 2)]
    >>> with torch.no_grad():
    ...     layers[1].weight[1] = torch.tensor([3.0, -2.0, 0.5])
    >>> x, y = torch.tensor([[1.0, 1.0, 2.0]]), torch.tensor([1])
    >>> excitation_backprop(layers, x, y, stop=0)
    (tensor([[0.7500, 0.0000, 0.2500]]), tensor([[1.]]))
    >>> excitation_backprop(layers, x, y, stop=0, contrastive=True)
    (tensor([[ 0.7500, -1.0000,  0.2500]]), tensor([[0.]]))
    """
    ### BEGIN SOLUTION
    modes = [layer.training for layer in layers]
    entering = []
    with torch.no_grad():
        for layer in layers:
            entering.append(x.clone())  # Why a copy: a ReLU may write into it
            x = layer.eval()(x)
    for layer, mode in zip(layers, modes):
        layer.training = mode

    def summed(layer, x, sign):
        """The layer with positive weights only, of w or of -w, and without bias."""
        if isinstance(layer, nn.AvgPool2d):
            return layer(x)
        w = (sign * layer.weight.detach()).clamp(min=0)
        if isinstance(layer, nn.Linear):
            return F.linear(x, w)
        return F.conv2d(x, w, stride=layer.stride, padding=layer.padding)

    def down(n, p, sign=1):
        """From the output of a layer to its input."""
        layer, x = layers[n], entering[n].clone().requires_grad_()
        if isinstance(layer, nn.MaxPool2d):
            return torch.autograd.grad((layer(x) * p).sum(), x)[0]
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.AvgPool2d)):
            z = summed(layer, x, sign)
            ratio = torch.where(z > 0, p / z, torch.zeros_like(z)).detach()
            return x.detach() * torch.autograd.grad((z * ratio).sum(), x)[0]
        return p.reshape(x.shape)

    p = F.one_hot(y, x.shape[1]).to(x)
    last = len(layers) - 1
    against = down(last, p, sign=-1)
    p = down(last, p)
    if contrastive:
        p = p - against
    for n in range(last - 1, stop, -1):
        p = down(n, p)
    total = p.sum(dim=1, keepdim=True)
    return p, total.clamp(min=0) if contrastive else total
    ### END SOLUTION


# %% check="saliency.excitation"
check("saliency.excitation", excitation_backprop)

# %% [markdown]
# ### Does it matter where one subtracts?
#
# The literature names a *contrast layer*, at whose output $\tilde p$ is subtracted: the last hidden layer
# of a
# VGG net, the average pooling of a ResNet.
# But look at the rules: once the net has run, each of them is linear in $p$.
# So the signal is the same wherever you subtract, and even if both run down to the end; only the work
# differs.
# What is not linear is the clamp.
# Just below the classifier it would undo the contrast altogether: there a unit has either $p$ or $\tilde p$,
# because its weight is either positive or negative.

# %% [markdown] statement="saliency.combine"
# ### Why
#
# A map can be made at any layer, and the layers know different things.
#
# ```text
#   layer        early               middle               late
#   map          28×28               14×14                7×7
#   knows        where edges are     parts                what it is
#   does not     what it is          this or that         where exactly
# ```
#
# An early map is sharp and blind to the class.
# A late one is aware of the class and blurred.
# All of them come from one backward pass, so nothing but a line of code keeps you from using them together.
#
# Two ways offer themselves.
# A weighted *sum* shows a place that some layer finds important.
# A weighted *product* shows a place that all of them do.
#
# ### What to compute
#
# Bring every map to one size and one range:
#
# 1. enlarge it to $(H, W)$, bilinearly, with `align_corners=False`;
# 2. then shift and scale it so that its smallest value is 0 and its largest 1.
#
# Each map of each image has a range of its own.
# A map that is the same everywhere, say 0 because no unit was active, becomes 0 everywhere.
#
# Divide the weights by their sum, $\gamma_j = w_j / \sum_i w_i$.
# Then combine the maps $m_j$ of the $J$ layers:
#
# $$M_{\text{sum}} = \sum_j \gamma_j\, m_j , \qquad M_{\text{product}} = \prod_j m_j^{\gamma_j} .$$
#
# Both lie between 0 and 1, and the product never above the sum.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `maps` | a list of `(B, 1, h_j, w_j)` | the map of each layer, any size, values of any sign |
# | $w$ | `weights` | `(J,)` | how much each layer counts; none is negative, not all are 0 |
# | $(H, W)$ | `size` | two numbers | the size of the result |
# | | `mode` | text | `"sum"` or `"product"` |
# | $M$ | result | `(B, 1, H, W)` | the combined map |
#
# These are the formulas of §4.2 in Chapter 8 of Rebuffi (2020).
# The text does not say that the maps are brought to one range first.
# The code that goes with it does, and without it the layer with the largest values decides alone.
#
# ### What your answer may and may not do
#
# - A layer with the weight 0 does not count, in the product either: $0^0$ is 1, as torch has it.
# - An image has the same map in whatever batch it comes.
# - What you are given stays as it is.


# %% task="saliency.combine"
def combine(maps, weights, size, mode="sum"):
    """The maps of several layers in one.

    Args:
        maps: a list with the map of each layer, (B, 1, h_j, w_j).
        weights: how much each layer counts, (J,).
        size: (H, W) of the result.
        mode: "sum" or "product".

    Returns:
        The combined map, (B, 1, H, W), from 0 to 1.

    >>> early = torch.tensor([[[[0.0, 2.0], [4.0, 8.0]]]])
    >>> late = torch.tensor([[[[-1.0, 1.0], [-1.0, -1.0]]]])
    >>> combine([early, late], torch.tensor([1.0, 3.0]), (2, 2))
    tensor([[[[0.0000, 0.8125],
              [0.1250, 0.2500]]]])
    >>> combine([early, late], torch.tensor([1.0, 3.0]), (2, 2), mode="product")
    tensor([[[[0.0000, 0.7071],
              [0.0000, 0.0000]]]])
    """
    ### BEGIN SOLUTION
    gammas = weights / weights.sum()
    layers = []
    for m in maps:
        m = F.interpolate(m, size, mode="bilinear", align_corners=False)  # (B, 1, H, W)
        m = m - m.amin(dim=(2, 3), keepdim=True)
        largest = m.amax(dim=(2, 3), keepdim=True)  # (B, 1, 1, 1)
        layers.append(m / largest.masked_fill(largest == 0, 1))
    if mode == "sum":
        return sum(gamma * m for gamma, m in zip(gammas, layers))
    return math.prod(m**gamma for gamma, m in zip(gammas, layers))
    ### END SOLUTION


# %% check="saliency.combine"
check("saliency.combine", combine)

# %% [markdown]
# # Part C: measuring

# %% [markdown] statement="saliency.spearman"
# ### Why
#
# Two maps lie before you, and you want to know whether they say the same.
# Their values cannot be compared.
# One method gives gradients of a millionth, another one products of hundreds, and nobody asked for a unit.
# What a map is read for is its *order*: this place matters more than that one.
#
# So replace each value by its rank and correlate the ranks.
# This is Spearman's correlation.
# It is 1 if both maps order all places alike and -1 if they order them in opposite ways.
# It is about 0 if they have nothing to do with each other.
#
# One thing makes it less simple than it sounds.
# Many maps pass a ReLU, and after that half of their places are 0.
#
# ```text
#    a map                 ranks by position            ranks that are shared
#
#    0   0   3              1   2   6                    2.5  2.5   6
#    0   1   0              3   5   4                    2.5   5   2.5
# ```
#
# All zeros are equal, so no order of them is right.
# To number them as they stand writes the order of the places into the ranks, in both maps alike.
# Then two maps seem to agree because both are empty.
#
# ### What to compute
#
# The $n = hw$ values of a map get ranks from 1 to $n$.
# Equal values share the mean of the ranks that they take up together:
#
# $$\text{rank}(v) = \#\{\text{values} < v\} + \tfrac12 \bigl(\#\{\text{values} = v\} + 1\bigr) .$$
#
# With $p$ and $q$ the ranks in both maps, and bars for their means,
#
# $$\rho = \frac{\sum_u (p_u - \bar p)(q_u - \bar q)}
# {\sqrt{\sum_u (p_u - \bar p)^2 \, \sum_u (q_u - \bar q)^2}} .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `a`, `b` | `(B, 1, h, w)` | the maps; those with the same number are a pair |
# | $\rho$ | result | `(B,)` | the correlation of each pair |
#
# The source names a correlation of maps in Chapter 8, §4.3, and not which one.
# The rank correlation is that of the authors' experiments.
#
# ### What your answer may and may not do
#
# - A map that is constant has no order.
#   Then $\rho$ is `NaN`, as 0 / 0 is by itself: not 0, which would say that the maps have been compared.
# - Each pair is ranked by itself, over all its places.
# - The signs of the maps count.
# - `a` and `b` belong to the caller and stay as they are.


# %% task="saliency.spearman"
def spearman(a, b):
    """Spearman's rank correlation of each pair of maps.

    Args:
        a: maps, (B, 1, h, w).
        b: maps of the same shape.

    Returns:
        (B,), NaN where a map is constant.

    >>> a = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0], [4.0, 4.0, 4.0]]).reshape(3, 1, 1, 3)
    >>> b = torch.tensor([[1.0, 9.0, 8.0], [2.0, 1.0, 7.0], [1.0, 2.0, 3.0]]).reshape(3, 1, 1, 3)
    >>> rho = spearman(a, b)
    >>> [round(each, 4) for each in rho.tolist()]
    [0.5, 0.866, nan]
    """

    ### BEGIN SOLUTION
    def centred_ranks(maps):
        v = maps.flatten(1)  # (B, n)
        ordered = v.sort(dim=1).values
        below = torch.searchsorted(ordered, v)  # how many are smaller
        up_to = torch.searchsorted(ordered, v, right=True)  # and how many are not larger
        # The rank is (below + up_to + 1) / 2, and its mean (n + 1) / 2; a factor of 2 makes no difference.
        return (below + up_to - v.shape[1]).double()

    p, q = centred_ranks(a), centred_ranks(b)
    return (p * q).sum(dim=1) / (p.square().sum(dim=1) * q.square().sum(dim=1)).sqrt()
    ### END SOLUTION


# %% check="saliency.spearman"
check("saliency.spearman", spearman)

# %% [markdown] statement="saliency.class_sensitivity"
# ### Why
#
# Ask a net for the dog in the picture, then for the black widow, which is not there.
# If both maps look the same, the method has not listened to the question.
# It shows what is in the picture, perhaps nicely, but not why the net says "dog".
#
# ```text
#                        ┌── c_max, the most likely class ────► map ──┐
#     image ──► net ─────┤                                            ├──► how alike?
#                        └── c_min, the least likely class ───► map ──┘
#
#        +1   the same map twice: the method does not see the class
#         0   as it should be
#        -1   the same map upside down: it sees only the sign
# ```
#
# ### What to compute
#
# For each image $i$ let $c_{\max}$ be the class of the largest logit and $c_{\min}$ that of the smallest.
# Compare the maps of both with the `spearman` that you wrote before:
#
# $$\rho_i = \text{Spearman}\bigl(m(x_i, c_{\max}),\ m(x_i, c_{\min})\bigr) .$$
#
# Return the mean of $\rho_i$ over the images for which it is a number, and how many these are.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $m$ | `fn` | | a method: `fn(model, x, y)` gives maps `(B, 1, h, w)` for the classes `y`, `(B,)` |
# | | `model` | | a network in evaluation mode: `model(x)` gives logits `(B, K)` |
# | $x$ | `x` | `(N, C, H, W)` | images |
# | $\frac{1}{n} \sum \rho_i$ | `mean` | scalar | `NaN` if no image is left |
# | $n$ | `n_valid` | scalar | images whose $\rho_i$ is a number |
#
# This is the measure of Rebuffi (2020), Chapter 8, §4.3.
# There it is taken over 1000 images of ImageNet, one of each class.
#
# ### How your answer is tried
#
# - With a method and a network that look their answers up.
#   They take any number of the images at once, in any order.
# - Some of their maps are constant.
#   Such an image is left out: a method must not gain by drawing nothing.
#
# ### What your answer may and may not do
#
# - You may call `spearman`, and the course's own `course_lib.metrics.spearman` as well.
# - The classes are those that the network finds most and least likely *in this image*.
#   Nobody gives you labels, and none are needed.


# %% task="saliency.class_sensitivity"
def class_sensitivity(fn, model, x):
    """The mean correlation between the maps of the most and the least likely class; 0 is best.

    Args:
        fn: fn(model, x, y) gives the maps (B, 1, h, w) of images x for classes y, (B,).
        model: model(x) gives logits (B, K).
        x: images, (N, C, H, W).

    Returns:
        mean, n_valid: the mean over the images where neither map is constant, and how many these are.

    >>> def model(x):  # three classes; the first is always the most likely one, the last the least likely
    ...     return torch.tensor([3.0, 1.0, -2.0]).repeat(len(x), 1)
    >>> def fn(model, x, y):  # the image itself, upside down for classes after the first
    ...     return x * (1 - 2 * (y > 0).to(x)[:, None, None, None])
    >>> x = torch.tensor([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0], [5.0, 1.0, 1.0]]).reshape(3, 1, 1, 3)
    >>> mean, n_valid = class_sensitivity(fn, model, x)  # the second image is constant
    >>> round(float(mean), 4), int(n_valid)
    (-1.0, 2)
    """
    ### BEGIN SOLUTION
    logits = model(x)  # (N, K)
    rho = spearman(fn(model, x, logits.argmax(dim=1)), fn(model, x, logits.argmin(dim=1)))
    kept = rho[~rho.isnan()]
    return kept.mean(), len(kept)
    ### END SOLUTION


# %% check="saliency.class_sensitivity"
check("saliency.class_sensitivity", class_sensitivity)

# %% [markdown]
# ### Three methods, one net, no training
#
# The next cell takes a net that nobody has trained: a convolution, a ReLU, a global average, a linear layer.
# For such a net the gradient at the last maps is known without a backward pass.
# It is $g_u = w_y / |\Omega|$ at every location $u$, with $w_y$ the weights of the class and $|\Omega|$ the
# number of locations.
#
# Before you run it: what will each of the three give, and for how many of the 40 images?
# Look at what changes with $u$ in $\max_k |g_{ku}|$.
# And look at what changes with the class in $\lVert g_u \rVert\,\lVert x_u \rVert$.
# The cell runs once your answer has passed its check.

# %%
torch.manual_seed(0)
body = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU())
head = nn.Linear(24, 10)


def net(x):
    return head(body(x).mean(dim=(2, 3)))


def at_the_last_layer(x, y):
    maps = body(x)
    return maps, (head.weight[y] / maps[0, 0].numel())[:, :, None, None].expand_as(maps)


def gradient(model, x, y):
    return at_the_last_layer(x, y)[1].abs().amax(dim=1, keepdim=True)


def normgrad(model, x, y):
    maps, g = at_the_last_layer(x, y)
    return g.norm(dim=1, keepdim=True) * maps.norm(dim=1, keepdim=True)


def linear_approximation(model, x, y):
    maps, g = at_the_last_layer(x, y)
    return (g * maps).sum(dim=1, keepdim=True)


if passed("saliency.class_sensitivity"):
    with torch.no_grad():
        for method in (gradient, normgrad, linear_approximation):
            mean, n_valid = class_sensitivity(method, net, torch.randn(40, 3, 12, 12))
            print(f"{method.__name__:<22} {float(mean):+.3f}   from {int(n_valid)} of 40 images")

# %% [markdown]
# The gradient is the same everywhere, so its map is constant and no image is left.
# NormGrad multiplies a number that depends on the class with a map that does not: it gives 1, and exactly so.
# No amount of training will change that, for it follows from the global average.
# The linear approximation multiplies before it sums.
# So each class weighs the maps in its own way, and the correlation is far below 1.

# %% [markdown] statement="saliency.pointing_game"
# ### Why
#
# Here is a question with an answer: in a picture with several objects, is the highest point of a class's map
# on the object of this class?
#
# ```text
#    map, 2×4 cells              enlarged to the image          image with the mask of the class
#
#    ┌───┬───┬───┬───┐          · · · · · · · ·                · · · · · · ■ ■
#    │   │   │ ▒ │   │          · · · · ░ ░ · ·                · · · · · · ■ ■
#    ├───┼───┼───┼───┤   ──►    · · · ░ ▒ ▓ ▒ ·       ──►      · · · · · · · ■     hit: the point ×
#    │   │   │ ▓ │   │          · · · ░ ▓ █ ▓ ░                · · · · · × · ·     is near enough
#    └───┴───┴───┴───┘          (█ is the point)
# ```
#
# That is the *pointing game*.
# It needs no threshold and no unit, and a computer can play it ten thousand times.
# It looks at one pixel of each map and at nothing else.
# A map may win although all the rest of it is nonsense; keep this in mind when you read its scores.
#
# ### What to compute
#
# Each pair $b$ is a map together with an image that holds its class $k_b$.
#
# 1. Enlarge the map to the size of the image, bilinearly, with `align_corners=False`.
# 2. The *point* is where it is largest.
#    Of several equal places it is the first, row by row; so a constant map points at the upper left corner.
# 3. It is a *hit* if some pixel of the mask of class $k_b$ is closer than the tolerance:
#    $(\text{row} - \text{row}_{\text{point}})^2 + (\text{column} - \text{column}_{\text{point}})^2
#    < \text{tolerance}^2$.
# 4. The accuracy of a class is the part of its pairs that are hits.
#    The score is the mean of these accuracies *over the classes*.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | | `maps` | `(B, 1, h, w)` | a map for each pair, mostly smaller than the image |
# | | `masks` | `(B, K, H, W)` | for each pair the masks of all classes in its image, booleans |
# | $k_b$ | `classes` | `(B,)` | the class that each map explains, `int64` |
# | | `tolerance` | number | in pixels of the image, 1 or more |
# | | `subset` | `(B,)` | which pairs count, booleans; `None` means all of them |
# | | `per_class` | `(K,)` | the accuracy of each class |
# | | `mean` | scalar | their mean |
#
# A class may have no pair, or none in the subset.
# Then its accuracy is `NaN`, and the mean is over the others.
# At least one pair counts.
#
# The rules are those of Rebuffi (2020), Chapter 8, supplement A, where the tolerance is 15 pixels.
# That a distance of exactly the tolerance is a miss stands only in the code of the experiments.
#
# ### What your answer may and may not do
#
# - Enlarge first, and look for the largest value after.
#   The largest cell, scaled up, is not the same point.
# - `F.interpolate` does the enlarging.
# - The mask is that of the pair's own class.
#   A point on another object is a miss.
# - Pairs that are not in the subset are neither hits nor misses.


# %% task="saliency.pointing_game"
def pointing_game(maps, masks, classes, tolerance, subset=None):
    """How often the highest point of a map lies on the object, class by class.

    Args:
        maps: (B, 1, h, w).
        masks: the masks of all classes in the image of each pair, (B, K, H, W), bool.
        classes: the class of each pair, (B,).
        tolerance: pixels; a hit is closer than this.
        subset: (B,) bool, the pairs that count; all by default.

    Returns:
        per_class (K,), NaN for a class without pairs, and the mean of the others.

    >>> maps = torch.zeros(3, 1, 2, 2)
    >>> maps[:, 0, 1, 0] = 1.0  # all point at row 3, column 0 of images of 4×6 pixels
    >>> masks = torch.zeros(3, 3, 4, 6, dtype=torch.bool)
    >>> masks[0, 0, 3, 2] = masks[1, 0, 0, 5] = masks[2, 2, 2, 1] = True
    >>> per_class, mean = pointing_game(maps, masks, torch.tensor([0, 0, 2]), tolerance=2.5)
    >>> per_class, mean
    (tensor([0.5000,    nan, 1.0000]), tensor(0.7500))
    >>> pointing_game(maps, masks, torch.tensor([0, 0, 2]), tolerance=2)[0]
    tensor([0., nan, 1.])
    """
    ### BEGIN SOLUTION
    height, width = masks.shape[2:]
    large = F.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
    place = large.flatten(1).argmax(dim=1)  # the first of equal ones
    row, column = place // width, place % width
    rows = torch.arange(height, device=maps.device) - row[:, None]  # (B, H)
    columns = torch.arange(width, device=maps.device) - column[:, None]  # (B, W)
    near = rows[:, :, None] ** 2 + columns[:, None, :] ** 2 < tolerance**2
    own = masks[torch.arange(len(masks), device=masks.device), classes]  # (B, H, W)
    hit = (near & own).any(dim=(1, 2)).to(maps.dtype)
    counts = torch.ones_like(classes, dtype=torch.bool) if subset is None else subset
    # The mean of nothing is NaN.
    per_class = torch.stack([hit[counts & (classes == k)].mean() for k in range(masks.shape[1])])
    return per_class, per_class.nanmean()
    ### END SOLUTION


# %% check="saliency.pointing_game"
check("saliency.pointing_game", pointing_game)

# %% [markdown] statement="saliency.difficult"
# ### Why
#
# Much of the pointing game is easy.
# Where an object fills the picture, every point hits.
# Where it is alone, a map that does not care about the class hits as well.
#
# Pointing at the middle of the picture, with no net at all, hits 69.6 % on the photographs of VOC 2007.
# So a score there begins at about 70, and the question is what a method adds.
#
# The *difficult* pairs are those in which both helps are missing.
# On them the middle hits 42.4 %.
#
# ```text
#    ┌────────────────┐   ┌────────────────┐   ┌────────────────┐
#    │ ■■■■■■■■■      │   │                │   │          ○○○   │
#    │ ■■■■■■■■■   ○  │   │    ■■          │   │    ■■    ○○○   │
#    │ ■■■■■■■■■      │   │    ■■          │   │    ■■          │
#    └────────────────┘   └────────────────┘   └────────────────┘
#      ■: large, easy       ■: alone, easy       ■: difficult
#      ○: difficult                              ○: difficult
# ```
#
# ### What to compute
#
# For each pair of an image and a class in it, whether both hold:
#
# - the mask of the class covers *less than* 25 % of the pixels of the image, and
# - at least one other class is in the image.
#
# | in code | shape | meaning |
# |---|---|---|
# | `masks` | `(B, K, H, W)` | for each pair the masks of all classes in its image, booleans |
# | `classes` | `(B,)` | the class that each pair is about, `int64`; it is in the image |
# | result | `(B,)` | booleans, `True` for the difficult pairs |
#
# The mask of a class that is absent is empty, and masks may overlap.
# The rule is that of Rebuffi (2020), Chapter 8, supplement A; the two numbers above stand in Figure 3.


# %% task="saliency.difficult"
def difficult(masks, classes):
    """Which pairs are difficult: the object is small, and not alone.

    Args:
        masks: the masks of all classes in the image of each pair, (B, K, H, W), bool.
        classes: the class of each pair, (B,).

    Returns:
        (B,), bool.

    >>> masks = torch.zeros(3, 2, 2, 4, dtype=torch.bool)
    >>> masks[:, 0, 0, 0] = True  # class 0: one pixel of eight, in each image
    >>> masks[1:, 1, 1, :] = True  # class 1: four of eight, in the second and third
    >>> difficult(masks, torch.tensor([0, 0, 1]))
    tensor([False,  True, False])
    """
    ### BEGIN SOLUTION
    area = masks.flatten(2).sum(dim=2)  # (B, K)
    own = area.gather(1, classes[:, None]).squeeze(1)
    return (own < masks[0, 0].numel() / 4) & ((area > 0).sum(dim=1) >= 2)
    ### END SOLUTION


# %% check="saliency.difficult"
check("saliency.difficult", difficult)

# %% [markdown]
# ### The game without a net
#
# The next cell plays the pointing game on the course's composed scenes, with three maps that no net has made.
# One is highest in the middle, and one is noise.
# The third is contrast: it is high where the picture differs from its surroundings.
# The cell runs once both answers have passed their checks.
#
# Before you run it: which of them knows the class?
# And should the middle help here, as it does on photographs?

# %%
if passed("saliency.pointing_game") and passed("saliency.difficult"):
    from course_lib import data

    scenes = data.load("scenes", "test", several=True, n=200)
    image, classes = scenes.masks.flatten(2).any(dim=2).nonzero(as_tuple=True)  # every class in every image
    masks, pictures = scenes.masks[image], scenes.images[image].double() / 255
    middle = torch.zeros(len(image), 1, 48, 48)
    middle[:, :, 24, 24] = 1.0
    noise = torch.rand(middle.shape, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(pictures, 5, stride=1, padding=2, count_include_pad=False)
    around = F.avg_pool2d(pictures, 21, stride=1, padding=10, count_include_pad=False)
    contrast = (smooth - around).abs().sum(dim=1, keepdim=True)
    subset = difficult(masks, classes)
    print(f"{len(classes)} pairs, {int(subset.sum())} of them difficult")
    for name, maps in (("middle", middle), ("noise", noise), ("contrast", contrast)):
        every, hard = (float(pointing_game(maps, masks, classes, 3, part)[1]) for part in (None, subset))
        print(f"{name:<10} all {every:.1%}   difficult {hard:.1%}")

# %% [markdown]
# Whoever photographs puts the thing into the middle.
# Our generator puts it anywhere, so here the middle is worth little more than noise.
# Contrast finds objects, without asking which one: it does far better, and it knows nothing of classes.
# A method has shown something about a *class* only by what it adds to that.

# %% [markdown] statement="saliency.localisation"
# ### Why
#
# The pointing game looks at one pixel.
# Another test looks at the extent: make a box of the map, and see how well it fits the object's box.
#
# ```text
#    map                     above a threshold            box, and overlap with the true one
#
#    · · ░ ░ · ·               · · · · · ·                  · ┌─────┐ · ·
#    · ░ ▒ ▓ ░ ·               · · ■ ■ · ·                  · │ ╔═══╪═╗ ·
#    · ▒ ▓ █ ▓ ░      ──►      · ■ ■ ■ ■ ·        ──►       · │ ║ ░ │ ║ ·      ░ over all = IoU
#    · ░ ▒ ▒ ░ ·               · · ■ · · ·                  · └─╫───┘ ║ ·
#    · · ░ · · ·               · · · · · ·                  · · ╚═════╝ ·
# ```
#
# To make the box, somebody has to say where the map ends.
# That is the threshold, and there is none that is right for all methods.
# Here you measure what hangs on it.
#
# ### What to compute
#
# For each threshold $t$ and each map $m$:
#
# 1. Keep the pixels that are at least so far up the range of *this* map:
#    $m_u - \min m \ \ge\ t\,(\max m - \min m)$.
#    At $t = 0$ all stay, and at $t = 1$ the highest; of a constant map always all.
# 2. The box is the tightest one around *all* kept pixels.
#    A box is (top, left, bottom, right), where bottom and right are the first row and column *outside*.
# 3. Its overlap with the true box is the intersection over the union of both:
#
# $$\text{IoU} = \frac{|A \cap B|}{|A \cup B|} = \frac{|A \cap B|}{|A| + |B| - |A \cap B|} .$$
#
# The accuracy of a threshold is the part of the maps with $\text{IoU} > \frac12$.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $m$ | `maps` | `(B, 1, H, W)` | maps as large as the images, values of any sign |
# | | `boxes` | `(B, 4)` | the true boxes, `int64` |
# | $t$ | `thresholds` | `(T,)` | numbers between 0 and 1 |
# | | `iou` | `(T, B)` | the overlaps |
# | | `accuracy` | `(T,)` | the accuracy of each threshold |
#
# Rebuffi (2020) describes this test in §2.5.3, after Cao et al. (2015), and does not run it.
# That the threshold is a part of the map's range is our choice, and a common one.
#
# ### What your answer may and may not do
#
# - Boxes may have nothing in common.
#   Then the overlap is 0.
# - A threshold is chosen for all maps together, never for one map: nobody knows the true box beforehand.
# - `maps` and `boxes` belong to the caller and stay as they are.


# %% task="saliency.localisation"
def localisation_sweep(maps, boxes, thresholds):
    """Boxes from maps at several thresholds, and how well they fit.

    Args:
        maps: (B, 1, H, W).
        boxes: the true ones, (B, 4): top, left, bottom, right, the last two outside.
        thresholds: parts of each map's range, (T,).

    Returns:
        iou (T, B), and accuracy (T,), the part of the maps whose iou is above 0.5.

    >>> maps = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    >>> boxes = torch.tensor([[1, 1, 3, 3]])
    >>> iou, accuracy = localisation_sweep(maps[None, None], boxes, torch.tensor([0.0, 0.25, 0.5, 1.0]))
    >>> [round(each, 4) for each in iou[:, 0].tolist()]
    [0.3333, 1.0, 0.5, 0.25]
    >>> accuracy.tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    ### BEGIN SOLUTION
    def ends(line):  # (B, n) of booleans, each with a True: the first, and one after the last
        return line.int().argmax(dim=1), line.shape[1] - line.flip(1).int().argmax(dim=1)

    up = maps[:, 0] - maps[:, 0].amin(dim=(1, 2), keepdim=True)
    rows = []
    for t in thresholds:
        kept = up >= t * up.amax(dim=(1, 2), keepdim=True)
        top, bottom = ends(kept.any(dim=2))
        left, right = ends(kept.any(dim=1))
        found = torch.stack([top, left, bottom, right], dim=1)
        inner = torch.minimum(found, boxes)[:, 2:] - torch.maximum(found, boxes)[:, :2]
        both = inner.clamp(min=0).prod(dim=1)  # boxes that do not meet have a negative side
        areas = [(box[:, 2:] - box[:, :2]).prod(dim=1) for box in (found, boxes)]
        rows.append(both.to(maps.dtype) / (areas[0] + areas[1] - both))
    iou = torch.stack(rows)
    return iou, (iou > 0.5).to(maps.dtype).mean(dim=1)
    ### END SOLUTION


# %% check="saliency.localisation"
check("saliency.localisation", localisation_sweep)

# %% [markdown]
# ### One order, three thresholds
#
# The next cell makes maps that are high on an object, some steep and some flat, with a little noise.
# And it makes two more "methods" out of them: the square and the square root of each map.
# All three rank all pixels alike, so `spearman` says 1 and the pointing game cannot tell them apart.
# The cell runs once your answer has passed its check.
#
# Before you run it: with $m^2$ in place of $m$, at which threshold are the same pixels kept?

# %%
if passed("saliency.localisation"):
    from course_lib import plots

    draw = torch.Generator().manual_seed(0)
    side, count = 32, 150
    sides = torch.randint(8, 17, (count, 2), generator=draw)
    start = (torch.rand(count, 2, generator=draw) * (side - sides + 1)).long()
    boxes = torch.cat([start, start + sides], dim=1)
    place = torch.arange(side) + 0.5
    far = [(place - (start + sides / 2)[:, i : i + 1]) / sides[:, i : i + 1] for i in (0, 1)]
    steep = 1 + 5 * torch.rand(count, 1, 1, generator=draw)
    maps = (-steep * (far[0][:, :, None] ** 2 + far[1][:, None, :] ** 2)).exp()[:, None]
    maps = maps + 0.1 * F.avg_pool2d(torch.randn(count, 1, side + 2, side + 2, generator=draw), 3, stride=1)
    maps = maps - maps.amin(dim=(2, 3), keepdim=True)
    maps = maps / maps.amax(dim=(2, 3), keepdim=True)
    thresholds = torch.linspace(0, 1, 41)
    fig, ax = plots.figure(
        5.2, 3.1, title="Three maps that rank all pixels alike", xlabel="threshold", ylabel="accuracy"
    )
    said, at = [], None
    for k, (name, power) in enumerate((("m", 1.0), ("m²", 2.0), ("√m", 0.5))):
        _, accuracy = localisation_sweep(maps**power, boxes, thresholds)
        best = int(accuracy.argmax())
        at = best if at is None else at
        ax.plot(thresholds, accuracy, label=name, **plots.look(k), markevery=4)
        said.append(
            f"{name}: best {accuracy[best]:.0%} at {thresholds[best]:.2f}; "
            f"at the best threshold of m, {thresholds[at]:.2f}, it is {accuracy[at]:.0%}."
        )
    ax.legend()
    plots.show(fig, alt="Accuracy over the threshold for three maps. " + " ".join(said))
    print(*said, sep="\n")

# %% [markdown]
# The best accuracies are the same but for the steps of the grid, and each stands at a threshold of its own:
# if $t$ is the best one for $m$, then $t^2$ is the best one for $m^2$.
# With one threshold for all, a method wins or loses by how its numbers happen to be spread.
# So this test needs a threshold for each method, chosen on images that are not used for the score.
# That is what the source holds against it, and why it plays the pointing game.

# %% [markdown]
# # Part D: changing the model

# %% [markdown] statement="saliency.meta_step"
# ### Why
#
# NormGrad asks how much each location wants to change the weights *now*.
# But a training step has consequences: afterwards the gradient is another one.
# *Meta-saliency* looks one step ahead.
# Let the model learn a little of this image and its class, and explain the model that has learnt.
#
# The loss that is looked at is therefore not $\ell(\theta)$ but the loss after a step of length $\epsilon$:
#
# $$L(\theta) = \ell\big( \theta - \epsilon\, \nabla \ell(\theta) \big) .$$
#
# To explain it you need its gradient, and that looks expensive: there is a gradient within, so a second
# derivative comes out.
# To first order in $\epsilon$ it is
#
# $$\nabla L \approx \nabla \ell - 2 \epsilon\, H\, \nabla \ell , \qquad H = \nabla^2 \ell .$$
#
# Now replace $H\, \nabla \ell$ by a finite difference, of step $2 \epsilon$ along the gradient:
#
# $$H\, \nabla \ell \approx
# \frac{\nabla \ell(\theta) - \nabla \ell\big(\theta - 2 \epsilon \nabla \ell(\theta)\big)}{2 \epsilon}
# \qquad\Rightarrow\qquad
# \nabla L \approx \nabla \ell\big( \theta' \big) , \quad \theta' = \theta - 2 \epsilon\,
# \nabla \ell(\theta) .$$
#
# Everything else has cancelled.
# So all it takes is a copy of the model with other weights.
#
# ```text
#     θ  ──────── ε ────────►  ·  ──────── ε ────────►  θ'
#     │                        │                        │
#     the model                where L looks            the copy: its plain gradient
#                                                       is that of L at θ
# ```
#
# ### What to compute
#
# A copy of the model whose parameters are
#
# $$\theta' = \theta - \text{sign} \cdot 2 \epsilon\, \nabla \ell(\theta) ,$$
#
# where $\ell$ is the cross-entropy of the classes $y$, as the mean over the images.
# With `sign = 1` the loss falls, towards the class; with `sign = -1` it rises,
# which shows what would harm the
# model.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $\theta$ | the parameters of `model` | all of them, whether or not they need a gradient |
# | | `x` | images `(B, C, H, W)` |
# | $y$ | `y` | their classes `(B,)` |
# | $\epsilon$ | `eps` | a number from 0 |
# | | `sign` | 1 or -1; 1 where it is not given |
# | $\theta'$ | result | a network of the same build |
#
# These are Eqs. 4 to 6 in Chapter 8 of Rebuffi (2020).
# The source later gives a "learning rate $\epsilon = 0.001$" and leaves open whether it is $\epsilon$ or
# the step.
# Here `eps` is $\epsilon$, and the step is `2 * eps`.
#
# ### What your answer may and may not do
#
# - The loss is computed in evaluation mode: batch norm uses the statistics that it has,
# and does not move them.
# - A plain step: no momentum, no weight decay.
# - The model stays as it is: weights, buffers, modes, `requires_grad`, `.grad`.
#   When it trains on, the copy must not move along.
# - In the copy, buffers and `requires_grad` are as in the model, also where the model is frozen.
#   Its mode is up to you.


# %% task="saliency.meta_step"
def meta_step(model, x, y, eps, sign=1):
    """A copy of the model that has taken one step on its loss.

    Args:
        model: maps images to logits.
        x: images, (B, C, H, W).
        y: their classes, (B,).
        eps: half of the length of the step.
        sign: 1 goes down the loss, -1 goes up.

    Returns:
        The copy.

    >>> model = nn.Linear(1, 2, bias=False)
    >>> model.weight.data.zero_()
    tensor([[0.],
            [0.]])
    >>> x, y = torch.tensor([[4.0]]), torch.tensor([0])  # both classes have probability 1/2
    >>> meta_step(model, x, y, eps=0.1).weight.data
    tensor([[ 0.4000],
            [-0.4000]])
    >>> meta_step(model, x, y, eps=0.1, sign=-1).weight.data
    tensor([[-0.4000],
            [ 0.4000]])
    """
    ### BEGIN SOLUTION
    stepped = copy.deepcopy(model)
    flags = [parameter.requires_grad for parameter in stepped.parameters()]
    stepped.eval()
    stepped.requires_grad_()
    loss = F.cross_entropy(stepped(x), y)
    gradients = torch.autograd.grad(loss, list(stepped.parameters()))
    with torch.no_grad():
        for parameter, gradient, flag in zip(stepped.parameters(), gradients, flags):
            parameter -= sign * 2 * eps * gradient
            parameter.requires_grad_(flag)
    return stepped
    ### END SOLUTION


# %% check="saliency.meta_step"
check("saliency.meta_step", meta_step)

# %% [markdown] statement="saliency.meta_saliency"
# ### Why
#
# With a model that is one step ahead, every saliency method has a second version for free: hand it that
# model.
# All that has to be minded is whose step it is.
# The step is taken for the image that is explained.
# If the images of a batch shared one, the map of each would depend on which others happen to be there.
#
# ```text
#             ┌─ step for image 1 ──► θ'₁ ──► fn ──► map 1
#      θ ─────┼─ step for image 2 ──► θ'₂ ──► fn ──► map 2
#             └─ step for image 3 ──► θ'₃ ──► fn ──► map 3
# ```
#
# ### What to compute
#
# $$m_b = \mathrm{fn}(\theta'_b, x_b, y_b) , \qquad
# \theta'_b = \theta - \text{sign} \cdot 2 \epsilon\, \nabla \ell(\theta, x_b, y_b) .$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mathrm{fn}$ | `fn` | | a method: `fn(model, x, y)` gives maps `(B, 1, h, w)` |
# | $\theta$ | `model` | | maps images to logits |
# | $x, y$ | `x`, `y` | `(B, C, H, W)`, `(B,)` | images, and the class to explain for each |
# | $\epsilon$ | `eps`, `sign` | numbers | as for `meta_step`; `sign` is 1 where it is not given |
# | $m$ | result | `(B, 1, h, w)` | the maps of all images |
#
# You may call your `meta_step`.
# Its step is checked here once more, so it should be right.
#
# This is §4.4 in Chapter 8 of Rebuffi (2020).
#
# ### What your answer may and may not do
#
# - `fn` does all of its work on the model that it is given, forwards and backwards, so both activations and
#   gradients are those of $\theta'$.
#   It looks after modes by itself.
# - The model stays as it is: weights, buffers, modes, `requires_grad`, `.grad`.


# %% task="saliency.meta_saliency"
def meta_saliency(fn, model, x, y, eps, sign=1):
    """Maps of models that are one step ahead, each image with a model of its own.

    Args:
        fn: a saliency method, fn(model, x, y) to maps (B, 1, h, w).
        model: maps images to logits.
        x: images, (B, C, H, W).
        y: the class to explain for each image, (B,).
        eps, sign: as for meta_step.

    Returns:
        The maps, (B, 1, h, w).

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2, bias=False))
    >>> model[1].weight.data.zero_()
    tensor([[0.],
            [0.]])
    >>> weight_times_input = lambda model, x, y: model[1].weight.data[y, 0, None, None, None] * x
    >>> x, y = torch.tensor([4.0, 2.0]).reshape(2, 1, 1, 1), torch.tensor([0, 1])
    >>> meta_saliency(weight_times_input, model, x, y, eps=0.1).flatten()
    tensor([1.6000, 0.4000])
    """
    ### BEGIN SOLUTION
    maps = []
    for image, label in zip(x.split(1), y.split(1)):  # batches of one
        maps.append(fn(meta_step(model, image, label, eps, sign), image, label))
    return torch.cat(maps)
    ### END SOLUTION


# %% check="saliency.meta_saliency"
check("saliency.meta_saliency", meta_saliency)

# %% [markdown] statement="saliency.cascade"
# ### Why
#
# A saliency map is to explain a model.
# So take the model away, and the map must go as well.
# If it stays, it has shown the image all along: its edges, its bright spots,
# and not what the model made of them.
#
# The *cascading randomisation* of Adebayo et al. (2018) does this bit by bit.
# The last layer gets new random weights, then the last two, and so on, until nothing of the model is left.
# After each step the map is drawn again and compared with the first.
#
# ```text
#                     conv1   norm1   conv2   head
#     the model         ■       ■       ■      ■
#     1, "head"         ■       ■       ■      □         □ as in a new model
#     2, "conv2"        ■       ■       □      □
#     3, "norm1"        ■       □       □      □
#     4, "conv1"        □       □       □      □
# ```
#
# ### What to compute
#
# The models of such a cascade, one after the other, each with the name of the layer that it has lost last.
#
# - A *layer* is a module with parameters of its own: convolutions, linear layers, and batch norm too.
#   Their order is that of `model.named_modules()`, and the cascade goes from the last to the first.
# - *New* is what `layer.reset_parameters()` makes of it.
#   Batch norm loses its scale and shift, and also the mean and the variance that it has gathered.
# - It is *cumulative*: what is new stays new, with the same new numbers.
#
# | in code | meaning |
# |---|---|
# | `model` | a network |
# | `seed` | decides on all new weights; 0 where it is not given |
# | result | pairs `(name, copy)`, for as many layers as there are: a list, or a generator that yields them |
#
# The name is the dotted one, such as `"body.conv1"`.
# The source shows the cascade in §4.5 of Chapter 8 (Rebuffi 2020).
#
# ### What your answer may and may not do
#
# - The model stays as it is, and each copy is independent of it and of the other copies.
#   Modes and `requires_grad` of the copies are those of the model.
# - With the same seed, all new weights are the same again; with another seed, others.
#   Two layers of the same shape get different weights.
# - Whoever calls you may draw random numbers before, between and after the models,
# and gets the same as without
#   you.
#   `torch.random.fork_rng()` puts the random state back when its block ends.
#   Mind that the block of a generator which waits at a `yield` has not ended.


# %% task="saliency.cascade"
def cascade(model, seed=0):
    """The model with its last layer as new, then its last two, and so on.

    Args:
        model: a network.
        seed: of the new weights.

    Returns:
        Pairs of a layer's name and a copy of the model, one for each layer.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> for parameter in model.parameters():
    ...     parameter.data.fill_(7.0)
    tensor([[7., 7.],
            [7., 7.]])
    tensor([7., 7.])
    tensor([[7., 7.]])
    tensor([7.])
    >>> for name, copied in cascade(model):
    ...     print(name, [bool((parameter != 7).all()) for parameter in copied.parameters()])
    2 [False, False, True, True]
    0 [True, True, True, True]
    """
    ### BEGIN SOLUTION
    names = [name for name, module in model.named_modules() if list(module.parameters(recurse=False))]
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng():  # closed before the first yield
        torch.manual_seed(seed)
        for name in names:
            fresh.get_submodule(name).reset_parameters()
    current = copy.deepcopy(model)
    for name in reversed(names):
        current.get_submodule(name).load_state_dict(fresh.get_submodule(name).state_dict())
        yield name, copy.deepcopy(current)
    ### END SOLUTION


# %% check="saliency.cascade"
check("saliency.cascade", cascade)

# %% [markdown]
# ## Where you are

# %%
progress("saliency")
