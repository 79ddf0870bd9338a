"""``python -m visiongate.models``, as a person and a script meet it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.model_server import CONTENT, ModelServer, serving
from visiongate.models import cli
from visiongate.models.manifest import load_manifest
from visiongate.models.store import FileModelStore

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings, cache and the network of this machine out of these tests."""
    for name in list(os.environ):
        if name.startswith("VISIONGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VISIONGATE_OFFLINE", "true")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server of two models: ``good``, by default, which needs ``part``; and ``bad``."""
    with serving() as running:
        part = running.model("good", name="part").model_copy(update={"task": "part"})
        good = running.model("good", name="good").model_copy(
            update={"needs": ("part",), "default": True}
        )
        bad = running.model("wrong", name="bad")
        manifest = {model.name: model for model in (good, bad, part)}
        monkeypatch.setattr(
            cli, "open_store", lambda: FileModelStore(tmp_path / "models", manifest=manifest)
        )
        yield running


class TestPull:
    def test_what_the_defaults_use_is_pulled_with_what_it_needs(
        self, server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["pull"]) == 0
        out, err = capsys.readouterr()
        folder = tmp_path / "models"
        assert out == f"good\t{folder / 'good.bin'}\npart\t{folder / 'part.bin'}\n"
        assert "good: 204,800 of 204,800 bytes" in err
        assert (folder / "good.bin").read_bytes() == CONTENT
        assert server.requests == ["/good/good.bin", "/good/part.bin"]

    def test_what_is_here_is_not_fetched_again(
        self, server: ModelServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["pull", "part"]) == 0
        assert cli.main(["pull", "part"]) == 0
        assert len(server.requests) == 1
        assert capsys.readouterr().out.count("part.bin") == 2

    def test_one_that_fails_does_not_keep_the_others_away(
        self,
        server: ModelServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
        assert cli.main(["pull", "bad", "good"]) == 1
        out, err = capsys.readouterr()
        assert out.startswith("good\t")
        assert "gives another file" in err
        assert len(server.requests) == 5  # bad thrice, good and part once

    def test_an_unknown_name_stops_everything_before_it_begins(
        self, server: ModelServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["pull", "good", "god"]) == 1
        assert "Did you mean good" in capsys.readouterr().err
        assert server.requests == []

    def test_a_person_sees_a_bar(
        self,
        server: ModelServer,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert cli.main(["pull", "part"]) == 0
        assert "part" in capsys.readouterr().err


class TestListVerifyPath:
    def test_list_has_a_line_for_each_model_and_says_which_are_here(
        self, server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cli.main(["pull", "part"])
        (tmp_path / "models" / "bad.bin").write_bytes(b"half")
        capsys.readouterr()
        assert cli.main(["list"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "good\tobject\t204.8 kB\tno\tnone",
            "bad\tobject\t204.8 kB\tdamaged\tnone",
            "part\tpart\t204.8 kB\tyes\tnone",
        ]

    def test_a_person_gets_a_table_with_whole_names(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", "80")
        assert cli.main(["list"]) == 0
        out = capsys.readouterr().out
        assert all(name in out for name in load_manifest())

    def test_verify_tells_right_from_wrong(
        self, server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["verify"]) == 0
        assert "No model is here yet" in capsys.readouterr().err
        cli.main(["pull", "part"])
        assert cli.main(["verify"]) == 0
        assert "part\tright\t" in capsys.readouterr().out
        (tmp_path / "models" / "part.bin").write_bytes(CONTENT[::-1])
        assert cli.main(["verify"]) == 1
        out, err = capsys.readouterr()
        assert "part\twrong\t" in out
        assert "another SHA-256" in err
        assert cli.main(["verify", "good"]) == 1
        assert "good is not here" in capsys.readouterr().err

    def test_path_prints_the_file_or_says_how_to_get_it(
        self, server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["path", "part"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "models pull part" in err
        assert server.requests == []
        cli.main(["pull", "part"])
        capsys.readouterr()
        assert cli.main(["path", "part"]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'models' / 'part.bin'}\n"


class TestSettings:
    def test_the_mirror_of_the_settings_is_used(
        self,
        weights: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("VISIONGATE_MODEL_MIRROR", str(weights))
        assert cli.main(["pull"]) == 0
        assert {path.name for path in (tmp_path / "data" / "models").glob("[!.]*")} == {
            "face_detection_yunet_2026may.onnx",
            "mobilenet_v2_1.0_224_quant.tflite",
            "imagenet_labels_1001.txt",
            "picodet_s_416_coco.onnx",
        }

    def test_a_wrong_setting_is_wrong_usage(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("VISIONGATE_OFLINE", "1")
        assert cli.main(["list"]) == 2
        assert "VISIONGATE_OFFLINE" in capsys.readouterr().err

    def test_ctrl_c_is_no_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted() -> FileModelStore:
            raise KeyboardInterrupt

        monkeypatch.setattr(cli, "open_store", interrupted)
        assert cli.main(["list"]) == 130
        assert "Interrupted" in capsys.readouterr().err

    def test_the_command_runs_and_loads_nothing_heavy(self) -> None:
        code = (
            "import sys; from visiongate.models.cli import main; main(['list']); "
            "print(sorted({'cv2', 'openvino', 'flask', 'requests'} & set(sys.modules)))"
        )
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"
        bad = subprocess.run(
            [sys.executable, "-m", "visiongate.models", "pull", "nothing_like_it"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert bad.returncode == 1
        assert bad.stderr.startswith("No model is called 'nothing_like_it'")
        assert "Traceback" not in bad.stderr
