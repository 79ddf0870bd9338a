"""``python -m visiongate.audit``."""

from visiongate.audit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
