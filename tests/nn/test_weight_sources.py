"""Where weights are: folders of files named as timm names models, the cache, a server."""

import time
import warnings

import pytest
import timm
import torch
from safetensors.torch import save_file

from p2pselect import P2PClassifier
from p2pselect.exceptions import UnknownNameError, WeightsNotFoundError
from p2pselect.nn import WeightsSource, find_weights
from p2pselect.nn import _weight_sources as sources
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._network_names import split_file_name
from p2pselect.nn._selectors import build_pixel_scorer


@pytest.fixture(autouse=True)
def nothing_cached(monkeypatch, tmp_path):
    """An empty cache, and no server that answers."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(sources, "_unanswered", {})
    monkeypatch.setattr(sources, "_ask_the_hub", refuse)
    monkeypatch.setattr(sources, "urlopen", refuse)


def refuse(*_, **__):
    raise ConnectionError("Name or service not known")


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("resnet18", ("resnet18", "")),
        ("resnet18.a1_in1k", ("resnet18", ".a1_in1k")),
        ("mobilenetv2_100_features_timm", ("mobilenetv2_100", "_features_timm")),
        ("tf_efficientnet_lite0_timm", ("tf_efficientnet_lite0", "_timm")),
        ("resnet18-best", ("resnet18", "-best")),
        # A longer name of another model.
        ("convnext_tiny_hnf", ("convnext_tiny_hnf", "")),
        ("convnext_tiny_mine", ("convnext_tiny", "_mine")),
        ("vit_small_patch16_224.dino", ("vit_small_patch16_224", ".dino")),
        ("lraspp_mobilenet_v3_large-d234d4ea", ("lraspp_mobilenet_v3_large", "-d234d4ea")),
        ("resnet180", None),
        ("resnet18a", None),
        ("notes", None),
        ("", None),
    ],
)
def test_names_of_files(stem, expected):
    assert split_file_name(stem) == expected


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        ("resnet18", ["resnet18.pth"], "resnet18.pth"),
        ("resnet18", ["resnet18.pth", "resnet18.safetensors"], "resnet18.safetensors"),
        ("resnet18", ["resnet18.a2_in1k.pth", "resnet18.a1_in1k.pt"], "resnet18.a1_in1k.pt"),
        ("resnet18", ["resnet18_b.bin", "resnet18.tv_in1k.bin"], "resnet18.tv_in1k.bin"),
        ("resnet18", ["resnet18_mine.pth", "resnet18.bin"], "resnet18.bin"),
        ("resnet18", ["resnet18d.pth", "resnet180.pth", "resnet18.txt", "readme.md"], None),
        ("resnet18.tv_in1k", ["resnet18.a1_in1k.pth"], None),
        ("resnet18.tv_in1k", ["resnet18.a1_in1k.pth", "resnet18.pth"], "resnet18.pth"),
        (
            "resnet18.tv_in1k",
            ["resnet18.tv_in1k.pth", "resnet18.safetensors"],
            "resnet18.tv_in1k.pth",
        ),
        # As the hub's client writes a whole repository.
        (
            "resnet18",
            ["resnet18.a1_in1k/model.safetensors", "resnet18.a1_in1k/pytorch_model.bin"],
            "resnet18.a1_in1k/model.safetensors",
        ),
        ("resnet18", ["resnet18/config.json"], None),
        (
            "lraspp_mobilenet_v3_large",
            ["lraspp_mobilenet_v3_large-d234d4ea.pth"],
            "lraspp_mobilenet_v3_large-d234d4ea.pth",
        ),
    ],
)
def test_which_file_of_a_folder(tmp_path, name, files, expected):
    folder = touch(tmp_path / "weights", *files)
    found = find_weights(name, folder)
    assert found == (expected and WeightsSource("folder", str(folder / expected)))


def test_local_weights_are_found(weights_dir):
    for name in ("mobilenetv2_100", "tf_efficientnet_lite0"):
        source = find_weights(name, weights_dir)
        assert source.place == "folder" and f"/{name}" in str(source)


def test_the_order_is_folder_cache_download(tmp_path, monkeypatch):
    assert find_weights("resnet18") is None
    monkeypatch.setattr(sources, "_unanswered", {})
    monkeypatch.setattr(sources, "_ask_the_hub", lambda repository: None)
    assert find_weights("resnet18") == WeightsSource("download", "timm/resnet18.a1_in1k")
    cached = tmp_path / "cached"
    monkeypatch.setattr(
        "huggingface_hub.try_to_load_from_cache",
        lambda repository, file, revision: (
            str(cached)
            if (repository, file) == ("timm/resnet18.a1_in1k", "pytorch_model.bin")
            else None
        ),
    )
    assert find_weights("resnet18") == WeightsSource("cache", str(cached))
    folder = touch(tmp_path / "weights", "resnet18.pth")
    assert find_weights("resnet18", folder).place == "folder"
    assert find_weights("resnet34", touch(folder)).place == "download"


@pytest.mark.parametrize("name", ["legacy_xception", "lraspp_mobilenet_v3_large"])
def test_weights_that_torch_downloads(tmp_path, monkeypatch, name):
    asked = []

    class Answer:
        def close(self):
            pass

    def answer(request, timeout):
        asked.append((request.full_url, request.method, timeout))
        return Answer()

    assert find_weights(name) is None
    monkeypatch.setattr(sources, "_unanswered", {})
    monkeypatch.setattr(sources, "urlopen", answer)
    source = find_weights(name)
    assert source.place == "download" and asked == [(source.location, "HEAD", 3.0)]
    file = tmp_path / "torch" / "checkpoints" / source.location.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    file.touch()
    assert find_weights(name) == WeightsSource("cache", str(file))


def test_a_silent_server_is_not_asked_twice(monkeypatch):
    asked = []

    def silent(repository):
        asked.append(repository)
        raise TimeoutError("timed out")

    monkeypatch.setattr(sources, "_ask_the_hub", silent)
    assert find_weights("resnet18") is None and find_weights("resnet34") is None
    assert len(asked) == 1
    now = time.monotonic()
    monkeypatch.setattr(sources.time, "monotonic", lambda: now + 61)
    assert find_weights("resnet34") is None
    assert len(asked) == 2


def test_a_server_that_refuses_one_model_is_asked_for_others(monkeypatch):
    class Missing(Exception):
        response = "404"

    def answer(repository):
        if "resnet18" in repository:
            raise Missing("404")

    monkeypatch.setattr(sources, "_ask_the_hub", answer)
    assert find_weights("resnet18") is None
    assert find_weights("resnet34").place == "download"


def test_networks_without_weights_and_without_names(monkeypatch):
    monkeypatch.setattr(sources, "_ask", lambda server, question: None)
    assert find_weights("resnet18").place == "download"
    assert find_weights("vit_small_patch16_36x1_224") is None
    with pytest.raises(UnknownNameError, match="did you mean.*resnet18"):
        find_weights("resnet_18")
    with pytest.raises(UnknownNameError, match="no weights 'a1_in2k' of 'resnet18'"):
        find_weights("resnet18.a1_in2k")


def test_no_such_folder(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="there is no folder"):
        find_weights("resnet18", tmp_path / "nowhere")
    with pytest.raises(WeightsNotFoundError, match="no file or folder"):
        build_classifier("test_resnet", 2, 32, tmp_path / "nowhere")


@pytest.fixture
def folder(tmp_path):
    """Weights of two networks."""
    torch.manual_seed(5)
    folder = tmp_path / "weights"
    folder.mkdir()
    for name, file in (("test_resnet", "test_resnet_mine"), ("test_vit", "test_vit.r160_in1k")):
        save_file(timm.create_model(name).state_dict(), folder / f"{file}.safetensors")
    return folder


def test_a_folder_for_both_networks(folder):
    clf = P2PClassifier(
        selector="test_resnet", classifier="test_vit", image_size=32, pretrained=folder
    )
    # What `fit` sees in the images.
    clf.n_channels_seen_, clf.normalization_, clf.fill_ = 3, None, "black"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scorer = clf._build_scorer(4)
        classifier = clf._build_classifier(2)
    torch.manual_seed(5)
    stored = [timm.create_model(name).state_dict() for name in ("test_resnet", "test_vit")]
    own = scorer.network.backbone.state_dict()
    assert torch.equal(own["layer1.0.conv1.weight"], stored[0]["layer1.0.conv1.weight"])
    own = classifier.network.state_dict()
    assert torch.equal(own["blocks.0.attn.qkv.weight"], stored[1]["blocks.0.attn.qkv.weight"])


def test_what_a_folder_lacks_is_an_error_that_says_what_it_has(folder):
    with pytest.raises(
        WeightsNotFoundError,
        match=r"'test_convnext': '.*weights' has no file of that name \(it has files of "
        r"\['test_resnet', 'test_vit'\]\), and .*cannot be reached",
    ):
        build_pixel_scorer("test_convnext", 4, folder)


def test_a_folder_says_nothing_about_a_factory(folder):
    network = build_classifier(
        lambda n: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, n)), 2, 4, folder
    )
    assert network(torch.rand(2, 3, 4, 4)).shape == (2, 2)


def test_a_bad_file_in_a_folder_is_named(tmp_path):
    (tmp_path / "test_resnet.pth").write_bytes(b"no weights")
    with pytest.raises(
        WeightsNotFoundError, match=r"test_resnet\.pth is not a file of tensors"
    ):
        build_classifier("test_resnet", 2, 32, tmp_path)
