"""Wrong arguments: one line, at once, before anything heavy is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from sklearn.utils._param_validation import Interval

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect.cli import _arguments as arguments
from p2pselect.cli import _entrypoint as entrypoint
from p2pselect.cli import main
from p2pselect.training import TrainingOptions

FIT = ["fit", "DIR", "--out", "m"]
REGIONS = ["regions", "DIR", "--out", "o"]

#: Options of one number, what they stand for, numbers to refuse.
NUMBERS = [
    (FIT, "--epochs", ("-1", "0", "1.5", "many", "nan", "")),
    (FIT, "--image-size", ("0", "-32", "1e2", "16385", "64x", "64x0", "9x9x9", "x")),
    (FIT, "--patience", ("0", "1.5")),
    (FIT, "--lr", ("0", "-1", "nan", "inf", "x")),
    (FIT, "--fill", ("white", "1.5", "-0.1", "0.1,x", "nan")),
    (FIT, "--validation", ("0", "1", "-0.5", "inf")),
    (FIT, "--segments", ("0", "-1")),
    (FIT, "--workers", ("-1", "2.0")),
    (FIT, "--seed", ("-1", "4294967296", "x")),
    (REGIONS, "--segments", ("0",)),
    (REGIONS, "--image-size", ("0",)),
    (REGIONS, "--compactness", ("-1", "nan", "inf", "-0.1", "x")),
    (["predict", "m", "x.jpg"], "--certainty", ("0", "1.5", "-1", "nan", "inf", "x")),
    (["evaluate", "m", "DIR"], "--certainty", ("0", "2")),
    (["evaluate", "m", "DIR"], "--max-pixels", ("0", "many")),
    (["explain", "m", "x.jpg", "--html", "r.html"], "--certainty", ("0", "nan")),
    (["demo"], "--epochs", ("0",)),
    (["demo"], "--seed", ("-1",)),
    (["reproduce", "run", "--out", "o"], "--n-jobs", ("0", "-1")),
    (["reproduce", "run", "--out", "o"], "--seeds", ("-1",)),
]


@pytest.mark.parametrize(
    ("command", "option", "text"),
    [(command, option, text) for command, option, texts in NUMBERS for text in texts],
)
def test_a_number_out_of_its_range_is_one_line(command, option, text, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, option, text])
    assert end.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert (
        printed.err.startswith(f"p2pselect {command[0]}")
        and f"argument {option}" in printed.err
    )
    assert "must be" in printed.err and f"got {text}" in printed.err


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["fit"], ["predict", "m"], ["info", "m", "--fast"]]
)
def test_wrong_usage_is_one_line_too(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--help)" in error


@pytest.mark.parametrize("unknown", [["b"], ["--max-epochs", "1"], ["b", "--nonsense"]])
def test_what_a_command_does_not_know_is_named_with_where_its_options_are(unknown, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["fit", "a", *unknown])
    error, where = capsys.readouterr().err, "(see p2pselect fit --help)"
    assert error == f"p2pselect fit: unrecognized arguments: {' '.join(unknown)} {where}\n"


@pytest.mark.parametrize(
    ("read", "estimator", "parameter", "text"),
    [
        (arguments.whole(1), P2PClassifier, "image_size", "1"),
        (arguments.whole(0), TrainingOptions, "num_workers", "0"),
        (arguments.whole(1), SuperpixelTransformer, "n_segments", "1"),
        (arguments.not_negative, SuperpixelTransformer, "compactness", "0"),
        (arguments.positive_share, P2PClassifier, "certainty_threshold", "1"),
        (arguments.positive, P2PClassifier, "lr", "1"),
        (arguments.grid_size, P2PClassifier, "image_size", "1"),
        (arguments.held_out, P2PClassifier, "validation", "0.5"),
    ],
)
def test_ranges_are_those_of_the_estimators(read, estimator, parameter, text):
    allowed = [
        limits
        for limits in estimator._parameter_constraints[parameter]
        if isinstance(limits, Interval)
    ]
    for number in (text, "0", "-1", "1", "2"):
        try:
            value = read(number)
        except arguments.argparse.ArgumentTypeError:
            value = None
        assert (value is not None) == any(float(number) in limits for limits in allowed)


def test_defaults_are_those_of_the_estimators():
    options = entrypoint._parser().parse_args(REGIONS)
    transformer = SuperpixelTransformer()
    assert options.engine == transformer.engine
    assert options.segments == transformer.n_segments
    assert options.compactness == transformer.compactness
    assert options.image_size == P2PClassifier().image_size


def test_help_states_the_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["regions", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for default in ("slic", "100", "14", "224", "raise", Image.MAX_IMAGE_PIXELS):
        assert f"(default: {default}" in said


def test_seeds_are_those_of_the_estimators():
    for seed, is_right in ((arguments.MAX_SEED, True), (arguments.MAX_SEED + 1, False)):
        clf = P2PClassifier(random_state=seed)
        if is_right:
            clf._validate_params()
        else:
            with pytest.raises(ValueError, match="random_state"):
                clf._validate_params()


@pytest.mark.parametrize(
    ("text", "size"), [("64", 64), ("96x128", (96, 128)), ("96X128", (96, 128))]
)
def test_grids(text, size):
    assert arguments.grid_size(text) == size


def test_what_is_held_out():
    assert arguments.held_out("none") is None and arguments.held_out("auto") == "auto"
    assert arguments.held_out("0.25") == 0.25
    assert arguments.held_out("leaves/val") == Path("leaves/val")


@pytest.mark.parametrize("command", ["", *entrypoint.COMMANDS])
def test_help_fits_into_a_terminal_of_80_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_help_of_fit_is_grouped_and_its_usage_short(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: p2pselect fit (DIR | --table CSV) [options]\n")
    groups = ["what is written", "networks", "images", "training"]
    places = [said.index(f"\n{group}:\n") for group in groups]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "command", ["", *"demo fit evaluate predict explain regions info".split()]
)
def test_help_names_the_exit_codes_and_loads_nothing_heavy(command):
    program = (
        "import sys\nfrom p2pselect.cli import main\n"
        f"try: main({[*command.split(), '--help']})\n"
        "except SystemExit as end: print('code', end.code)\n"
        "heavy = {'numpy', 'torch', 'sklearn', 'skorch', 'matplotlib', 'PIL', 'skimage'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.endswith("code 0\n[]\n"), done.stdout[-200:] + done.stderr
    for line in ("0    done", "1    an error", "2    wrong usage", "130  interrupted"):
        assert line in done.stdout
