"""The page of a model with several labels for each image, in a real browser."""

import pytest
from sick_leaves import Y, sick_leaves


@pytest.fixture
def leaves(open_report):
    return open_report(sick_leaves(), Y)


def test_sets_of_labels_are_named_and_found_again(leaves):
    options = leaves.js("return [...byId('by-truth').options].map((o) => o.textContent)")
    assert options[1:] == ["miner", "no miner", "rust", "no rust", "phoma", "no phoma"]
    titles = leaves.js("return shown.map((item) => answer(item).text)")
    assert titles == ["✓ miner, phoma", "✗ none (is miner)", "✓ rust", "✓ miner, rust"]
    leaves.set("#by-truth", "10")
    assert sorted(leaves.shown()) == [0, 1, 3]
    leaves.set("#by-predicted", "00")
    assert leaves.shown() == [1]
    leaves.find("#show-all").click()
    leaves.wait("shown.length === 4")
    leaves.set("#by-outcome", "right")
    assert sorted(leaves.shown()) == [0, 2, 3]


def test_the_detail_says_which_label_is_open(leaves):
    leaves.open(1)
    leaves.set("#tau", leaves.step(0.25))
    assert "Not certain yet: 55% for no miner" in leaves.text("#state")
    assert "90%: a label is decided from there on, and up to 10%." in leaves.text("#asked")
    leaves.open(0)
    leads = (
        "return [...document.querySelectorAll('.lead-class .name')].map((n) => n.textContent)"
    )
    assert leaves.js(leads) == ["miner", "phoma"]
