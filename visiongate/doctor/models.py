"""Are the weights here, and are they the bytes that the manifest names?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from visiongate.doctor.findings import Finding, command, fail, in_words, ok, warn
from visiongate.runtimes.converted import is_intact
from visiongate.services import build_models
from visiongate.settings import PREFIX, Settings

__all__ = ["examine"]


def examine(settings: Settings) -> Iterator[Finding]:
    store = build_models(settings)
    here = 0
    for model in store.manifest.values():
        damage = store.damage(model.name)
        if damage:
            yield fail(
                model.name,
                f"{'; '.join(damage)}. It is never used.",
                command("python", "-m", "visiongate.models", "pull", model.name),
            )
        elif store.find(model.name) is not None:
            here += 1
            yield ok(model.name, f"{model.size}, its SHA-256 is right.")
        elif model.default:
            pull = command("python", "-m", "visiongate.models", "pull", model.name)
            if settings.offline:
                yield fail(
                    model.name,
                    f"Not here ({model.size}), and fetching is switched off ({PREFIX}OFFLINE).",
                    f"Where there is a network: {pull}; then name that folder models/ as "
                    f"{PREFIX}MODEL_MIRROR here.",
                )
            else:
                yield warn(
                    model.name,
                    f"Not here yet ({model.size}); the first request that needs it waits for it.",
                    pull,
                )
    if settings.model_mirror and not settings.model_mirror.startswith(("http://", "https://")):
        yield _mirror(Path(settings.model_mirror).expanduser())
    yield from _derived(settings.data_dir / "models" / "derived")


def _mirror(folder: Path) -> Finding:
    if folder.is_dir():
        return ok("mirror", f"{folder} is there.")
    return fail(
        "mirror",
        f"{folder}, which {PREFIX}MODEL_MIRROR names, is not a folder.",
        f"Correct {PREFIX}MODEL_MIRROR, or leave it out.",
    )


def _derived(folder: Path) -> Iterator[Finding]:
    files = sorted(folder.glob("*.xml"))
    torn = [file for file in files if not is_intact(file)]
    if torn:
        yield warn(
            "converted",
            f"{in_words([file.name for file in torn])}: not as they were written.",
            f"{command('rm', *torn)} (the next start makes them anew, as it would in any case)",
        )
    elif files:
        yield ok("converted", f"Converted models: {len(files)}, each as it was written.")
