"""Wrong answers to saliency.modified_relu: other signals back, other values forward."""

import torch

from course_lib.grading.task import Misconception


def guided(z, p):
    return p.clamp(min=0) * (z > 0)


def deconvnet(z, p):
    return p.clamp(min=0)


def plain(z, p):
    return p * (z > 0)


def rectified(z):
    return z.clamp(min=0)


def going_back(guided=guided, deconvnet=deconvnet, forward=rectified):
    """An answer from the signal that each rule lets back, as a function of the input z and the signal p."""
    rules = {"guided": guided, "deconvnet": deconvnet}

    class Rectifier(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, rule):
            ctx.save_for_backward(z.clone())
            ctx.rule = rule
            return forward(z)

        @staticmethod
        def backward(ctx, p):
            return rules[ctx.rule](*ctx.saved_tensors, p), None

    return lambda z, rule: Rectifier.apply(z, rule)


def both(rule):
    return going_back(rule, rule)


def remembers_one_call():
    """The mask stands in one place for all calls, so it is that of the last one."""
    last = {}

    class Rectifier(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z, rule):
            last["output"], ctx.rule = rectified(z), rule
            return last["output"]

        @staticmethod
        def backward(ctx, p):
            mask = last["output"] > 0
            positive = p.clamp(min=0)
            fits = ctx.rule == "guided" and mask.shape == p.shape
            return (positive * mask if fits else positive), None

    return lambda z, rule: Rectifier.apply(z, rule)


MISCONCEPTIONS = (
    Misconception(
        "guided without mask",
        going_back(guided=deconvnet),
        "Guided looks at the signal alone, which is the deconvnet. "
        "It also stops the signal where the ReLU's own input was not positive.",
    ),
    Misconception(
        "deconvnet with mask",
        going_back(deconvnet=guided),
        "The deconvnet looks at the input as well, which is guided. "
        "It asks only whether the signal is positive.",
    ),
    Misconception(
        "rules exchanged",
        going_back(deconvnet, guided),
        "The two rules are exchanged: guided is the one that also looks at the input.",
    ),
    Misconception(
        "plain ReLU",
        both(plain),
        "Both rules let back what any ReLU does, p where z > 0. "
        "Negative signals must stop as well, whatever the rule.",
    ),
    Misconception(
        "guided lets negative signals through",
        going_back(guided=plain),
        "Guided lets negative signals through, as any ReLU does. Stop them: p where z > 0 and p > 0.",
    ),
    Misconception(
        "deconvnet is a plain ReLU",
        going_back(deconvnet=plain),
        "The deconvnet looks at the input z as any ReLU does. It looks at the signal instead: p where p > 0.",
    ),
    Misconception(
        "mask of another call",
        remembers_one_call(),
        "The mask is that of the last call. A network calls its ReLU many times before the first signal "
        "comes back: keep z in the context of each call, ctx.save_for_backward(z).",
    ),
    Misconception(
        "size of the signal",
        going_back(lambda z, p: p.abs() * (z > 0), lambda z, p: p.abs()),
        "Negative signals come back as positive ones. Set them to 0.",
    ),
    Misconception(
        "negative signals only",
        going_back(lambda z, p: p.clamp(max=0) * (z > 0), lambda z, p: p.clamp(max=0)),
        "The negative signals go back and the positive ones stop. Do it the other way round.",
    ),
    Misconception(
        "zero counts as positive",
        going_back(guided=lambda z, p: p.clamp(min=0) * (z >= 0)),
        "Where the input is exactly 0, guided lets the signal through. The ReLU is silent there: z > 0.",
    ),
    Misconception(
        "input times signal",
        going_back(lambda z, p: p.clamp(min=0) * z.clamp(min=0)),
        "Guided multiplies the signal with the input. The input only decides whether the signal passes.",
    ),
    Misconception(
        "sign of the product",
        going_back(guided=lambda z, p: p * (p * z > 0)),
        "Guided lets the signal back where p z > 0, so also where both are negative. Both must be positive.",
    ),
    Misconception(
        "marks instead of signals",
        going_back(lambda z, p: ((p > 0) & (z > 0)).to(p), lambda z, p: (p > 0).to(p)),
        "1 goes back where the signal may pass. Send back the signal itself.",
    ),
    Misconception(
        "nothing stops",
        both(lambda z, p: p),
        "Every signal goes back as it is. The rules stop some of them.",
    ),
    Misconception(
        "no ReLU forward",
        going_back(forward=lambda z: z.clone()),
        "The output is z itself. On the way forward this is a ReLU like any other.",
    ),
    Misconception(
        "size forward",
        going_back(forward=lambda z: z.abs()),
        "The output is |z|. On the way forward this is a ReLU: negative numbers become 0.",
    ),
    Misconception(
        "leaky forward",
        going_back(forward=lambda z: torch.where(z > 0, z, 0.01 * z)),
        "The output leaks where z is negative. A ReLU gives 0 there.",
    ),
    Misconception(
        "written in place",
        lambda z, rule: going_back()(z, rule) + 0 * z.detach().clamp_(min=0),
        "The ReLU writes into its input, which belongs to the layer before. Make a new tensor.",
    ),
)
