"""Time and size of the HTML report about many photographs.

Made-up explanations of digit scenes at 224 x 224 pixels; the photographs are these scenes,
enlarged to 512 x 512 with the noise of a camera, as JPEG files, each of which is read again for
every image that shows it.  The page has all images, and true labels.

    OMP_NUM_THREADS=1 python benchmarks/report.py --json benchmarks/results/report.json
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import Figures, finish, parser
from PIL import Image

from p2pselect import images
from p2pselect.explanations import Explanation, example_explanation

#: Number of different scenes; more images than that repeat them.
N_SCENES = 50


def photographed(exp: Explanation, folder: Path, side: int) -> Explanation:
    """The explanation with photographs of its images, in files."""
    rng = np.random.default_rng(0)
    files = []
    for number, image in enumerate(exp.images):
        large = np.asarray(
            Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        )
        pixels = (large + rng.normal(0, 6, large.shape)).clip(0, 255).astype(np.uint8)
        files.append(folder / f"{number}.jpg")
        Image.fromarray(pixels).save(files[-1], quality=90)
    sizes = np.full((len(exp), 2), side)
    return replace(exp, originals=images.as_images(files), original_sizes=sizes)


def measure(sizes: list[int], n_scenes: int = N_SCENES, side: int = 512) -> Figures:
    """CPU seconds and megabytes of the report, by number of images."""
    made = example_explanation(n_scenes, 224, 100)
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as name:
        exp = photographed(made.explanation, Path(name), side)
        for n in sizes:
            rows = np.arange(n) % n_scenes
            page = Path(name) / "report.html"
            start = time.process_time()
            exp[rows].to_html(page, y=made.y[rows], max_images=n)
            figures[f"seconds_{n}"] = time.process_time() - start
            figures[f"megabytes_{n}"] = page.stat().st_size / 1e6
    return figures


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument(
        "--images", type=int, nargs="+", default=[500, 1000, 2000, 4000]
    )
    options = options_parser.parse_args()
    measure([4], n_scenes=4)  # whatever is loaded at first use
    finish(measure(options.images), options.json)


if __name__ == "__main__":
    main()
