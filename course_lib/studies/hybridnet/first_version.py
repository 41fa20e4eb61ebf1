"""The first version of HybridNet, with SHADE: early fusion by addition (§3.4.2 and Fig. 3.7)."""

from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch

from course_lib.methods.hybrid_losses import COURSE
from course_lib.methods.hybrid_training import HybridLoss, Weights
from course_lib.methods.hybridnet import HybridNet
from course_lib.methods.shade import Shade
from course_lib.studies.hybridnet.setting import Setting
from course_lib.studies.hybridnet.shared import Images, Line, make_net, minimise, two_streams

NETS = {
    "supervised": Line("cls"),
    "swwae": Line("ae", rec=True, up_c="unpool"),
    "hybrid": Line(rec=True, fusion="early_add"),
}


@dataclass(frozen=True)
class Row:
    """A row of Table 3.2: one of ``NETS``, with weight decay or with SHADE on E_c and C."""

    net: str
    weight_decay: bool = False
    shade: bool = False


@dataclass(frozen=True)
class FirstVersion(Setting):
    """How the nets of the first version are trained.

    Attributes:
        decay_weight: λ of ½ λ ‖w‖² where a row has weight decay.
        shade_weight: of SHADE where a row has it.
    """

    decay_weight: float = 1e-3
    shade_weight: float = 0.1


def train_row(config: FirstVersion, row: Row, streams: Images, seed: int) -> HybridNet:
    """Train the net of a row: labelled and unlabelled images together."""
    torch.manual_seed(seed)
    line = NETS[row.net]
    net = make_net(config, line, streams)
    shade = Shade(net.deployed, include_logits=net.classifier[-1], update_first=True) if row.shade else None
    loss = HybridLoss(
        Weights(
            rec=config.rec if line.rec else 0.0, inter=0.0, extra=config.shade_weight if row.shade else 0.0
        ),
        balanced=False,
        noise=config.noise,
        convention=COURSE,
        penalty=shade.penalty if shade else None,
    )
    decayed = replace(config, weight_decay=config.decay_weight if row.weight_decay else 0.0)
    with shade or nullcontext():
        minimise(decayed, net, loss, two_streams(config, streams, seed))
    return net
