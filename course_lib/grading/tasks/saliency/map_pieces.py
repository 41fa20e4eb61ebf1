"""A right answer to saliency.maps in pieces, and the pieces that are wrong."""

import torch
from torch.nn import functional as F

from course_lib.grading.mode_pieces import evaluating


def norm(t):
    return t.square().sum(1, keepdim=True).sqrt()


FORMULAS = {
    "gradient": lambda x, g, w: g.abs().amax(1, keepdim=True),
    "linear_approximation": lambda x, g, w: (g * x).sum(1, keepdim=True),
    "grad_cam": lambda x, g, w: (g.mean((2, 3), keepdim=True) * x).sum(1, keepdim=True).relu(),
    "cam": lambda x, g, w: (w[:, :, None, None] * x).sum(1, keepdim=True),
    "normgrad": lambda x, g, w: norm(g) * norm(x),
    "selective_normgrad": lambda x, g, w: norm((g * x).relu()),
}


def of_class(logits, y):
    return logits.gather(1, y[:, None]).sum()


def its_row(model, y):
    return model.head.weight.detach()[y]


def its_own_copy(output):
    """What is looked at, where the gradient is taken, and what the rest of the net gets."""
    return output, output, output.clone()


def by_autograd(model, score, tensor):
    return torch.autograd.grad(score, tensor)[0]


def answering(
    score=of_class, keep=its_own_copy, mode=evaluating, derive=by_autograd, row=its_row, remove=True,
    image=lambda x: x.detach().clone().requires_grad_(), before=lambda model: None,
    finish=lambda made, x: made.detach(), entering=False, **formulas,
):  # fmt: skip
    """An answer from its pieces; each argument is one thing to get wrong."""

    def answer(model, x, y, layer, method):
        kept, start = [], image(x)

        def caught(module, given, output=None):
            seen, where, onwards = keep(given[0] if entering else output)
            kept.append((seen, where))
            return onwards

        before(model)
        with mode(model):
            if layer is None:
                kept.append((start, start))
                logits = model(start)
            else:
                module = model.get_submodule(layer)
                hook = module.register_forward_pre_hook if entering else module.register_forward_hook
                handle = hook(caught)
                logits = model(start)
                if remove:
                    handle.remove()
            seen, where = kept[-1]
            g = derive(model, score(logits, y), where)
        formula = formulas.get(method, FORMULAS[method])
        return finish(formula(seen, g, row(model, y)), x)

    return answer


# --- the pieces that are wrong ----------------------------------------------------------------


def cross_entropy(logits, y):
    return F.cross_entropy(logits, y, reduction="sum")


def of_probability(logits, y):
    return of_class(logits.softmax(1), y)


def of_the_likeliest(logits, y):
    return logits.amax(1).sum()


def overwritten(output):
    return output, output, output


def stored_before(output):
    return output.clone(), output, output


def by_backward(model, score, tensor):
    tensor.retain_grad()
    score.backward()
    return tensor.grad


def by_backward_wiped(model, score, tensor):
    tensor.retain_grad()
    score.backward()
    model.zero_grad()
    return tensor.grad


def min_max(made, x):
    low, high = made.amin((2, 3), keepdim=True), made.amax((2, 3), keepdim=True)
    return ((made - low) / (high - low).clamp(min=1e-12)).detach()


def enlarged(made, x):
    return F.interpolate(made.detach(), size=x.shape[2:], mode="bilinear", align_corners=False)
