"""Downloads: made when they are asked for, for those whose they are, and left nowhere.

The page sends the browser's secret in a header, as for sounds. Programs get an address with a ticket, which opens that
one download for an hour.
"""

from collections.abc import Iterator, Mapping
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from app.errors import BusyError, StudioError
from app.exporting.desk import ExportDesk, ExportedFile
from app.exporting.tickets import DownloadTickets
from app.ui.routes import KEY_HEADER
from sessions.errors import NotFoundError, SessionError
from stemgen_core.errors import StemGenError

CHUNK_BYTES = 1 << 16
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Vary": KEY_HEADER}


def export_path(node_id: str, what: str, format_name: str) -> str:
    """Return the address of an export of a node."""
    return f"/export/{node_id}/{what}.{format_name}"


def build_export_routes(desk: ExportDesk, tickets: DownloadTickets) -> list[BaseRoute]:
    """Return the routes of downloads, to mount before Gradio's."""

    def make(request: Request, token: str) -> ExportedFile:
        names = request.path_params
        if "session_id" in names:
            return desk.export_session(token, names["session_id"])
        return desk.export(token, names["node_id"], names["what"], names["format_name"])

    def export(request: Request) -> Response:
        ticket = request.query_params.get("ticket", "")
        token = request.headers.get(KEY_HEADER) or tickets.token_for(ticket, request.url.path)
        if not token:
            return _refused("There is nothing here.", 404)
        try:
            return _download(make(request, token))
        except NotFoundError as error:
            return _refused(str(error), 404)
        except BusyError as error:
            return _refused(str(error), 429, {"Retry-After": str(error.retry_after_s)})
        except (StudioError, SessionError, StemGenError) as error:
            return _refused(str(error), 422)

    return [
        Route("/export/session/{session_id:str}.zip", export, methods=["GET"]),
        Route("/export/{node_id:str}/{what:str}.{format_name:str}", export, methods=["GET"]),
    ]


def _download(file: ExportedFile) -> Response:
    plain = file.name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "'")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    headers = _HEADERS | {"Content-Disposition": disposition, "Content-Length": str(file.num_bytes)}
    return StreamingResponse(_chunks(file.content), media_type=file.media_type, headers=headers)


def _chunks(content: BinaryIO) -> Iterator[bytes]:
    with content:
        while chunk := content.read(CHUNK_BYTES):
            yield chunk


def _refused(words: str, status: int, more: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(words, status_code=status, headers={**_HEADERS, **(more or {})})
