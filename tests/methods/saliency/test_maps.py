"""One call for every method: identities between them, batches, options, and the model as it was."""

import inspect

import pytest
import torch
from torch import nn

from course_lib.localisation import to_size
from course_lib.methods.saliency import METHODS, compare, normgrad, saliency, smooth
from course_lib.metrics import spearman
from course_lib.nets import TinyVGG

CHEAP = {
    "rise": {"n_masks": 6},
    "occlusion": {},
    "meaningful_perturbation": {"iterations": 2},
    "extremal_perturbation": {"iterations": 2},
}
LAST = "body.relu4"


def net(head="gap", bias=True):
    torch.manual_seed(3)
    made = TinyVGG((3, 24, 32), 4, head=head).double()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3 if bias else 0.0)
            nn.init.normal_(module.running_mean, std=0.3 if bias else 0.0)
    if not bias:
        nn.init.zeros_(made.head.bias)
    return made.eval()


def images(n=3):
    return torch.randn(n, 3, 24, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


Y = torch.tensor([2, 0, 3])


def layer_for(method):
    if method == "normgrad_conv":
        return "body.conv3"
    return None if method in CHEAP else LAST


# --- what the source derives -----------------------------------------------------------------


def test_below_an_average_grad_cam_is_the_positive_part_of_the_linear_approximation():
    model, x = net(), images()
    found = compare(model, x, Y, ["grad_cam", "linear_approximation"], LAST)
    wanted = found["linear_approximation", LAST].relu()
    assert torch.allclose(found["grad_cam", LAST], wanted, rtol=1e-10)
    cam = saliency(model, x, Y, "cam", LAST)
    assert torch.allclose(cam, 6 * 8 * found["linear_approximation", LAST], rtol=1e-10)


def test_below_an_average_normgrad_does_not_know_the_class():
    model, x = net(), images()
    one, other = (saliency(model, x, torch.full((3,), c), "normgrad", LAST) for c in (0, 3))
    assert torch.allclose(spearman(one, other), torch.ones(3, dtype=torch.float64))
    gradient = saliency(model, x, Y, "gradient", LAST)
    assert torch.allclose(gradient, gradient[:, :, :1, :1].expand_as(gradient))


def test_with_dense_layers_none_of_this_holds():
    model, x = net("fc"), images()
    found = compare(model, x, Y, ["grad_cam", "linear_approximation"], LAST)
    assert not torch.allclose(found["grad_cam", LAST], found["linear_approximation", LAST].relu(), rtol=0.1)
    one, other = (saliency(model, x, torch.full((3,), c), "normgrad", LAST) for c in (0, 3))
    assert (spearman(one, other) < 0.999).all()


@pytest.mark.parametrize("layer", [None, "body.relu1", "body.pool2", "body.relu3"])
@pytest.mark.parametrize("head", ["gap", "fc"])
def test_without_biases_the_linear_approximation_adds_up_to_the_logit(head, layer):
    model, x = net(head, bias=False), images()
    if head == "fc":
        nn.init.zeros_(model.body.fc5.bias)
    total = saliency(model, x, Y, "linear_approximation", layer).sum((1, 2, 3))
    assert torch.allclose(total, model(x)[range(3), Y], rtol=1e-9)


def test_the_linear_approximation_is_what_scaling_one_column_does():
    model, x = net(), images(1)
    found = saliency(model, x, 2, "linear_approximation", "body.relu2")[0, 0]
    logits, step = [], 1e-4
    for sign in (1, -1):
        handle = model.body.relu2.register_forward_hook(lambda m, i, out, s=sign: scaled(out, 1 + s * step))
        logits.append(model(x)[0, 2].item())
        handle.remove()
    assert found[4, 7].item() == pytest.approx((logits[0] - logits[1]) / (2 * step), rel=1e-5)


def scaled(out, factor):
    out = out.clone()
    out[:, :, 4, 7] *= factor
    return out


def test_normgrad_of_a_real_convolution():
    model, x = net(), images()
    found = saliency(model, x, Y, "normgrad_conv", "body.conv3")
    entered, gradients = [], []
    hooks = [
        model.body.conv3.register_forward_pre_hook(lambda m, inputs: entered.append(inputs[0])),
        model.body.conv3.register_forward_hook(lambda m, i, out: gradients.append(out)),
    ]
    [g] = torch.autograd.grad(model(x)[range(3), Y].sum(), gradients)
    for hook in hooks:
        hook.remove()
    assert torch.allclose(found, normgrad(entered[0], g, 3, padding=1), rtol=1e-10)


def test_above_the_last_relu_deconvnet_and_guided_backprop_are_the_gradient():
    model, x = net(), images()
    for method in ("deconvnet", "guided_backprop"):
        assert torch.allclose(saliency(model, x, Y, method, LAST), saliency(model, x, Y, "gradient", LAST))
        assert not torch.allclose(saliency(model, x, Y, method), saliency(model, x, Y, "gradient"), rtol=0.1)


# --- the call --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_maps_and_leaves_the_model_alone(method):
    model, x = net().train(), images(2).requires_grad_()
    model.body.norm2.eval()
    model.head.bias.grad = torch.ones(4, dtype=torch.float64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    options = CHEAP.get(method, {})
    found = saliency(model, x, Y[:2], method, layer_for(method), size=(24, 32), **options)
    assert found.shape == (2, 1, 24, 32) and found.isfinite().all() and not found.requires_grad
    assert found.dtype == torch.float64
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert x.grad is None and sum(p.grad is not None for p in model.parameters()) == 1
    assert all(p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(CHEAP)))
def test_a_batch_is_its_images_one_by_one(method):
    model, x, layer = net(), images(), layer_for(method)
    together = saliency(model, x, Y, method, layer)
    alone = torch.cat([saliency(model, x[n : n + 1], Y[n : n + 1], method, layer) for n in range(3)])
    assert torch.allclose(together, alone, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(
    "method", ["normgrad", "guided_backprop", "excitation_backprop", "linear_approximation"]
)
def test_several_layers_from_one_pass_are_those_from_several(method):
    model, x = net(), images()
    found = saliency(model, x, Y, method, [None, "body.relu2", model.body.relu3], size=24)
    assert list(found) == ["input", "body.relu2", "body.relu3"]
    for name, maps in found.items():
        alone = saliency(model, x, Y, method, None if name == "input" else name)
        assert torch.allclose(maps, to_size(alone, 24), rtol=1e-8, atol=1e-12)


def test_comparing_gives_what_single_calls_give():
    model, x = net(), images()
    methods = ["normgrad", "deconvnet", "grad_cam", "contrastive_excitation_backprop", "occlusion"]
    found = compare(model, x, Y, methods, [None, "body.relu3"])
    assert len(found) == 9 and ("occlusion", "body.relu3") not in found
    for (method, name), maps in found.items():
        alone = saliency(model, x, Y, method, None if name == "input" else name)
        assert torch.allclose(maps, alone, rtol=1e-8, atol=1e-12)


def test_a_meta_step_comes_first():
    model, x = net(), images(2)
    plain, up, down = (
        saliency(model, x, 1, layer="body.relu3", meta=e, sign=s) for e, s in ((0, 1), (0.05, -1), (0.05, 1))
    )
    tiny = saliency(model, x, 1, layer="body.relu3", meta=1e-9)
    assert torch.allclose(tiny, plain, rtol=1e-5) and not torch.allclose(up, down, rtol=1e-3)
    several = saliency(model, x, 1, layer=["body.relu3", None], meta=0.05)
    assert torch.allclose(several["body.relu3"], down, rtol=1e-10)


def test_options_reach_the_method():
    model, x = net(), images()
    assert not torch.allclose(
        saliency(model, x, Y, "normgrad", LAST), saliency(model, x, Y, "normgrad", LAST, kernel_size=3)
    )
    summed = saliency(model, x, Y, "guided_backprop", how="sum")
    assert (summed < 0).any()
    with pytest.raises(TypeError, match="kernel"):
        saliency(model, x, Y, "grad_cam", LAST, kernel_size=3)


def test_smoothing_keeps_the_mass_and_spreads_a_point():
    maps = torch.zeros(1, 1, 41, 61, dtype=torch.float64)
    maps[0, 0, 20, 30] = 1
    found = smooth(maps)
    deviation = 0.02 * 61
    for distance in (1, 2, 3):
        wanted = torch.tensor(-(distance**2) / (2 * deviation**2)).exp()
        assert found[0, 0, 20, 30 + distance] / found[0, 0, 20, 30] == pytest.approx(wanted.item(), rel=1e-6)
    assert found.sum() == pytest.approx(1) and torch.allclose(found[0, 0, 18, 30], found[0, 0, 20, 28])


@pytest.mark.parametrize(
    ("method", "layer", "says"),
    [
        ("gradcam", LAST, "There is no method 'gradcam', possible are gradient"),
        ("rise", LAST, "its layer is None"),
        ("normgrad_conv", LAST, "'body.relu4' is ReLU"),
        ("normgrad_conv", None, "'input' is the image"),
        ("cam", "body.relu3", "those of 'body.relu3' are not"),
        ("grad_cam", "body.relu9", "has no layer"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(method, layer, says):
    with pytest.raises(ValueError, match=says):
        saliency(net(), images(), Y, method, layer)


def test_cam_is_refused_where_no_average_is():
    with pytest.raises(ValueError, match="cam needs"):
        saliency(net("fc"), images(), Y, "cam", LAST)


def test_the_call_has_the_form_that_the_course_promises():
    assert list(inspect.signature(saliency).parameters)[:5] == ["model", "x", "y", "method", "layer"]
