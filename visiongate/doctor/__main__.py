"""Run ``python -m visiongate.doctor``."""

from visiongate.doctor.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
