"""What the page of live asks the server, beside Gradio: small answers a few times a second, sounds, the microphone.

The browser's secret comes in a header, as for sounds; over the WebSocket it is the first message. What happens is told
in the answers to the page's beats, which it sends anyway, so nothing has to be kept open and nothing can be lost.
"""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
import torch
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.errors import BusyError, StudioError
from app.live.room import LiveRoom, Start
from app.live.session import LiveSession
from app.ui.live_view import live_view, offers_view
from app.ui.routes import KEY_HEADER
from app.ui.uploads import uploaded_path
from app.ui.views import Json
from sessions.errors import NotFoundError, SessionError
from stemgen_core.errors import InvalidRequestError, StemGenError

MODEL_WAIT_S = 60.0
MAX_BLOCK_BYTES = 8 + 2 * 48_000  # a second of sound
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Vary": KEY_HEADER}
EXPECTED_ERRORS = (StudioError, SessionError, StemGenError)


def build_live_routes(room: LiveRoom) -> list[BaseRoute]:
    """Return the routes of live, to mount before Gradio's."""
    door = _Door(room)
    return [
        Route("/live/offers", door.offers, methods=["GET"]),
        Route("/live", door.open, methods=["POST"]),
        Route("/live/{jam_id:str}/beat", door.beat, methods=["POST"]),
        Route("/live/{jam_id:str}/do", door.do, methods=["POST"]),
        Route("/live/{jam_id:str}/leave", door.leave, methods=["POST"]),
        Route("/live/{jam_id:str}/open-take", door.open_take, methods=["POST"]),
        Route("/live/{jam_id:str}/take.flac", door.take, methods=["GET"]),
        Route("/live/{jam_id:str}/sound/{version_id:str}.flac", door.sound, methods=["GET"]),
        WebSocketRoute("/live/{jam_id:str}/microphone", door.microphone),
    ]


class _Door:
    """The endpoints."""

    def __init__(self, room: LiveRoom) -> None:
        self._room = room

    async def offers(self, request: Request) -> Response:
        generator = await run_in_threadpool(self._room.studio.models.wait, MODEL_WAIT_S)
        if generator is None:
            return _refused("There is no model to play with (yet). Try again in a minute.", 503)
        return JSONResponse(offers_view(generator), headers=_HEADERS)

    async def open(self, request: Request) -> Response:
        return await _answer(request, lambda token, said: self._view(token, self._room.open(token, _start(said))))

    async def beat(self, request: Request) -> Response:
        def act(token: str, said: Json) -> Json:
            live = self._live(token, request)
            live.beat(
                int(said["loop"]),
                float(said["position_s"]),
                {str(part): str(version) for part, version in dict(said["sounding"]).items()},
                {str(part): float(gain) for part, gain in dict(said.get("gains_db", {})).items()},
            )
            return self._view(token, live)

        return await _answer(request, act)

    async def do(self, request: Request) -> Response:
        def act(token: str, said: Json) -> Json:
            live = self._live(token, request)
            _do(live, str(said.get("what")), said)
            return self._view(token, live)

        return await _answer(request, act)

    async def leave(self, request: Request) -> Response:
        def act(token: str, _: Json) -> Json:
            jam_id = request.path_params["jam_id"]
            session_id = self._room.session_id(token, jam_id)
            self._room.leave(token, jam_id)
            return {"session_id": session_id}

        return await _answer(request, act)

    async def open_take(self, request: Request) -> Response:
        def act(token: str, _: Json) -> Json:
            node = self._room.open_take(token, request.path_params["jam_id"])
            return {"session_id": node.session_id}

        return await _answer(request, act)

    async def take(self, request: Request) -> Response:
        def encode() -> bytes:
            take = self._room.render_take(_token(request), request.path_params["jam_id"])
            encoded = io.BytesIO()
            soundfile.write(encoded, take.samples.T.numpy(), take.sample_rate_hz, format="FLAC", subtype="PCM_16")
            return encoded.getvalue()

        try:
            content = await run_in_threadpool(encode)
        except EXPECTED_ERRORS as error:
            return _refused(str(error), 404)
        headers = _HEADERS | {"Content-Disposition": 'attachment; filename="live.flac"'}
        return Response(content, media_type="audio/flac", headers=headers)

    async def sound(self, request: Request) -> Response:
        names = request.path_params
        try:
            path = await run_in_threadpool(self._room.audio, _token(request), names["jam_id"], names["version_id"])
        except EXPECTED_ERRORS as error:
            return _refused(str(error), 404)
        return FileResponse(path, media_type="audio/flac", headers=_HEADERS)

    async def microphone(self, socket: WebSocket) -> None:
        """Take in blocks: where the first sample was played (int64, audio samples of the music), then int16 samples."""
        await socket.accept()
        try:
            token = await socket.receive_text()
            live = await run_in_threadpool(self._room.find, token, socket.path_params["jam_id"])
        except (InvalidRequestError, WebSocketDisconnect, KeyError):
            await socket.close(1008)
            return
        live.microphone.set_open(True)
        try:
            while True:
                block = await socket.receive_bytes()
                if not 8 < len(block) <= MAX_BLOCK_BYTES or len(block) % 2:
                    await socket.close(1009)
                    return
                at_frame = int(np.frombuffer(block, "<i8", 1)[0])
                samples = np.frombuffer(block, "<i2", offset=8).astype(np.float32) / 32768
                live.microphone.write(at_frame % live.clock.num_frames, torch.from_numpy(samples))
        except (WebSocketDisconnect, KeyError):  # gone, or text where sound should be
            return
        finally:
            live.microphone.set_open(False)

    def _live(self, token: str, request: Request) -> LiveSession:
        return self._room.find(token, request.path_params["jam_id"])

    def _view(self, token: str, live: LiveSession) -> Json:
        return live_view(live, self._room.session_id(token, live.id))


