"""A training step through ``fit``: what channels_last and bfloat16 gain, and what the loop itself costs.

    python -m benchmarks.training_step [--net convnet] [--batch 128] [--threads 1] [--record]

Goals: channels_last at least 1.3 times as fast as a plain loop, with bfloat16 at least 2 times where the CPU
computes in it (AVX512-BF16 or AMX). Otherwise the loop costs nothing to speak of.
"""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from benchmarks.common import arguments, race, ratios, record
from course_lib import nets, training

STEPS = 8
PLAIN = "a plain loop"
FORMS = {
    "fit": {"precision": "float32", "channels_last": False},
    "fit, channels_last": {"precision": "float32", "channels_last": True},
    "fit, bfloat16": {"precision": "bfloat16", "channels_last": False},
    "fit, channels_last and bfloat16": {"precision": "bfloat16", "channels_last": True},
}
Batches = list[tuple[torch.Tensor, torch.Tensor]]


def plain_loop(net: str, batches: Batches) -> Callable[[], None]:
    """A contestant: what one would write without the library."""
    model, optimizer = made(net)

    def run() -> None:
        for x, y in batches:
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()

    return run


def through_fit(net: str, batches: Batches, options: dict[str, str | bool]) -> Callable[[], object]:
    """A contestant: the same steps through the course's loop."""
    model, optimizer = made(net)
    return lambda: training.fit(
        model, batches, training.cross_entropy, optimizer=optimizer, epochs=1, progress=False, **options
    )


def made(net: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nets.build(net)
    return model, torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--net", choices=nets.names(), default="convnet", help="(default: convnet)")
    parser.add_argument("--batch", type=int, default=128, help="images in a batch (default: 128)")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)

    batches = [(torch.randn(options.batch, 3, 28, 28), torch.arange(options.batch) % 10)] * STEPS
    contestants = {PLAIN: plain_loop(options.net, batches)}
    contestants |= {name: through_fit(options.net, batches, form) for name, form in FORMS.items()}
    best = race(contestants, options.rounds)
    faster = {name: 1 / ratio for name, ratio in ratios(best, PLAIN).items()}

    print(f"{options.net}, batches of {options.batch}: {best[PLAIN] / STEPS * 1e3:.1f} ms a step in {PLAIN}")
    for name, ratio in faster.items():
        print(f"  {ratio:5.2f} x as fast  {name}")
    if options.record:
        rounded = {name: round(ratio, 2) for name, ratio in faster.items()}
        print(record("training_step", f"{options.net} batch={options.batch}", {"times as fast": rounded}))


if __name__ == "__main__":
    main()
