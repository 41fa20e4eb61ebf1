"""Wrong answers to saliency.maps: another formula in one of the six maps, another form of all of them."""

from course_lib.grading.task import Misconception
from course_lib.grading.tasks.saliency.map_pieces import answering, enlarged, min_max, norm


def averages_activations(x, g, w):
    return (g * x.mean((2, 3), keepdim=True)).sum(1, keepdim=True).relu()


def filtered_before_the_sum(x, g, w):
    return (g.mean((2, 3), keepdim=True) * x).relu().sum(1, keepdim=True)


def of_all_classes(model, y):
    return model.head.weight.detach().sum(0).expand(len(y), -1)


def row_and_bias(model, y):
    bias = 0 if model.head.bias is None else model.head.bias.detach()[y][:, None]
    return model.head.weight.detach()[y] + bias


OF_THE_FORMULA = (
    Misconception(
        "gradient without its size",
        answering(gradient=lambda x, g, w: g.amax(1, keepdim=True)),
        "The gradient map takes the largest entry, so a large negative one does not count. "
        "Take the largest size |g_k|. (The source's table prints it without; its text has it.)",
    ),
    Misconception(
        "size of the largest entry",
        answering(gradient=lambda x, g, w: g.amax(1, keepdim=True).abs()),
        "The gradient map takes the size after the maximum. Take it before: the maximum of |g_k|.",
    ),
    Misconception(
        "gradient summed",
        answering(gradient=lambda x, g, w: g.sum(1, keepdim=True)),
        "The gradient map is a sum over the channels, which is another method. Take the maximum of |g_k|.",
    ),
    Misconception(
        "norm of the gradient",
        answering(gradient=lambda x, g, w: norm(g)),
        "The gradient map is the norm over the channels. Take the maximum of |g_k|.",
    ),
    Misconception(
        "size of the linear approximation",
        answering(linear_approximation=lambda x, g, w: (g * x).sum(1, keepdim=True).abs()),
        "The linear approximation has lost its sign. What speaks against the class is negative: leave it.",
    ),
    Misconception(
        "sum of sizes",
        answering(linear_approximation=lambda x, g, w: (g * x).abs().sum(1, keepdim=True)),
        "The linear approximation sums sizes, so channels for and against the class add up. "
        "Sum g_k x_k itself.",
    ),
    Misconception(
        "linear approximation clamped",
        answering(linear_approximation=lambda x, g, w: (g * x).sum(1, keepdim=True).relu()),
        "The linear approximation is cut off at 0. That belongs to Grad-CAM; here negative values stay.",
    ),
    Misconception(
        "Grad-CAM averages the activations",
        answering(grad_cam=averages_activations),
        "Grad-CAM averages the gradients over the locations, not the activations. Exchange the two.",
    ),
    Misconception(
        "ReLU before the sum",
        answering(grad_cam=filtered_before_the_sum),
        "Grad-CAM drops negative channels before the sum. First the sum over the channels, then the ReLU.",
    ),
    Misconception(
        "Grad-CAM without ReLU",
        answering(grad_cam=lambda x, g, w: (g.mean((2, 3), keepdim=True) * x).sum(1, keepdim=True)),
        "Grad-CAM has negative values. It ends with a ReLU.",
    ),
    Misconception(
        "Grad-CAM sums the gradients",
        answering(grad_cam=lambda x, g, w: (g.sum((2, 3), keepdim=True) * x).sum(1, keepdim=True).relu()),
        "Grad-CAM's weights are sums over the locations. Take the mean.",
    ),
    Misconception(
        "Grad-CAM does not average",
        answering(grad_cam=lambda x, g, w: (g * x).sum(1, keepdim=True).relu()),
        "This is the linear approximation with a ReLU, which equals Grad-CAM below a global average pooling "
        "only. Average the gradient over the locations.",
    ),
    Misconception(
        "CAM divided by the locations",
        answering(cam=lambda x, g, w: (w[:, :, None, None] * x).sum(1, keepdim=True) / x[0, 0].numel()),
        "CAM is divided by the number of locations. It takes the weights of the classifier as they are.",
    ),
    Misconception(
        "CAM clamped",
        answering(cam=lambda x, g, w: (w[:, :, None, None] * x).sum(1, keepdim=True).relu()),
        "CAM is cut off at 0. That belongs to Grad-CAM; here negative values stay.",
    ),
    Misconception(
        "CAM of all classes",
        answering(row=of_all_classes),
        "CAM sums the weights of all classes. Take the row of model.head.weight that belongs to y[b].",
    ),
    Misconception(
        "CAM of the first image's class",
        answering(row=lambda model, y: model.head.weight.detach()[y[:1]].expand(len(y), -1)),
        "CAM takes the class of the first image for all. Take for each image the row of "
        "model.head.weight that belongs to its own class.",
    ),
    Misconception(
        "CAM with the bias",
        answering(row=row_and_bias),
        "CAM adds the bias of the classifier to its weights. The bias belongs to no location: leave it.",
    ),
    Misconception(
        "norm of the products",
        answering(normgrad=lambda x, g, w: norm(g * x)),
        "NormGrad is ‖g ⊙ x‖, the norm for a scaling layer. For a convolution the contribution is the whole "
        "matrix g xᵀ, whose norm is ‖g‖ ‖x‖.",
    ),
    Misconception(
        "NormGrad squared",
        answering(normgrad=lambda x, g, w: (norm(g) * norm(x)) ** 2),
        "NormGrad comes out squared. Take the root.",
    ),
    Misconception(
        "norm of x as a sum",
        answering(normgrad=lambda x, g, w: norm(g) * x.abs().sum(1, keepdim=True)),
        "NormGrad sums the sizes of x. Both factors are Euclidean norms.",
    ),
    Misconception(
        "product of sums",
        answering(normgrad=lambda x, g, w: (g.sum(1, keepdim=True) * x.sum(1, keepdim=True)).abs()),
        "NormGrad multiplies sums over the channels. Multiply the norms.",
    ),
    Misconception(
        "not selective",
        answering(selective_normgrad=lambda x, g, w: norm(g * x)),
        "Selective NormGrad keeps negative products, so it selects nothing. "
        "Set them to 0 before the norm; after it nothing is negative any more.",
    ),
    Misconception(
        "only the gradient filtered",
        answering(selective_normgrad=lambda x, g, w: norm(g.relu() * x)),
        "Selective NormGrad filters the gradient alone. Filter the product: where x is negative, "
        "a negative gradient speaks for the class.",
    ),
    Misconception(
        "ReLU after the sum",
        answering(selective_normgrad=lambda x, g, w: (g * x).sum(1, keepdim=True).relu()),
        "Selective NormGrad adds up the channels first. Filter each channel, then take the norm over them.",
    ),
    Misconception(
        "sum of the positive",
        answering(selective_normgrad=lambda x, g, w: (g * x).relu().sum(1, keepdim=True)),
        "Selective NormGrad sums the positive products. Take their Euclidean norm.",
    ),
    Misconception(
        "scaled to 0 and 1",
        answering(finish=min_max),
        "The maps are scaled to the range from 0 to 1. That is for the eye: return them as the formulas say.",
    ),
    Misconception(
        "as large as the image",
        answering(finish=enlarged),
        "The maps are enlarged to the size of the image. They are as large as the layer: (B, 1, h, w).",
    ),
    Misconception(
        "axis lost",
        answering(finish=lambda made, x: made.detach()[:, 0]),
        "The axis of the channels is gone. Keep it with size 1: sum(dim=1, keepdim=True).",
    ),
)
