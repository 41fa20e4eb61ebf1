"""The task saliency.maps: however the tensors are captured, right maps pass, and each slip is told apart."""

import copy

import pytest
import torch

from course_lib.grading.tasks.saliency.map_pieces import FORMULAS, answering
from course_lib.grading.tasks.saliency.maps import TASK, has_cam, oracle, use
from course_lib.grading.tasks.saliency.tiny_nets import build
from tests.grading.trying import verdict as verdict_on


def verdict(answer, **how):
    return verdict_on(TASK, answer, **how)


# --- right answers ---------------------------------------------------------------------------


def cut_in_two(model, x, y, layer, method):
    """Runs the layers up to the asked one by hand, then the rest from a leaf."""
    model = copy.deepcopy(model).eval().requires_grad_(False)
    order = [*((f"body.{name}", part) for name, part in model.body.named_children()), ("head", model.head)]
    cut = 0 if layer is None else 1 + [name for name, _ in order].index(layer)
    features = x.clone()
    for _, part in order[:cut]:
        features = part(features)
    features.requires_grad_()
    out = features.clone()
    for _, part in order[cut:]:
        out = part(out)
    out[torch.arange(len(y)), y].sum().backward()
    x, g = features.detach(), features.grad
    if method == "gradient":
        return g.abs().max(dim=1, keepdim=True).values
    if method == "linear_approximation":
        return torch.einsum("bkij,bkij->bij", g, x)[:, None]
    if method == "grad_cam":
        return torch.einsum("bk,bkij->bij", g.mean((2, 3)), x).clamp(min=0)[:, None]
    if method == "cam":
        return (x * model.head.weight[y][:, :, None, None]).sum(1, keepdim=True)
    if method == "normgrad":
        outer = torch.einsum("bkij,blij->bklij", g, x)
        return torch.linalg.matrix_norm(outer, dim=(1, 2))[:, None]
    return (g * x).clamp(min=0).pow(2).sum(1, keepdim=True) ** 0.5


def with_a_nudge(model, x, y, layer, method):
    """Adds zeros to the layer's output, and differentiates by them; CAM is found by its identity."""
    modes = {name: part.training for name, part in model.named_modules()}
    model.eval()
    found = {}

    def add_zeros(module, given, out):
        found["x"], found["zeros"] = out.detach().clone(), torch.zeros_like(out, requires_grad=True)
        return out + found["zeros"]

    try:
        if layer is None:
            found["x"], found["zeros"] = x.clone(), torch.zeros_like(x, requires_grad=True)
            logits = model(x + found["zeros"])
        else:
            handle = model.get_submodule(layer).register_forward_hook(add_zeros)
            logits = model(x)
            handle.remove()
    finally:
        for name, part in model.named_modules():
            part.training = modes[name]
    (g,) = torch.autograd.grad(logits.gather(1, y.unsqueeze(1)).sum(), found["zeros"])
    x = found["x"]
    if method == "cam":
        return (g * x).sum(1, keepdim=True) * x.shape[2] * x.shape[3]
    return FORMULAS[method](x, g, None).contiguous()


def image_by_image(model, x, y, layer, method):
    """On a copy, one image after the other, with retain_grad and backward."""
    model, maps = copy.deepcopy(model), []
    for part in model.modules():
        part.training = False
    for image, label in zip(x, y):
        kept = []
        image = image[None].clone().requires_grad_()
        if layer is None:
            kept.append(image)
        else:
            part = model.get_submodule(layer)
            handle = part.register_forward_hook(lambda m, i, out, kept=kept: kept.append(out) or out * 1)
        score = model(image)[0, label]
        if layer is not None:
            handle.remove()
            kept[0].retain_grad()
        score.backward()
        weights = model.head.weight[label][None] if kept[0].shape[1] == model.head.in_features else None
        maps.append(FORMULAS[method](kept[0], kept[0].grad, weights).detach())
    return torch.cat(maps)


def with_functional_call(model, x, y, layer, method):
    """Parameters are replaced by constants, so that only the image needs a gradient."""
    model_modes = [(part, part.training) for part in model.modules()]
    model.eval()
    constants = {name: each.detach() for name, each in model.named_parameters()}
    kept = {}

    def hook(module, given, out):
        kept["x"] = out
        return out.clone()

    image = x.detach().clone().requires_grad_()
    kept["x"] = image
    handle = model.get_submodule(layer).register_forward_hook(hook) if layer else None
    logits = torch.func.functional_call(model, constants, (image,))
    if handle:
        handle.remove()
    (g,) = torch.autograd.grad([logits[b, k] for b, k in enumerate(y.tolist())], kept["x"])
    for part, mode in model_modes:
        part.training = mode
    with torch.no_grad():
        return FORMULAS[method](kept["x"], g, model.head.weight[y])


RIGHT = [answering(), cut_in_two, with_a_nudge, image_by_image, with_functional_call]


# --- wrong answers ---------------------------------------------------------------------------

