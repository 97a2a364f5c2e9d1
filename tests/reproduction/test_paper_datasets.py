import numpy as np
from datasets.test_bam import build

from p2pselect.reproduction import Cell, Training, run


def test_a_run_on_files_with_lazy_masks(make_scale, tmp_path):
    build(tmp_path / "bam")
    scale = make_scale(Training("blackbox_pixel"), tau=0.3, n_train=8, n_test=4)
    (plan,) = scale.plans.values()
    scale.plans.clear()
    scale.plans["bam_scene"] = plan
    records = run(scale, tmp_path / "out", root=tmp_path)
    record = records.read(Cell("bam_scene", "blackbox_pixel", "default", 0))
    assert not record.failed, record.error
    # The object covers 10 x 20 of 224 x 224 pixels; the scene is the rest.
    scores = record.scores["default"]
    np.testing.assert_allclose(scores["random_localization"], 1 - 200 / 224**2, atol=0.002)
