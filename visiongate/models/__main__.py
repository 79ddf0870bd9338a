"""Run ``python -m visiongate.models``."""

from visiongate.models.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
