"""Keys of cells, and which cells a choice of data sets, methods and seeds has."""

import pytest

from p2pselect.exceptions import InputError, UnknownNameError
from p2pselect.methods import METHODS
from p2pselect.reproduction import SCALES, Cell, Training
from p2pselect.reproduction._scales import MAIN


@pytest.mark.parametrize("cell", [Cell("a_b", "p2p", "default", 0), Cell("a", "b", "x=08", 12)])
def test_key_is_a_file_name_and_says_all(cell):
    assert Cell.from_key(cell.key) == cell
    assert "/" not in cell.key


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "..", "a b", None])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(InputError, match="method must be letters"):
        Cell("data", name, "default", 0)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "1"])
def test_bad_seeds(seed):
    with pytest.raises(InputError, match="seed"):
        Cell("data", "p2p", "default", seed)


def test_main_has_every_method_once():
    published = [name for name, method in METHODS.items() if not method.variant_of]
    assert sorted(training.method for training in MAIN) == sorted(published)


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_names_and_settings_of_a_scale_are_real(scale):
    trainings = [*scale.trainings, *scale.variants]
    assert len({t.name for t in trainings}) == len(trainings)
    for plan in scale.plans.values():
        for training in trainings:
            plan.estimator(training, random_state=0)._validate_params()


def test_ablations_are_those_of_the_paper_and_more():
    for scale, tau_input in (("small", "additive"), ("paper", "logit")):
        known = (*SCALES[scale].trainings, *SCALES[scale].variants)
        names = {t.setting for t in known if t.group == "ablation"}
        assert names >= {
            "watershed", "grid", "pixel", "no_covariance", "straight_through", tau_input,
        }  # fmt: skip
    assert "scratch" in {t.setting for t in SCALES["paper"].trainings}


def test_paper_scale_has_the_papers_tau_epochs_and_seeds():
    scale = SCALES["paper"]
    assert len(scale.seeds) == 10
    assert scale.plans["coco10"].tau == 0.4
    assert scale.plans["digit_scenes"].tau is None
    clf = scale.plans["imagenet"].estimator(Training("p2p", group="p2p"))
    assert (clf.max_epochs, clf.certainty_threshold, clf.image_size) == (20, 0.8, 224)


def test_a_choice_brings_what_it_depends_on():
    cells = SCALES["small"].cells(["digit_scenes"], ["comet"], [4])
    assert [cell.key for cell in cells] == [
        "digit_scenes.comet.default.4",
        "digit_scenes.p2p.default.4",
        "digit_scenes.blackbox.default.4",
    ]


def test_matched_to_a_given_tau_nothing_waits_for_p2p():
    cells = SCALES["paper"].cells(["coco10"], ["realx"], [0])
    assert [cell.method for cell in cells] == ["realx"]


def test_a_method_name_stands_for_its_ablations_too():
    cells = SCALES["small"].cells(["digit_scenes"], ["p2p"], [0])
    assert {cell.setting for cell in cells} > {"default", "watershed"}
    one = SCALES["small"].cells(["digit_scenes"], ["p2p:grid"], [0])
    assert {cell.setting for cell in one} == {"grid", "default"}


def test_variants_run_when_they_are_named():
    cells = SCALES["small"].cells(["digit_scenes"], ["diet:released"], [0])
    assert "digit_scenes.diet.released.0" in {cell.key for cell in cells}
    assert "released" not in {cell.setting for cell in SCALES["small"].cells()}


def test_ablations_run_with_the_first_seeds(make_scale):
    ablation = Training("p2p", "grid", {"regions": "grid"}, "ablation")
    scale = make_scale(Training("p2p", group="p2p"), ablation, seeds=(3, 4), n_ablation_seeds=1)
    assert [c.seed for c in scale.cells() if c.setting == "grid"] == [3]


def test_a_plan_can_leave_ablations_out():
    cells = SCALES["small"].cells(seeds=[0])
    assert "emoji_object.p2p.watershed.0" in {cell.key for cell in cells}
    assert "emoji_object.p2p.grid.0" not in {cell.key for cell in cells}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"datasets": ["digit_scene"]}, "did you mean 'digit_scenes'"),
        ({"methods": ["commet"]}, "did you mean 'comet'"),
        ({"methods": ["p2p:watershet"]}, "did you mean 'p2p:watershed'"),
    ],
)
def test_unknown_names(choice, said):
    with pytest.raises(UnknownNameError, match=said):
        SCALES["small"].cells(**choice)


def test_presets_regions_are_p2ps_alone():
    plan = SCALES["small"].plans["digit_scenes"]
    assert plan.estimator(Training("comet"), tau=0.2).regions == "pixel"
    assert plan.estimator(Training("p2p", group="p2p")).regions.n_segments == 64
