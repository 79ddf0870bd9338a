"""The manifest: complete, unambiguous, and refused when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.models.manifest import get_model, load_manifest, model_use

ENTRY = """
[a]
file = "a.onnx"
task = "object"
summary = "a"
addresses = ["https://example.org/a.onnx"]
sha256 = "{sha}"
bytes = 5
licence = "MIT"
""".format(sha="0" * 64)


def test_every_model_says_where_what_and_under_which_licence() -> None:
    manifest = load_manifest()
    assert len({model.sha256 for model in manifest.values()}) == len(manifest)
    for model in manifest.values():
        assert all(address.startswith("https://") for address in model.addresses)
        if model.task != "part":
            assert model.labels, model.name
            assert model.input, model.name
    parts = {name for name, model in manifest.items() if model.task == "part"}
    assert parts == {needed for model in manifest.values() for needed in model.needs}


def test_a_report_names_model_hash_and_licence() -> None:
    use = model_use("yolox_nano", "openvino 2026")
    assert (use.name, use.runtime) == ("yolox_nano", "openvino 2026")
    assert use.sha256 == load_manifest()["yolox_nano"].sha256
    assert use.licence == "Apache-2.0 (Megvii YOLOX)"


def test_an_unknown_name_is_met_by_the_nearest() -> None:
    with pytest.raises(ModelUnavailable, match="Did you mean yolox_s"):
        get_model("yolox_x")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("a.onnx", "../a.onnx"), "file"),
        (("https:", "ftp:"), "addresses"),
        (("bytes = 5", "bytes = 0"), "bytes"),
        (("0" * 64, "0" * 63), "sha256"),
        (("bytes = 5", "bytes = 5\nspeed = 3"), "speed"),
        (("bytes = 5", 'bytes = 5\nneeds = ["b"]'), "need b"),
        (("[a]", "[a"), "cannot be used"),
        (("[a]", "a = 3\n[b]"), "cannot be used"),
    ],
)
def test_a_malformed_manifest_is_refused_with_the_reason(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    file = tmp_path / "manifest.toml"
    file.write_text(ENTRY.replace(*change))
    with pytest.raises(ConfigurationError, match=complaint):
        load_manifest(file)


def test_two_models_of_one_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "manifest.toml"
    file.write_text(ENTRY + ENTRY.replace("[a]", "[b]"))
    with pytest.raises(ConfigurationError, match=r"a\.onnx to both a and b"):
        load_manifest(file)


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_manifest(tmp_path / "none.toml")
