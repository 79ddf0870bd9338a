"""The model store: only the right bytes, from wherever they can be had, and no needless waiting."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.model_server import CONTENT, PATIENCE_SECONDS, ModelServer, serving
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.models import background
from visiongate.models.manifest import Model, load_manifest
from visiongate.models.store import FileModelStore

BAD = ["truncated", "short", "wrong", "endless", "refused", "broken"]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as running:
        yield running


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def store_of(model: Model, cache: Path, **options: object) -> FileModelStore:
    return FileModelStore(cache, manifest={model.name: model}, **options)  # type: ignore[arg-type]


def left_in(cache: Path) -> list[str]:
    """Return what lies in the cache, locks apart."""
    return sorted(p.name for p in cache.iterdir() if p.suffix != ".lock") if cache.exists() else []


class TestFetching:
    def test_the_first_request_fetches_and_the_next_finds_it_there(
        self, server: ModelServer, cache: Path
    ) -> None:
        store: ModelStore = store_of(server.model("good"), cache)
        assert store.path("tiny").read_bytes() == CONTENT
        assert store.path("tiny") == cache / "tiny.bin"
        assert server.requests == ["/good/tiny.bin"]
        assert left_in(cache) == ["tiny.bin"]

    @pytest.mark.parametrize("kind", BAD)
    def test_what_is_not_the_whole_right_file_is_never_used(
        self, server: ModelServer, cache: Path, kind: str
    ) -> None:
        store = store_of(server.model(kind), cache)
        with pytest.raises(
            ModelUnavailable, match=r"python -m visiongate\.models pull tiny"
        ) as error:
            store.path("tiny")
        assert f"/{kind}/tiny.bin" in error.value.detail
        assert left_in(cache) == []

    @pytest.mark.parametrize("kind", [*BAD, "moved"])
    def test_the_next_address_is_tried(self, server: ModelServer, cache: Path, kind: str) -> None:
        store = store_of(server.model(kind, "good"), cache)
        assert store.path("tiny").read_bytes() == CONTENT

    def test_an_accident_is_tried_again_and_a_refusal_is_not(
        self, server: ModelServer, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
        store = store_of(server.model("shaky"), cache)
        assert store.fetch("tiny", retries=1).read_bytes() == CONTENT
        assert len(server.requests) == 2
        with pytest.raises(ModelUnavailable, match="answered 404"):
            store_of(server.model("refused"), cache / "other").fetch("tiny", retries=3)
        assert len(server.requests) == 3

    def test_progress_is_told_in_bytes(self, server: ModelServer, cache: Path) -> None:
        told: list[tuple[int, int]] = []
        store = store_of(server.model("good"), cache)
        store.fetch("tiny", progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (len(CONTENT), len(CONTENT))
        assert told == sorted(told)

    def test_an_address_that_nobody_answers_is_a_clear_error(
        self, server: ModelServer, cache: Path
    ) -> None:
        model = server.model("good").model_copy(
            update={"addresses": ("http://127.0.0.1:9/tiny.bin",)}
        )
        with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:9/tiny\.bin: cannot be reached"):
            store_of(model, cache).path("tiny")

    def test_a_cache_that_cannot_be_written_is_a_clear_error(
        self, server: ModelServer, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        store = store_of(server.model("good"), tmp_path / "file" / "cache")
        with pytest.raises(ModelUnavailable, match="cannot be written"):
            store.path("tiny")
        with pytest.raises(ModelUnavailable, match="cannot be made"):
            store.cache_dir()

    def test_an_unknown_name_is_met_by_the_nearest(self, cache: Path) -> None:
        with pytest.raises(ModelUnavailable, match="Did you mean yolox_nano"):
            FileModelStore(cache).path("yolox-nano")


class TestDamage:
    def test_a_damaged_file_in_the_cache_is_replaced(
        self, server: ModelServer, cache: Path
    ) -> None:
        cache.mkdir()
        (cache / "tiny.bin").write_bytes(CONTENT[::-1])
        store = store_of(server.model("good"), cache)
        assert store.path("tiny").read_bytes() == CONTENT

    def test_a_file_that_changes_after_it_was_checked_is_checked_again(
        self, server: ModelServer, cache: Path
    ) -> None:
        store = store_of(server.model("good"), cache, offline=True)
        cache.mkdir()
        file = cache / "tiny.bin"
        file.write_bytes(CONTENT)
        os.utime(file, ns=(1, 1))
        assert store.path("tiny") == file
        file.write_bytes(b"!" + CONTENT[1:])
        with pytest.raises(ModelUnavailable, match="another SHA-256"):
            store.path("tiny")

    def test_what_an_interrupted_download_left_is_removed(
        self, server: ModelServer, cache: Path
    ) -> None:
        (cache / ".tiny.bin.part").mkdir(parents=True)
        (cache / ".tiny.bin.part" / "tmpabc").write_bytes(CONTENT[:10])
        store_of(server.model("good"), cache).path("tiny")
        assert left_in(cache) == ["tiny.bin"]


class TestMirrors:
    def test_a_folder_is_asked_first_and_used_where_it_lies(
        self, server: ModelServer, cache: Path, tmp_path: Path
    ) -> None:
        mirror = tmp_path / "mirror"
        mirror.mkdir()
        (mirror / "tiny.bin").write_bytes(CONTENT)
        store = store_of(server.model("good"), cache, mirror=str(mirror))
        assert store.path("tiny") == mirror / "tiny.bin"
        assert server.requests == []
        assert store.fetch("tiny") == cache / "tiny.bin"
        assert (cache / "tiny.bin").read_bytes() == CONTENT
        assert server.requests == []
        assert left_in(cache) == ["tiny.bin"]

    def test_a_wrong_file_in_a_folder_is_passed_over_and_named(
        self, server: ModelServer, cache: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "tiny.bin").write_bytes(CONTENT[:-5])
        store = store_of(server.model("good"), cache, mirror=str(tmp_path))
        assert store.damage("tiny") == [f"{tmp_path / 'tiny.bin'} has 204,795 bytes, not 204,800"]
        assert store.path("tiny") == cache / "tiny.bin"

    def test_an_address_is_asked_before_the_others(self, server: ModelServer, cache: Path) -> None:
        store = store_of(server.model("good"), cache, mirror=f"{server.url}/refused/")
        assert store.path("tiny").read_bytes() == CONTENT
        assert server.requests == ["/refused/tiny.bin", "/good/tiny.bin"]

    def test_a_password_in_the_mirrors_address_is_not_told(
        self, server: ModelServer, cache: Path
    ) -> None:
        secret = server.url.replace("http://", "http://me:hush@")
        store = store_of(server.model("refused"), cache, mirror=f"{secret}/refused")
        with pytest.raises(ModelUnavailable) as error:
            store.path("tiny")
        assert "hush" not in error.value.detail
        assert len(server.requests) == 2


class TestWithoutANetwork:
    def test_offline_touches_no_network(self, server: ModelServer, cache: Path) -> None:
        store = store_of(server.model("good"), cache, offline=True, mirror=f"{server.url}/good")
        for ask in (store.path, store.fetch):
            with pytest.raises(ModelUnavailable, match="VISIONGATE_OFFLINE"):
                ask("tiny")
        assert server.requests == []

    def test_the_view_for_the_start_fetches_nothing(self, server: ModelServer, cache: Path) -> None:
        store = store_of(server.model("good"), cache)
        view = store.present_only()
        with pytest.raises(ModelUnavailable, match="pull tiny"):
            view.path("tiny")
        assert server.requests == []
        store.fetch("tiny")
        assert view.path("tiny").read_bytes() == CONTENT
        assert view.cache_dir() == store.cache_dir()

    def test_a_failure_stands_for_a_while_and_is_then_forgotten(
        self, server: ModelServer, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = store_of(server.model("refused"), cache)
        for _ in range(3):
            with pytest.raises(ModelUnavailable) as error:
                store.path("tiny")
            assert error.value.retry_after is not None
            assert 0 < error.value.retry_after <= 60
        assert len(server.requests) == 1
        monkeypatch.setattr(background, "FAILURE_LASTS_SECONDS", 0.0)
        with pytest.raises(ModelUnavailable):
            store.path("tiny")
        assert len(server.requests) == 2

    def test_one_model_waits_for_a_silent_host_and_the_others_do_not(
        self, server: ModelServer, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dead = {"addresses": ("http://127.0.0.1:9/a.bin", f"{server.url}/good/a.bin")}
        models = {n: server.model("good", name=n).model_copy(update=dead) for n in ("a", "b")}
        mute = server.model("good", name="c").model_copy(
            update={"addresses": dead["addresses"][:1]}
        )
        store = FileModelStore(cache, manifest={**models, "c": mute})
        assert store.path("a").read_bytes() == CONTENT
        with pytest.raises(ModelUnavailable, match="could not be reached a moment ago"):
            store.path("c")
        assert store.path("b").read_bytes() == CONTENT
        monkeypatch.setattr("visiongate.models.store.FAILURE_LASTS_SECONDS", 0.0)
        other = FileModelStore(cache, manifest={"c": mute})
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:9/a\.bin: cannot be reached"):
                other.fetch("c")

    def test_what_was_fetched_meanwhile_counts_at_once(
        self, server: ModelServer, cache: Path
    ) -> None:
        store = store_of(server.model("refused"), cache)
        with pytest.raises(ModelUnavailable):
            store.path("tiny")
        (cache / "tiny.bin").write_bytes(CONTENT)
        assert store.path("tiny") == cache / "tiny.bin"


class TestTogether:
    def test_a_slow_download_goes_on_while_requests_are_told_so(
        self, server: ModelServer, cache: Path
    ) -> None:
        store = store_of(server.model("slow"), cache, wait_seconds=0.0)
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="being fetched") as error:
                store.path("tiny")
            assert error.value.retry_after == 5.0
            assert server.half_sent.wait(PATIENCE_SECONDS)
        server.release.set()
        assert store.fetch("tiny").read_bytes() == CONTENT  # waits for the one that goes on
        assert store.path("tiny") == cache / "tiny.bin"
        assert len(server.requests) == 1

    def test_many_threads_fetch_once(self, server: ModelServer, cache: Path) -> None:
        store = store_of(server.model("good"), cache)
        with ThreadPoolExecutor(8) as pool:
            paths = set(pool.map(store.path, ["tiny"] * 16))
        assert paths == {cache / "tiny.bin"}
        assert len(server.requests) == 1

    def test_many_processes_fetch_once(self, server: ModelServer, cache: Path) -> None:
        context = multiprocessing.get_context("spawn")
        with context.Pool(3) as pool:
            sizes = pool.starmap(_fetched_size, [(server.model("good"), cache)] * 3)
        assert sizes == [len(CONTENT)] * 3
        assert len(server.requests) == 1

    def test_a_process_killed_half_way_harms_nobody(self, server: ModelServer, cache: Path) -> None:
        context = multiprocessing.get_context("spawn")
        victim = context.Process(target=_fetched_size, args=(server.model("slow"), cache))
        victim.start()
        assert server.half_sent.wait(PATIENCE_SECONDS)
        victim.kill()
        victim.join()
        victim.close()
        store = store_of(server.model("good"), cache)
        assert store.find("tiny") is None
        assert store.path("tiny").read_bytes() == CONTENT
        assert left_in(cache) == ["tiny.bin"]


def _fetched_size(model: Model, cache: Path) -> int:
    return store_of(model, cache).fetch(model.name).stat().st_size


class TestRealWeights:
    def test_the_mirror_in_shared_holds_what_the_manifest_describes(
        self, weights: Path, cache: Path
    ) -> None:
        store = FileModelStore(cache, mirror=str(weights), offline=True)
        here = {name for name in load_manifest() if store.find(name)}
        assert here >= {
            "picodet_s_416_coco",
            "yolox_nano",
            "face_detection_yunet_2026may",
            "mobilenet_v2_1.0_224_quant",
            "imagenet_labels_1001",
        }
        assert [problem for name in load_manifest() for problem in store.damage(name)] == []
