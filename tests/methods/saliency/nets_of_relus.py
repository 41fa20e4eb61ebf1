"""One small net for each form in which a ReLU can be written; all have the same weights."""

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.methods.saliency.modified_relu import backward_rule

RULES = ["deconvnet", "guided"]

FORMS = {
    "nn.ReLU": lambda: nn.ReLU(),
    "nn.ReLU in place": lambda: nn.ReLU(inplace=True),
    "F.relu": lambda: lambda z: F.relu(z),
    "F.relu, named": lambda: lambda z: F.relu(input=z),
    "F.relu in place": lambda: lambda z: F.relu(z, inplace=True),
    "F.relu in place, by position": lambda: lambda z: F.relu(z, True),
    "F.relu_": lambda: lambda z: F.relu_(z),
    "torch.relu": lambda: lambda z: torch.relu(z),
    "torch.relu, named": lambda: lambda z: torch.relu(input=z),
    "torch.relu_": lambda: lambda z: torch.relu_(z),
    "Tensor.relu": lambda: lambda z: z.relu(),
    "Tensor.relu_": lambda: lambda z: z.relu_(),
    "in place, result unused": lambda: _result_unused,
}


IN_PLACE = [form for form in FORMS if "in place" in form or form.endswith("_")]


def _result_unused(z):
    z.relu_()
    return z


class Net(nn.Module):
    """conv, ReLU, conv, plus what the ReLU left of its input, ReLU, pooling, linear.

    ``out`` is used again behind the first ReLU: an in-place form must have changed it, another must not.
    A module is the same one both times.
    """

    def __init__(self, form):
        super().__init__()
        torch.manual_seed(4)
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 4)
        self.relu = FORMS[form]()
        self.double()

    def forward(self, x):
        out = self.first(x)
        h = self.second(self.relu(out)) + out
        return self.head(self.relu(h).mean((2, 3)))


def images(n=3):
    return torch.randn(n, 2, 5, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def signal(net, x, rule=None, c=1):
    """The signal at the image for the logit of one class, under a rule; the gradient without one."""
    x = x.clone().requires_grad_()
    if rule is None:
        outputs = net(x.clone())
    else:
        with backward_rule(rule):
            outputs = net(x.clone())
    return torch.autograd.grad(outputs[:, c].sum(), x)[0]
