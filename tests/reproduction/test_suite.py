"""Keys of trials, and which trials a selection of data sets, methods and seeds has."""

import pytest

from p2pselect.exceptions import InputError, UnknownNameError
from p2pselect.methods import METHODS
from p2pselect.reproduction import SUITES, Plan, Trial, Variant
from p2pselect.reproduction._paper_suites import MAIN


def test_key_names_the_trial():
    assert Trial("a_b", "c-d", "x=08", 12).key == "a_b.c-d.x=08.12"


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "..", "a b", None])
def test_names_that_cannot_be_file_names_are_refused(name):
    with pytest.raises(InputError, match="method may contain only letters"):
        Trial("data", name, "default", 0)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "1"])
def test_bad_seeds(seed):
    with pytest.raises(InputError, match="seed"):
        Trial("data", "p2p", "default", seed)


def test_main_has_every_method_once():
    published = [name for name, method in METHODS.items() if not method.variant_of]
    assert sorted(variant.method for variant in MAIN) == sorted(published)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_names_and_settings_of_a_suite_are_real(suite):
    variants = [*suite.variants, *suite.on_request]
    assert len({t.name for t in variants}) == len(variants)
    for plan in suite.plans.values():
        for variant in variants:
            plan.make_estimator(variant, random_state=0)._validate_params()


def test_ablations_are_those_of_the_paper_and_more():
    for suite, tau_input in (("small", "additive"), ("paper", "logit")):
        known = (*SUITES[suite].variants, *SUITES[suite].on_request)
        names = {t.setting for t in known if t.group == "ablation"}
        assert names >= {
            "watershed", "grid", "pixel", "no_covariance", "straight_through", tau_input,
        }  # fmt: skip
    assert "scratch" in {t.setting for t in SUITES["paper"].variants}


def test_paper_suite_has_the_papers_tau_epochs_and_seeds():
    suite = SUITES["paper"]
    assert len(suite.seeds) == 10
    assert suite.plans["coco10"].tau == 0.4
    assert suite.plans["digit_scenes"].tau is None
    clf = suite.plans["imagenet"].make_estimator(Variant("p2p", group="p2p"))
    assert (clf.max_epochs, clf.certainty_threshold, clf.image_size) == (20, 0.8, 224)


def test_a_selection_includes_what_it_depends_on():
    trials = SUITES["small"].trials(["digit_scenes"], ["comet"], [4])
    assert [trial.key for trial in trials] == [
        "digit_scenes.comet.default.4",
        "digit_scenes.p2p.default.4",
        "digit_scenes.blackbox.default.4",
    ]


def test_with_a_given_tau_nothing_depends_on_p2p():
    trials = SUITES["paper"].trials(["coco10"], ["realx"], [0])
    assert [trial.method for trial in trials] == ["realx"]


def test_the_name_of_a_method_includes_its_ablations():
    trials = SUITES["small"].trials(["digit_scenes"], ["p2p"], [0])
    assert {trial.setting for trial in trials} > {"default", "watershed"}
    one = SUITES["small"].trials(["digit_scenes"], ["p2p:grid"], [0])
    assert {trial.setting for trial in one} == {"grid", "default"}


def test_variants_on_request_run_if_they_are_named():
    trials = SUITES["small"].trials(["digit_scenes"], ["diet:released"], [0])
    assert "digit_scenes.diet.released.0" in {trial.key for trial in trials}
    assert "released" not in {trial.setting for trial in SUITES["small"].trials()}


def test_ablations_run_with_the_first_seeds(make_suite):
    ablation = Variant("p2p", "grid", {"regions": "grid"}, "ablation")
    suite = make_suite(Variant("p2p", group="p2p"), ablation, seeds=(3, 4), n_ablation_seeds=1)
    assert [c.seed for c in suite.trials() if c.setting == "grid"] == [3]


def test_a_plan_can_leave_ablations_out():
    trials = SUITES["small"].trials(seeds=[0])
    assert "emoji_object.p2p.watershed.0" in {trial.key for trial in trials}
    assert "emoji_object.p2p.grid.0" not in {trial.key for trial in trials}


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
        SUITES["small"].trials(**choice)


def test_only_p2p_takes_the_regions_of_a_preset():
    plan = SUITES["small"].plans["digit_scenes"]
    assert plan.make_estimator(Variant("comet"), tau=0.2).regions == "pixel"
    assert plan.make_estimator(Variant("p2p", group="p2p")).regions.n_segments == 64


def test_methods_get_the_cpu_time_of_p2p_if_asked(make_suite):
    grid = Variant("p2p", "grid", {"regions": "grid"}, "ablation")
    own = (Variant("p2p", group="p2p"), grid, Variant("comet"), Variant("diet", "released"))
    plain, equal = (make_suite(*own, equal_cpu=given).trials() for given in (False, True))
    # P2P is the measure, and other settings are compared with their own defaults.
    assert [t.key for t in equal.keys() - plain.keys()] == ["tiny.comet.equal_cpu.0"]
    chosen = make_suite(*own, equal_cpu=True).trials(methods=["comet:equal_cpu"])
    keys = [t.key for t in chosen]
    assert "tiny.comet.equal_cpu.0" in keys and "tiny.comet.default.0" not in keys


def test_weights_come_from_a_folder_where_any_are_used():
    plans = SUITES["small"].plans
    comet = Variant("comet")
    photographs = plans["grocery20"].with_weights("some/folder")
    assert photographs.make_estimator(comet).pretrained == "some/folder"
    for folder in ("some/folder", None):
        scenes = plans["digit_scenes"].with_weights(folder)
        assert scenes.make_estimator(comet).pretrained is False
    given = {"selector": "a.pth", "classifier": "auto"}
    own = Plan({"pretrained": given}, epochs={})
    for folder, classifier in (("some/folder", "some/folder"), (None, True)):
        found = own.with_weights(folder).settings["pretrained"]
        assert found == {"selector": "a.pth", "classifier": classifier}
    assert given["classifier"] == "auto"
    scratch = Variant("p2p", "scratch", {"pretrained": False}, "ablation")
    assert photographs.make_estimator(scratch).pretrained is False


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_no_run_goes_on_with_random_weights_in_place_of_pretrained_ones(suite):
    for name, plan in suite.plans.items():
        found = plan.with_weights(None).make_estimator(Variant("comet")).pretrained
        assert found is (False if plan.settings["pretrained"] is False else True), name
    unsaid = Plan({}, epochs={}).with_weights(None)
    assert unsaid.make_estimator(Variant("comet")).pretrained is True


def test_all_methods_of_the_small_suite_have_as_many_epochs():
    for plan in SUITES["small"].plans.values():
        assert len({plan.make_estimator(variant).max_epochs for variant in MAIN}) == 1
