"""Speed and quality of the region engines.

Speed: CPU time of one thread per image of 224 x 224 with 100 segments, interleaved medians, on
photographs that come with scikit-image.  Quality, compared with annotated segmentations:

* boundary recall: share of true boundary pixels with a region boundary within 2 pixels;
* undersegmentation error (Neubert & Protzel): pixels that regions leak across true borders;
* achievable segmentation accuracy: pixels that are right if every region gets its best segment;
* contour density: share of pixels on a region boundary.  It buys recall; hence "slic at equal
  density" is our SLIC with as many segments as give it the density of scikit-image's SLIC.

The truth is BSDS500 (--bsds: a folder with images/test and groundTruth/test somewhere below,
central square at 224 pixels, all annotators averaged) or the object masks of emoji_scenes
(--emoji, or the environment variable P2PSELECT_EMOJI_SCENES).  In the JSON file, keys without a
suffix belong to the first of these that is given.

    python benchmarks/superpixels.py --bsds BSDS500 --emoji emoji_scenes --json regions.json
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measuring import Figures, finish, interleaved, medians, parser
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import maximum_filter
from skimage import data

from p2pselect import SuperpixelTransformer
from p2pselect.datasets import load_emoji_scenes
from p2pselect.regions._engines import ENGINES

SIDE = 224
MEASURES = (
    "boundary_recall",
    "undersegmentation_error",
    "asa",
    "contour_density",
    "n_regions",
)
Truths = list[np.ndarray]
Propose = Callable[[np.ndarray], np.ndarray]

# Each engine scales compactness in its own way; 20 is customary for these two.
PARAMETERS = {"skimage-slic": {"compactness": 20.0}, "fast_slic": {"compactness": 20.0}}
MATCHING = (60, 70, 80, 90, 100)  # numbers of segments between which equal density lies
FEW = {"quickshift": 20, "felzenszwalb": 100}  # images that slow engines are judged on


def main() -> None:
    options_parser = parser(__doc__)
    emoji = os.environ.get("P2PSELECT_EMOJI_SCENES")
    options_parser.add_argument("--bsds", type=Path, help="folder of BSDS500")
    options_parser.add_argument("--emoji", type=Path, default=emoji, help="of emoji_scenes")
    options_parser.add_argument("--quick", action="store_true", help="20 images, 5 repeats")
    options = options_parser.parse_args()
    engines = [name for name in ENGINES if name != "pixel" and available(name)]
    figures = speed(engines, repeats=5 if options.quick else 25)
    truths = {}
    if options.bsds is not None:
        truths["bsds"] = list(bsds(options.bsds))
    if options.emoji is not None:
        truths["emoji_scenes"] = list(emoji_scenes(options.emoji))
    for number, (name, pairs) in enumerate(truths.items()):
        suffix = "" if number == 0 else f"_{name}"
        figures[f"ground_truth{suffix}"] = name
        figures |= quality(engines, pairs[: 20 if options.quick else None], suffix)
    finish(figures, options.json)


def available(engine: str) -> bool:
    try:
        SuperpixelTransformer(engine=engine).propose(np.zeros((32, 32, 3), np.uint8))
    except ValueError:
        return False
    return True


def transformer(engine: str, **parameters: object) -> SuperpixelTransformer:
    return SuperpixelTransformer(engine=engine, **{**PARAMETERS.get(engine, {}), **parameters})


def photographs() -> np.ndarray:
    """Four photographs, uint8 (4, 224, 224, 3)."""
    pictures = (data.astronaut(), data.coffee(), data.chelsea(), data.rocket())
    return np.stack([central_square(picture[..., :3]) for picture in pictures])


def central_square(image: np.ndarray) -> np.ndarray:
    window = square_window(*image.shape[:2])
    small = Image.fromarray(image[window]).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def square_window(h: int, w: int) -> tuple[slice, slice]:
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return slice(top, top + side), slice(left, left + side)


# -- speed ---------------------------------------------------------------------------------


def engine_runs(engines: list[str], images: np.ndarray) -> dict[str, Callable[[], object]]:
    """The engines on all images, each called once: the first call compiles."""
    runs: dict[str, Callable[[], object]] = {}
    for name in engines:
        each = transformer(name)
        runs[name] = lambda each=each: [each.propose(image) for image in images]
        runs[name]()
    return runs


def speed(engines: list[str], repeats: int) -> Figures:
    images = photographs()
    runs = engine_runs(engines, images)
    half = SuperpixelTransformer(resolution=SIDE // 2)
    runs["slic, resolution 112"] = lambda: half.transform(images)
    with tempfile.TemporaryDirectory() as folder:
        cached = SuperpixelTransformer(cache_dir=folder)
        runs["slic, from the cache"] = lambda: cached.transform(images)
        seconds = interleaved(runs, repeats, warm_up=1, slow=("quickshift", "felzenszwalb"))
    cpu = {name: value / len(images) for name, value in medians(seconds).items()}
    figures: Figures = {f"cpu_ms_{name}": 1000 * value for name, value in cpu.items()}
    figures["speed_ratio_skimage"] = cpu["skimage-slic"] / cpu["slic"]
    figures["threads_2_speedup"] = threads_speedup(images, repeats)
    figures["first_call_seconds"] = first_call()
    return figures


def threads_speedup(images: np.ndarray, repeats: int) -> float:
    """Wall time of one thread over that of two."""
    batch = np.concatenate([images] * 16)
    one, two = (SuperpixelTransformer(n_jobs=n) for n in (1, 2))
    ratios = []
    for _ in range(repeats):
        start = time.perf_counter()
        one.propose_batch(batch)
        between = time.perf_counter()
        two.propose_batch(batch)
        ratios.append((between - start) / (time.perf_counter() - between))
    return float(np.median(ratios))


def first_call() -> float:
    """CPU seconds of the first call in a process that has nothing compiled."""
    code = (
        "import time, numpy as np; from p2pselect import SuperpixelTransformer as T;"
        "x = np.zeros((64, 64, 3), np.uint8); start = time.process_time(); T().propose(x);"
        "print(time.process_time() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=True
        )
    return float(run.stdout)


# -- quality -------------------------------------------------------------------------------


def quality(engines: list[str], pairs: list[tuple[np.ndarray, Truths]], suffix: str) -> Figures:
    rows = {name: judge(transformer(name).propose, pairs[: FEW.get(name)]) for name in engines}
    curve = [
        judge(SuperpixelTransformer(n_segments=n_segments).propose, pairs)
        for n_segments in MATCHING
    ]
    rows["slic_equal_density"] = at_density(np.array(curve), rows["skimage-slic"][3])
    return {
        f"{measure}_{name}{suffix}": float(value)
        for name, row in rows.items()
        for measure, value in zip(MEASURES, row, strict=True)
    }


def judge(propose: Propose, pairs: list[tuple[np.ndarray, Truths]]) -> np.ndarray:
    """Mean of every measure over the images."""
    return np.mean([measures(propose(image), truths) for image, truths in pairs], axis=0)


def at_density(curve: np.ndarray, density: float) -> np.ndarray:
    """Measures at a contour density, between those of two neighbors on the curve."""
    order = np.argsort(curve[:, 3])
    return np.array([np.interp(density, curve[order, 3], column[order]) for column in curve.T])


def measures(labels: np.ndarray, truths: Truths) -> tuple[float, ...]:
    edges = boundaries(labels)
    near = maximum_filter(edges, size=5)
    rows = []
    for truth in truths:
        overlap = np.zeros((labels.max() + 1, truth.max() + 1))
        np.add.at(overlap, (labels, truth), 1)
        outside = overlap.sum(axis=1, keepdims=True) - overlap
        rows.append(
            (
                near[boundaries(truth)].mean() if truth.max() else 1.0,
                np.minimum(overlap, outside).sum() / labels.size,
                overlap.max(axis=1).sum() / labels.size,
            )
        )
    return (*np.mean(rows, axis=0), edges.mean(), labels.max() + 1)


def boundaries(labels: np.ndarray) -> np.ndarray:
    """Pixels that have a neighbor with another label."""
    edges = np.zeros(labels.shape, bool)
    vertical, horizontal = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    edges[1:] |= vertical
    edges[:-1] |= vertical
    edges[:, 1:] |= horizontal
    edges[:, :-1] |= horizontal
    return edges


def bsds(root: Path) -> Iterator[tuple[np.ndarray, Truths]]:
    """Test images of BSDS500 and the segmentations of all annotators, at 224 pixels."""
    files = sorted(root.rglob("images/test/*.jpg"))
    if not files:
        raise SystemExit(f"{root} has no images/test/*.jpg below it")
    for file in files:
        image = np.asarray(Image.open(file))
        window = square_window(*image.shape[:2])
        found = file.parents[2] / "groundTruth" / "test" / f"{file.stem}.mat"
        at = np.arange(SIDE) * min(image.shape[:2]) // SIDE
        truths = [
            np.unique(one["Segmentation"][0, 0][window][np.ix_(at, at)], return_inverse=True)
            for one in loadmat(found)["groundTruth"][0]
        ]
        yield central_square(image), [inverse.reshape(SIDE, SIDE) for _, inverse in truths]


def emoji_scenes(root: Path) -> Iterator[tuple[np.ndarray, Truths]]:
    """Test images of emoji_scenes and their object masks."""
    scenes = load_emoji_scenes(root, "test")
    for image, mask in zip(scenes.images, scenes.masks, strict=True):
        yield image, [mask.astype(int)]


if __name__ == "__main__":
    main()
