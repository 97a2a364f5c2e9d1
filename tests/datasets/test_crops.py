import pickle

import numpy as np
import pytest
import torch
from datasets.small_files import write_image
from sklearn.utils import Bunch
from torchvision.transforms import v2

from p2pselect.datasets._crops import CenterCrop, cropped
from p2pselect.datasets._masks import MaskSequence
from p2pselect.exceptions import ImageReadError
from p2pselect.images import ImageSequence


def test_as_torchvision_cuts():
    rng = np.random.default_rng(0)
    transform = v2.Compose([v2.Resize(256), v2.CenterCrop(224)])
    for height, width in ((300, 400), (500, 280), (32, 32), (256, 256), (90, 300)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        ours = CenterCrop(224, resized=256).image(image)
        theirs = transform(torch.tensor(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        assert ours.shape == (224, 224, 3)
        assert np.abs(ours.astype(int) - theirs).max() <= 2


def test_images_and_masks_stay_together():
    image = np.zeros((300, 340, 3), np.uint8)
    image[140:160, 100:120] = 255
    crop = CenterCrop(224)
    np.testing.assert_array_equal(crop.mask(image[..., 0] > 0), crop.image(image)[..., 0] > 0)
    small = crop.image(np.full((3, 5, 3), 7, np.uint8))
    assert small.shape == (224, 224, 3) and (small == 7).all()


def test_data_is_cut_when_read(tmp_path):
    files = [write_image(tmp_path / f"{n}.png", (20, 30), n) for n in range(3)]
    masks = MaskSequence([0, 1, 2], lambda n: np.full((20, 30), n > 1))
    data = Bunch(images=ImageSequence(files), masks=masks, target=[0, 1, 2])
    cut = cropped(data, CenterCrop(8))
    batch = cut.images[[2, 0]].batch(slice(None))
    assert batch.shape == (2, 8, 8, 3) and batch[:, 0, 0, 0].tolist() == [2, 0]
    assert [mask.all() for mask in cut.masks] == [False, False, True]
    assert [mask.shape for mask in cut.masks] == [(8, 8)] * 3
    (tmp_path / "1.png").write_bytes(b"not an image")
    with pytest.raises(ImageReadError, match=r"1 of 3 .*\n.*1\.png"):
        cut.images.check_readable()
    assert cut.target == [0, 1, 2] and len(pickle.loads(pickle.dumps(cut.images))) == 3
