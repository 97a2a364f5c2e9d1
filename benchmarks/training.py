"""What a training step of P2P costs beyond its two networks, and how to make it cheap.

Times one step of ``P2PObjective`` (forward and backward, regions given) of the default networks
against the bare forward and backward passes of selector and classifier on the same batch: CPU
time in one thread (with several, the time they wait for each other would count), interleaved,
medians.

At 224 px also images per second over those of the released configuration: both networks at full
size, in 32 bits, with torch's own memory layout and dilated convolutions, and without anything
that its objective costs beyond them.  "full" is what P2P does by default, with the same result;
the others are cheaper steps.  ``precision="bf16-mixed"`` is fast only on processors that
compute with such numbers.  The fastest is what counts.

    python benchmarks/training.py --json training.json
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from bfloat16 import is_fast
from measuring import Figures, finish, interleaved, medians, parser
from torch import nn

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets
from p2pselect.nn._dilation import PhasedConv2d
from p2pselect.training._phases import Step, set_training

#: Images per batch by their side in pixels; the released configuration has the larger side.
BATCH = {64: 32, 224: 8}
CHEAP = {
    "bf16": {"training__precision": "bf16-mixed"},
    "frozen_half": {"networks__frozen_share": 0.5},
    "selector_160": {"networks__selector_image_size": 160},
    "selector_96": {"networks__selector_image_size": 96},
    "selector_160_frozen_half": {
        "networks__selector_image_size": 160,
        "networks__frozen_share": 0.5,
    },
    # As in presets.PHOTOS: the better model, too.
    "random_masks_frozen_half": {
        "objective__random_share": 0.7,
        "networks__frozen_share": 0.5,
    },
    "random_masks_frozen_half_selector_160": {
        "objective__random_share": 0.7,
        "networks__frozen_share": 0.5,
        "networks__selector_image_size": 160,
    },
}


class Case:
    """Networks and a batch of one image size."""

    def __init__(self, image_size: int, **settings):
        clf = P2PClassifier(pretrained=False, image_size=image_size, max_epochs=0)
        # The paper's objective, in which both networks see every image, unless told otherwise.
        clf.set_params(validation=None, augment=None, objective__random_share=0.0)
        clf.set_params(random_state=0, **settings)
        scenes = datasets.make_digit_scenes(BATCH[image_size], image_size, random_state=0)
        regions = SuperpixelTransformer(n_segments=100).propose_batch(scenes.images)
        self.model = clf.fit(scenes.images, scenes.target, regions=regions).module_
        joint = clf._phases()[-1]
        joint.begin(self.model, None)
        set_training(self.model, joint)
        self.objective = joint.objective
        self.step = Step(
            self.model,
            torch.tensor(scenes.images).permute(0, 3, 1, 2).float() / 255,
            torch.tensor(regions).long(),
            torch.tensor(scenes.target),
            torch.arange(len(regions)),
            progress=0.5,
        )

    def as_released(self) -> "Case":
        self.model.to(memory_format=torch.contiguous_format)
        self.step = replace(self.step, images=self.step.images.contiguous())
        for module in self.model.modules():
            if isinstance(module, PhasedConv2d):
                module.forward = partial(nn.Conv2d.forward, module)
        return self

    def bare(self) -> None:
        self.model.zero_grad()
        # Summing up all outputs keeps the backward pass of each network whole.
        networks = (self.model.selector, self.model.classifier)
        sum(network(self.step.images).square().mean() for network in networks).backward()

    def p2p(self) -> None:
        self.model.zero_grad()
        sum(term.mean() for term in self.objective(self.step).values()).backward()


def step_runs(image_size: int) -> dict[str, Callable[[], None]]:
    """A step of P2P, and its networks alone."""
    case = Case(image_size)
    return {"bare": case.bare, "p2p": case.p2p}


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--repeats", type=int, default=20)
    options = options_parser.parse_args()
    torch.set_num_threads(1)
    figures: Figures = {}
    for image_size in BATCH:
        runs = step_runs(image_size)
        if image_size == max(BATCH):
            runs["released"] = Case(image_size).as_released().bare
            for name, settings in CHEAP.items():
                runs[name] = Case(image_size, **settings).p2p
        slow = () if is_fast() else ("bf16",)
        seconds = medians(interleaved(runs, options.repeats, warm_up=2, slow=slow))
        figures[f"step_overhead_{image_size}"] = seconds["p2p"] / seconds["bare"]
        if "released" in seconds:
            gains = {name: seconds["released"] / seconds[name] for name in ("p2p", *CHEAP)}
            figures["throughput_full_224"] = gains.pop("p2p")
            figures |= {f"throughput_{name}_224": gain for name, gain in gains.items()}
            figures["throughput_over_released_224"] = max(gains.values())
    finish(figures, options.json)


if __name__ == "__main__":
    main()
