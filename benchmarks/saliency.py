"""Saliency maps: the course's against Captum's and pytorch-grad-cam's, and NormGrad against its literal form.

    python -m benchmarks.saliency [--threads 1] [--rounds 9] [--record]

Goals: Grad-CAM, gradient and guided backprop at least 0.95 times as fast as Captum and 2.5 times as
pytorch-grad-cam (guided: 1.7 times); NormGrad's aggregation for 3x3 kernels 100 times as fast as the gradient
of the virtual layer taken location by location; NormGrad at four layers from one backward pass 2.5 times as
fast as from four. The peers are raced where they are installed; they are no dependencies of the course.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from benchmarks.common import arguments, race, ratios, record
from course_lib.methods.saliency import normgrad, saliency, spatial_contributions
from course_lib.nets import TinyVGG

OURS, CAPTUM, CAM = "ours", "Captum", "pytorch-grad-cam"
LITERAL, CONTRIBUTIONS, FOUR_PASSES = "gradient by location", "outer products, then norms", "four passes"
LAYERS = ("layer1", "layer2", "layer3", "layer4")
GOALS = {
    "Grad-CAM": {CAPTUM: 0.95, CAM: 2.5},
    "gradient": {CAPTUM: 0.95},
    "guided backprop": {CAPTUM: 0.95, CAM: 1.7},
    "NormGrad, 3x3 aggregation": {LITERAL: 100},
    "NormGrad, four layers": {FOUR_PASSES: 2.5},
}
Contest = dict[str, Callable[[], Tensor]]


def resnet() -> nn.Module:
    """A ResNet-18 with random weights, whose statistics have seen some images."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18()
    with torch.no_grad():
        net(torch.randn(16, 3, 64, 64))
    return net.eval()


def images(n: int, side: int = 224) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def grad_cams(net: nn.Module, layer: str, x: Tensor, y: Tensor) -> Contest:
    """Grad-CAM at the size of its layer, the positive part alone."""
    found: Contest = {OURS: lambda: saliency(net, x, y, "grad_cam", layer)}
    module = net.get_submodule(layer)
    if captum := _captum():
        theirs = captum.LayerGradCam(net, module)
        found[CAPTUM] = lambda: theirs.attribute(x, target=y, relu_attributions=True).detach()
    if cams := _pytorch_grad_cam():
        targets = [cams["target"](int(c)) for c in y]

        def peer() -> Tensor:
            with cams["cam"](model=net, target_layers=[module]) as cam:
                return torch.from_numpy(np.array(cam(input_tensor=x, targets=targets)))[:, None]

        found[CAM] = peer
    return found


def gradients(net: nn.Module, x: Tensor, y: Tensor) -> Contest:
    """The gradient of the logit at the image, largest size over the channels."""
    found: Contest = {OURS: lambda: saliency(net, x, y, "gradient")}
    if captum := _captum():
        theirs = captum.Saliency(net)
        found[CAPTUM] = lambda: theirs.attribute(x, target=y, abs=True).amax(1, keepdim=True)
    return found


def guided(net: nn.Module, x: Tensor, y: Tensor) -> Contest:
    """Guided backprop at the image, largest size over the channels; pytorch-grad-cam explains one image."""
    found: Contest = {OURS: lambda: saliency(net, x, y, "guided_backprop")}
    if captum := _captum():
        theirs = captum.GuidedBackprop(net)
        found[CAPTUM] = lambda: theirs.attribute(x, target=y).abs().amax(1, keepdim=True).detach()
    if (cams := _pytorch_grad_cam()) and len(x) == 1:
        model = cams["guided"](model=net, device="cpu")

        def peer() -> Tensor:
            signal = model(x, target_category=int(y))  # (H, W, 3) of NumPy
            return torch.from_numpy(signal.copy()).abs().amax(2)[None, None]

        found[CAM] = peer
    return found


