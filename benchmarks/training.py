"""What a training step of P2P costs over the two networks it trains.

Times one step of ``P2PObjective`` (forward and backward, regions given) against the bare
forward and backward of selector and classifier on the same batch: CPU time, interleaved,
medians.  64 px uses ``presets.SMALL``'s networks, 224 px the default ones.

    python benchmarks/training.py --json training.json
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.objectives.base import Step
from p2pselect.objectives.p2p import P2PObjective

CASES = {
    64: ({**presets.SMALL}, 32),
    224: ({"pretrained": False}, 8),
}


def measure(image_size: int, repeats: int) -> float:
    """Median CPU time of a step over that of its two networks."""
    settings, batch_size = CASES[image_size]
    torch.manual_seed(0)
    model = P2PClassifier(**settings)._build_model(10).to(memory_format=torch.channels_last)
    model.train()
    scenes = datasets.make_digit_scenes(batch_size, image_size=image_size, random_state=0)
    propose = SuperpixelTransformer(n_segments=64 if image_size == 64 else 100)
    images = torch.tensor(scenes.images).permute(0, 3, 1, 2).float() / 255
    step = Step(
        model,
        images,
        torch.tensor(propose.propose_batch(scenes.images)).long(),
        torch.tensor(scenes.target),
        torch.arange(batch_size),
        progress=0.5,
    )
    objective = P2PObjective()

    def bare() -> None:
        # A loss of a sum keeps the backward pass of each network whole.
        loss = model.selector(images).square().mean() + model.classifier(images).square().mean()
        loss.backward()

    def p2p() -> None:
        sum(term.mean() for term in objective(step).values()).backward()

    times: dict[str, list[float]] = {"bare": [], "p2p": []}
    for _ in range(repeats):
        for name, run in (("bare", bare), ("p2p", p2p)):
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
            model.zero_grad()
    bare_ms, p2p_ms = (1e3 * float(np.median(times[name][2:])) for name in ("bare", "p2p"))
    print(f"{image_size} px, batch {batch_size}: bare {bare_ms:.0f} ms, P2P {p2p_ms:.0f} ms")
    return p2p_ms / bare_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=22)
    options = parser.parse_args()
    figures = {f"step_overhead_{size}": measure(size, options.repeats) for size in CASES}
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
