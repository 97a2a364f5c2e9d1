import numpy as np
from datasets.test_bam import build

from p2pselect.reproduction import Trial, Variant, run_suite


def test_a_run_on_files_with_lazy_masks(make_suite, tmp_path):
    build(tmp_path / "bam")
    suite = make_suite(Variant("blackbox_pixel"), tau=0.3, n_train=8, n_test=4)
    (plan,) = suite.plans.values()
    suite.plans.clear()
    suite.plans["bam_scene"] = plan
    store = run_suite(suite, tmp_path / "out", root=tmp_path)
    result = store.read(Trial("bam_scene", "blackbox_pixel", "default", 0))
    assert not result.failed, result.error
    # The object covers 10 x 20 of 224 x 224 pixels; the scene is the rest.
    scores = result.scores["default"]
    np.testing.assert_allclose(scores["random_localization"], 1 - 200 / 224**2, atol=0.002)