CAUSES_OF = {"before the layer": "shape", "as large as the image": "shape", "axis lost": "shape"}


def test_a_wrong_answer_is_recognised_by_what_it_does_not_by_how_it_is_written():
    def of_the_loss(model, x, y, layer, method):
        return answering(score=lambda z, y: torch.logsumexp(z, 1).sum() - z.gather(1, y[:, None]).sum())(
            model, x, y, layer, method
        )

    def trains_afterwards(model, x, y, layer, method):
        made = cut_in_two(model, x, y, layer, method)
        model.train()
        return made

    assert verdict(of_the_loss).misconception == "gradient of the loss"
    assert verdict(trains_afterwards).misconception == "everything trained afterwards"


def no_cam(model, x, y, layer, method):
    return None if method == "cam" else cut_in_two(model, x, y, layer, method)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (no_cam, "for the method 'cam' it returns None"),
        (lambda model, x, y, layer, method: 0.5, "must return a tensor, but for the method 'gradient'"),
        (lambda model, x, y, layer, method: model[0], "TypeError"),
    ],
)
def test_what_cannot_be_used_is_explained(answer, words):
    outcome = verdict(answer)
    assert outcome.cause == "unusable" and words in outcome.message


def test_an_answer_that_nobody_has_begun_is_not_attempted():
    def stub(model, x, y, layer, method):
        raise NotImplementedError("saliency.maps")

    assert verdict(stub).state == verdict(lambda *given: None).state == "not attempted"


def test_the_model_that_is_handed_over_may_be_run():
    assert verdict(cut_in_two, watch=True).passed


# --- the oracle ------------------------------------------------------------------------------

NAMES = list(TASK.gives)


def results(number, **other):
    return dict(zip(NAMES, oracle(**(TASK.cases[number].exact() | other))))


def model_of(number):
    given = TASK.cases[number].exact()
    return build(given["net"], given["weights"], given["statistics"]).eval(), given


def test_below_the_average_the_maps_are_one_map():
    found, (model, given) = results(0), model_of(0)
    linear, area = found["linear approximation"], 6 * 4 / 4
    assert torch.allclose(found["Grad-CAM map"], linear.clamp(min=0), rtol=1e-12)
    assert torch.allclose(found["CAM map"], area * linear, rtol=1e-12)
    gradient = found["gradient map"]
    assert torch.allclose(gradient, gradient[:, :, :1, :1].expand_as(gradient), rtol=1e-12)
    for b, label in enumerate(given["y"]):
        features = model.body[:7](given["x"][b : b + 1].clone())
        expected = features.norm(dim=1) * model.head.weight[label].norm() / area
        assert torch.allclose(found["NormGrad map"][b], expected, rtol=1e-12)


def test_with_dense_layers_grad_cam_is_another_map():
    found = results(2)
    linear = found["linear approximation"].clamp(min=0)
    assert (found["Grad-CAM map"] - linear).abs().max() > 0.1 * linear.max()


def test_without_biases_the_linear_approximation_adds_up_to_the_logit():
    model, given = model_of(4)
    logits = model(given["x"].clone())[torch.arange(3), given["y"]]
    assert torch.allclose(results(4)["linear approximation"].sum((1, 2, 3)), logits, rtol=1e-10)


def test_the_linear_approximation_is_what_scaling_one_location_does():
    model, given = model_of(4)
    features = model.body[:2](given["x"].clone()).detach()
    found, t = results(4)["linear approximation"], 1e-6
    for i, j in ((0, 0), (1, 2), (2, 3)):
        scores = []
        for factor in (1 + t, 1 - t):
            scaled = features.clone()
            scaled[:, :, i, j] *= factor
            scores.append(model.head(model.body[2:](scaled))[torch.arange(3), given["y"]])
        slope = (scores[0] - scores[1]) / (2 * t)
        assert torch.allclose(found[:, 0, i, j], slope, atol=1e-8)


@pytest.mark.parametrize("number", range(len(TASK.cases)))
def test_what_bounds_what(number):
    found = results(number)
    size = found["linear approximation"].abs()
    assert (size <= found["NormGrad map"] + 1e-12).all()
    assert (found["selective NormGrad map"] <= found["NormGrad map"] + 1e-12).all()
    assert (found["CAM map"].numel() > 0) == (number == 0) == has_cam(*model_and_layer(number))


def model_and_layer(number):
    model, given = model_of(number)
    return model, given["layer"]


def test_another_class_gives_another_map():
    other = results(2, y=torch.tensor([0, 1]))["linear approximation"]
    assert (results(2)["linear approximation"] - other).abs().max() > 0.05


def test_the_scenario_leaves_its_inputs_alone():
    given = TASK.cases[0].inputs()
    use(answering(), **given)
    for name, value in TASK.cases[0].inputs().items():
        assert torch.equal(value, given[name]) if isinstance(value, torch.Tensor) else value == given[name]
