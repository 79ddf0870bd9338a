"""Ask the gateway in this container how it stands; exit status 0 where it can answer.

For the Dockerfile's HEALTHCHECK: no curl is in the image, and none is needed.
"""

from __future__ import annotations

import http.client
import os
import sys

SECONDS = 4.0


def main() -> int:
    """Print the gateway's answer, or why there is none; return the exit status."""
    port = int(os.environ.get("VISIONGATE_PORT") or os.environ.get("PORT") or 5000)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        sys.stdout.write(answer.read(4096).decode("utf-8", "replace").strip() + "\n")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
