"""What the server answers beside Gradio's own: the page's scripts, and sounds to those who may hear them.

A sound is asked for with the browser's secret in a header. So the secret stands in no address, no log and no history,
and an address that somebody passes on opens nothing.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from app.services import Studio
from app.ui.static import FOLDER, MEDIA_TYPES, SERVED, URL_PREFIX
from sessions.errors import SessionError

KEY_HEADER = "X-StemGen-Browser"

_NOSNIFF = {"X-Content-Type-Options": "nosniff"}
# The name is the hash of the content, so that an answer never goes stale; only the same browser may reuse it.
_KEEP_PRIVATELY = {"Cache-Control": "private, max-age=31536000, immutable", "Vary": KEY_HEADER} | _NOSNIFF
_KEEP = {"Cache-Control": "public, max-age=31536000, immutable"} | _NOSNIFF


def build_routes(studio: Studio) -> list[BaseRoute]:
    """Return the routes to mount before Gradio's."""

    def media(request: Request) -> Response:
        token = request.headers.get(KEY_HEADER, "")
        try:
            if not token:
                return _not_found()
            path = studio.audio_path(token, request.path_params["sha256"])
        except SessionError:
            return _not_found()
        return FileResponse(path, media_type="audio/flac", headers=_KEEP_PRIVATELY)

    return [
        Route("/media/{sha256:str}.flac", media, methods=["GET"]),
        Route(URL_PREFIX + "/{name:str}", _shared_file, methods=["GET"]),
    ]


def _shared_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in SERVED:
        return _not_found()
    return FileResponse(FOLDER / name, media_type=MEDIA_TYPES[Path(name).suffix], headers=_KEEP)


def _not_found() -> Response:
    return PlainTextResponse("Not found", status_code=404, headers=_NOSNIFF)