def _do(live: LiveSession, what: str, said: Json) -> None:
    """Do one of the things that people do."""
    part_id = str(said.get("part_id", ""))
    match what:
        case "controls":
            live.set_controls(dict(said.get("controls", {})))
        case "switch":
            live.change(lambda jam: jam.switch(part_id, is_on=bool(said.get("is_on"))))
        case "hold":
            live.change(lambda jam: jam.hold(part_id, is_held=bool(said.get("is_held"))))
        case "regenerate":
            live.change(lambda jam: jam.regenerate(part_id))
        case "undo":
            live.change(lambda jam: jam.undo(part_id))
        case "add":
            live.add_player(str(said.get("instrument")))
            live.change(lambda jam: None)
        case "remove":
            live.change(lambda jam: jam.remove_part(part_id))
        case "record":
            live.set_recording(is_recording=bool(said.get("is_recording")))
        case _:
            raise InvalidRequestError("There is no such thing to do.")


def _start(said: Json) -> Start:
    path = said.get("path")
    return Start(
        kind=str(said.get("kind")),
        instruments=tuple(str(name) for name in list(said.get("instruments", []))[:4]),
        tempo_bpm=int(said.get("tempo_bpm", 90)),
        num_bars=int(said.get("num_bars", 4)),
        genre=None if not said.get("genre") else str(said["genre"]),
        source=None if path is None else uploaded_path(str(path)),
        name=str(said.get("name", ""))[:80],
        node_id=None if said.get("node_id") is None else str(said["node_id"]),
        repeats=int(said.get("repeats", 1)),
    )


async def _answer(request: Request, act: Callable[[str, Json], Any]) -> Response:
    """Do what a request asks; say in words what can't be done."""
    try:
        said = json.loads(await request.body() or b"{}")
        if not isinstance(said, dict):
            raise InvalidRequestError("This is no request of the page's.")
        return JSONResponse(await run_in_threadpool(act, _token(request), said), headers=_HEADERS)
    except BusyError as error:
        return _refused(str(error), 429)
    except NotFoundError as error:
        return _refused(str(error), 404)
    except EXPECTED_ERRORS as error:
        return _refused(str(error), 422)
    except (KeyError, TypeError, ValueError, OverflowError):  # what the page never sends
        return _refused("This is no request of the page's.", 400)


def _token(request: Request) -> str:
    token = request.headers.get(KEY_HEADER, "")
    if not token:
        raise InvalidRequestError("This jam is over. Start another one.")
    return token


def _refused(words: str, status: int) -> Response:
    return PlainTextResponse(words, status_code=status, headers=_HEADERS)
