"""What models there are: where each comes from, and by what it is known to be the right one."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.types import ModelUse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Manifest", "Model", "get_model", "load_manifest", "model_use"]

_BUILTIN = Path(__file__).with_name("manifest.toml")

_FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
_Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Model(BaseModel):
    """One file: its name here, where it is found, and what its bytes must be."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    file: _FileName
    task: Literal["face", "object", "classify", "gender", "ethnicity", "part", "training"]
    summary: str
    addresses: tuple[_Address, ...] = Field(min_length=1)
    sha256: _Sha256
    bytes: int = Field(gt=0)
    licence: str = Field(min_length=1)
    labels: str = ""
    input: str = ""
    needs: tuple[str, ...] = ()
    default: bool = False

    @property
    def size(self) -> str:
        """The size for people: ``"4.0 MB"``, ``"3.2 kB"``."""
        unit, name = (1e6, "MB") if self.bytes >= 1e6 else (1e3, "kB")
        return f"{self.bytes / unit:.1f} {name}"


Manifest: TypeAlias = Mapping[str, Model]


@cache
def load_manifest(path: Path = _BUILTIN) -> Manifest:
    """Read a manifest.

    Raises:
        ConfigurationError: it cannot be read, an entry is malformed, needs one that is not
            there, or two name the same file.
    """
    try:
        with path.open("rb") as stream:
            entries = tomllib.load(stream)
        models = {name: Model(**{**entry, "name": name}) for name, entry in entries.items()}
    except (OSError, ValueError, TypeError) as error:
        reason = _first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(f"The manifest {path} cannot be used: {reason}") from None
    files: dict[str, str] = {}
    for name, model in models.items():
        if files.setdefault(model.file, name) != name:
            raise ConfigurationError(
                f"The manifest {path} gives {model.file} to both {files[model.file]} and {name}."
            )
        for needed in model.needs:
            if needed not in models:
                raise ConfigurationError(
                    f"The manifest {path} has {name} need {needed}, which it does not list."
                )
    return models


def get_model(name: str, manifest: Manifest | None = None) -> Model:
    """Return the entry called ``name``. Raises: ModelUnavailable, with the nearest known names."""
    models = load_manifest() if manifest is None else manifest
    if name in models:
        return models[name]
    near = difflib.get_close_matches(name, models, n=3, cutoff=0.4)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    raise ModelUnavailable(
        f"No model is called {name!r}.{hint} `python -m visiongate.models list` shows them all."
    )


def model_use(name: str, runtime: str) -> ModelUse:
    """Say of the model called ``name`` what a report says of it. Raises: ModelUnavailable."""
    model = get_model(name)
    return ModelUse(name=model.name, sha256=model.sha256, runtime=runtime, licence=model.licence)


def _first_problem(error: ValidationError) -> str:
    item = error.errors()[0]
    return f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']} (got {item['input']!r})"
