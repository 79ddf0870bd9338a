"""Every setting, in one frozen object.

Read, in this order of precedence: environment variables (prefix ``VISIONGATE_``), ``.env``, the
TOML file named by ``VISIONGATE_CONFIG`` (default ``visiongate.toml``), defaults. Each field's
description is what ``docs/configuration.md`` says of it; a test holds the two together.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from visiongate.errors import ConfigurationError

__all__ = ["PREFIX", "Settings", "load_settings"]

PREFIX = "VISIONGATE_"
_DEFAULT_CONFIG = "visiongate.toml"


class Settings(BaseSettings):
    """The gateway's configuration; see each field's description."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="forbid", frozen=True, validate_default=True
    )

    # -- where things are
    config: Path = Field(Path(_DEFAULT_CONFIG), description="TOML file with further settings.")
    data_dir: Path = Field(Path("data"), description="Users, keys, revoked tokens, cached models.")
    images_dir: Path = Field(Path("images"), description="Where kept pictures go.")

    # -- serving
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=0, le=65535, description="Port to listen on; plain PORT works too.")
    workers: int = Field(1, ge=1, le=256, description="Server processes. One uses all cores.")
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Requests read and answered at once, per process; "
        "0: as many as may compute and wait, and some more.",
    )
    shutdown_seconds: float = Field(30.0, gt=0, description="How long SIGTERM waits for what runs.")
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
    cors_origins: tuple[str, ...] = Field(
        (), description="Origins whose pages may call the gateway, as a JSON list."
    )

    # -- pictures
    max_upload_bytes: int = Field(5_000_000, ge=1, description="Largest picture, in bytes.")
    max_pixels: int = Field(
        50_000_000, ge=1, description="Largest picture, in pixels, checked before decoding."
    )
    retention: Literal["on", "off"] = Field(
        "on", description="off: no byte of a picture touches a disk."
    )
    retention_days: float = Field(30.0, gt=0, description="Age at which kept pictures are swept.")
    retention_max_bytes: int = Field(
        5_000_000_000,
        ge=0,
        description="Disk budget of kept pictures; the oldest are swept beyond it.",
    )
    sweep_seconds: float = Field(60.0, gt=0, description="How often kept pictures are swept.")

    # -- detectors
    detectors_disabled: tuple[str, ...] = Field(
        (), description="Detectors that are switched off, as a JSON list."
    )
    detectors: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Options for a detector by its name ([detectors.NAME] in TOML).",
    )
    preload: bool = Field(
        True, description="Load detectors at start rather than at their first request."
    )
    device: str = Field("CPU", description="OpenVINO device that models run on.")
    concurrency: int = Field(
        0, ge=0, description="Requests computed at once, per process; 0: one a core."
    )
    max_waiting: int = Field(
        64, ge=0, description="Requests that may wait for a place, per process."
    )
    deadline_ms: int = Field(
        10_000,
        ge=1,
        description="Longest wait before work must have begun; X-Deadline-Ms shortens it.",
    )
    model_mirror: str = Field("", description="Folder or address asked first for weights.")
    offline: bool = Field(False, description="Never download weights.")

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
        "memory://",
        description="Where attempts are counted; redis://… shares it between processes.",
    )
    open_routes: tuple[str, ...] = Field(
        (), description="Compatibility routes answered without a token, as a JSON list."
    )

    @field_validator("data_dir", "images_dir", "config")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        config = Path(os.environ.get(PREFIX + "CONFIG", _DEFAULT_CONFIG)).expanduser()
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config)
        return (init_settings, env_settings, dotenv_settings, toml)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` go before every other source.

    Raises:
        ConfigurationError: an unknown ``VISIONGATE_…`` name (lists the nearest known ones), a value
            that does not fit (names the setting and what fits), or an unreadable file.
    """
    _reject_unknown(os.environ)
    for plain, name in (("PORT", "port"), ("FLASK_DEBUG", "debug")):
        value = os.environ.get(plain)
        if value and PREFIX + plain.removeprefix("FLASK_") not in os.environ:
            overrides.setdefault(name, value)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The configuration cannot be read: {error}") from None


def _reject_unknown(environ: Mapping[str, str]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ConfigurationError(
                f"Unknown setting {name}.{hint} All are in docs/configuration.md."
            )


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"]) or "settings"
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, list(Settings.model_fields), n=3)
            lines.append(
                f"{name}: unknown setting."
                + (f" Did you mean {' or '.join(near)}?" if near else "")
            )
        else:
            lines.append(f"{PREFIX}{name.upper()}: {item['msg']} (got {item['input']!r}).")
    return " ".join(lines)