def aggregations() -> Contest:
    """NormGrad of a virtual 3x3 identity on 64 maps of 28x28, from the activation and the gradient."""
    generator = torch.Generator().manual_seed(2)
    x, g = torch.randn(2, 1, 64, 28, 28, generator=generator).unbind()

    def by_location() -> Tensor:
        """The gradient of the identity's kernel, with the signal of one location at a time."""
        kernel = torch.zeros(64, 64, 3, 3)
        kernel[range(64), range(64), 1, 1] = 1
        kernel.requires_grad_()
        out = F.conv2d(x, kernel, padding=1)
        result = torch.empty(28, 28)
        for row in range(28):
            for column in range(28):
                alone = torch.zeros_like(g)
                alone[..., row, column] = g[..., row, column]
                [gradient] = torch.autograd.grad(out, kernel, alone, retain_graph=True)
                result[row, column] = gradient.norm()
        return result[None, None]

    def with_products() -> Tensor:
        return spatial_contributions("conv", x, g, 3).flatten(1, 2).norm(dim=1, keepdim=True)

    return {OURS: lambda: normgrad(x, g, 3), LITERAL: by_location, CONTRIBUTIONS: with_products}


def four_layers(net: nn.Module, x: Tensor, y: Tensor) -> Contest:
    """NormGrad after each of the four stages, joined into one tensor for the comparison."""

    def together() -> Tensor:
        return _joined(saliency(net, x, y, "normgrad", LAYERS).values())

    def one_by_one() -> Tensor:
        return _joined([saliency(net, x, y, "normgrad", layer) for layer in LAYERS])

    return {OURS: together, FOUR_PASSES: one_by_one}


def contests() -> dict[str, Contest]:
    """Every race, by name and net."""
    net, x, y = resnet(), images(4), torch.tensor([3, 500, 17, 999])
    tiny = TinyVGG().eval()
    small, classes = images(32, 48), torch.arange(32) % 6
    return {
        "Grad-CAM, ResNet-18": grad_cams(net, "layer4", x, y),
        "Grad-CAM, TinyVGG": grad_cams(tiny, "body.relu4", small, classes),
        "gradient, ResNet-18": gradients(net, x, y),
        "gradient, TinyVGG": gradients(tiny, small, classes),
        "guided backprop, ResNet-18": guided(net, x[:1], y[:1]),
        "guided backprop, TinyVGG": guided(tiny, small, classes),
        "NormGrad, 3x3 aggregation, 64 maps of 28x28": aggregations(),
        "NormGrad, four layers, ResNet-18": four_layers(net, x, y),
    }


def difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of two sets of maps, each scaled to lie in [0, 1]: one peer gives no more.

    pytorch-grad-cam brings its maps to the size of the image; ours are then brought there bilinearly.
    """
    if one.shape != other.shape:
        one = F.interpolate(_scaled(one), other.shape[2:], mode="bilinear", align_corners=False)
    return (_scaled(one) - _scaled(other)).abs().max().item()


def _scaled(maps: Tensor) -> Tensor:
    low, high = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
    return (maps - low) / torch.where(high > low, high - low, 1)  # a constant map becomes 0


def _joined(maps) -> Tensor:
    return torch.cat([each.flatten(1) for each in maps], 1)[:, None, None]


def _captum():
    try:
        import captum.attr
    except ImportError:
        return None
    return captum.attr


def _pytorch_grad_cam() -> dict:
    try:
        from pytorch_grad_cam import GradCAM, GuidedBackpropReLUModel
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return {}
    return {"cam": GradCAM, "guided": GuidedBackpropReLUModel, "target": ClassifierOutputTarget}


def goal(title: str, peer: str) -> float | None:
    """How many times as fast ours should be."""
    [kind] = [kind for kind in GOALS if title.startswith(kind)]
    return GOALS[kind].get(peer)


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    measured: dict[str, dict] = {}
    for title, contest in contests().items():
        ours = contest[OURS]()
        apart = {name: difference(ours, run()) for name, run in contest.items() if name != OURS}
        best = race(contest, options.rounds)
        measured[title] = {}
        print(f"{title}: ours takes {best[OURS] * 1e3:.2f} ms, longer takes")
        for peer, ratio in ratios(best, OURS).items():
            measured[title][peer] = {"ratio": round(ratio, 2), "difference": apart[peer]}
            print(f"  {ratio:8.2f} x  {peer}   (goal: {goal(title, peer)}; maps differ by {apart[peer]:.1e})")
    if options.record:
        print(record("saliency", "maps", {"torchvision": torchvision.__version__, "ratios": measured}))


if __name__ == "__main__":
    main()
