"""All jams of this server: who opens one, from what, and when it ends."""

import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from app.errors import BusyError
from app.listening import hear, settle
from app.live.clock import MAX_LOOP_S, LoopClock
from app.live.groove import make_click, make_groove
from app.live.making import Sound
from app.live.scribe import Scribe
from app.live.session import LiveSession
from app.live.take import parts_of, render_part
from app.revising import keep_made
from app.services import Studio
from sessions.errors import SessionError
from sessions.tree import AudioRef, Mixer, Node, TurnRequest, VariationResult, mix_nodes
from stemgen_core.audio import mix_waveforms
from stemgen_core.errors import InvalidRequestError
from stemgen_core.score import Note
from stemgen_core.types import Waveform

log = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 44_100
MAX_JAMS = 16
SILENT_AFTER_S = 20.0  # without a word from its page a jam is over
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Start:
    """What a jam begins from.

    Attributes:
        kind: "silence", "groove", "loop" (a file that was brought) or "node" (a mix of a session).
        instruments: who plays along, in order; the page adds others later.
        tempo_bpm: of silence and groove.
        num_bars: of silence and groove.
        genre: of a groove; None draws one.
        source: the file of a loop.
        name: of the loop.
        node_id: of a mix.
        repeats: how many times over the loop or mix is taken, for machines that need longer.
        seed: of everything drawn; None draws one.
    """

    kind: str
    instruments: tuple[str, ...] = ()
    tempo_bpm: int = 90
    num_bars: int = 4
    genre: str | None = None
    source: Path | None = None
    name: str = ""
    node_id: str | None = None
    repeats: int = 1
    seed: int | None = None


@dataclass(slots=True)
class _Seat:
    """A jam and who writes it down."""

    live: LiveSession
    scribe: Scribe
    first: Sound | None
    analysis: Mapping[str, Any]
    is_quiet: bool = False
    writing: threading.Lock = field(default_factory=threading.Lock)


@dataclass(slots=True)
class LiveRoom:
    """The jams, each found by its id and its owner's token only. Methods may be called from any thread.

    Attributes:
        studio: the use cases.
    """

    studio: Studio
    _seats: dict[str, _Seat] = field(default_factory=dict)
    _num_opening: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Begin to write down what is played."""
        threading.Thread(target=self._look_after, name="live", daemon=True).start()

    def close(self) -> None:
        """End every jam."""
        self._stop.set()
        with self._lock:
            seats, self._seats = list(self._seats.values()), {}
        for seat in seats:
            seat.live.close()

    # ---- coming and going --------------------------------------------------------------------------------------

    def open(self, owner_token: str, start: Start) -> LiveSession:
        """Begin a jam; one that this owner has already ends.

        Raises:
            InvalidRequestError: if it can't be begun so; the message says how it can.
            AudioFormatError: if the loop that was brought can't be used.
            BusyError: if as many play as can.
            ModelNotReadyError: if no model is loaded.
            NodeNotFoundError: if this owner has no such mix.
        """
        self.studio.models.get()
        with self._lock:
            self._end_jams_of(owner_token)
            if len(self._seats) + self._num_opening >= MAX_JAMS:
                raise BusyError("Everybody who can play live here does. Try again in about 60 s.", 60)
            self._num_opening += 1  # building takes its time, and others come meanwhile
        try:
            seat = self._build(owner_token, start)
            for instrument in start.instruments:
                seat.live.add_player(instrument)
            if start.genre is not None and start.genre in self.studio.models.get().genres:
                seat.live.jam.controls = replace(seat.live.jam.controls, genre=start.genre)
            with self._lock:
                self._end_jams_of(owner_token)  # a second one of the same owner may have been quicker
                self._seats[seat.live.id] = seat
        finally:
            with self._lock:
                self._num_opening -= 1
        return seat.live

    def find(self, owner_token: str, jam_id: str) -> LiveSession:
        """Return a jam.

        Raises:
            InvalidRequestError: if this owner has no such jam, or it is over.
        """
        return self._seat(owner_token, jam_id).live

    def leave(self, owner_token: str, jam_id: str) -> None:
        """End a jam; what was heard of it is written down."""
        seat = self._seat(owner_token, jam_id)
        with self._lock:
            self._seats.pop(jam_id, None)
        seat.live.close()
        self._write(seat)

    def audio(self, owner_token: str, jam_id: str, version_id: str) -> Path:
        """Return the file of a version.

        Raises:
            InvalidRequestError: if there is no such jam or version.
            AudioNotFoundError: if its file is gone.
        """
        live = self.find(owner_token, jam_id)
        if version_id not in live.sounds:
            raise InvalidRequestError("There is no such version.")
        return self.studio.sounds.blobs.path(live.sounds[version_id].audio.sha256)

    def session_id(self, owner_token: str, jam_id: str) -> str | None:
        """Return the session that a jam is written into; None before anything is."""
        tip = self._seat(owner_token, jam_id).scribe.tip
        return None if tip is None else tip.session_id

    def _end_jams_of(self, owner_token: str) -> None:
        """End what an owner plays; the lock is held."""
        for jam_id in [key for key, seat in self._seats.items() if seat.live.owner_token == owner_token]:
            self._seats.pop(jam_id).live.close()

    def _seat(self, owner_token: str, jam_id: str) -> _Seat:
        with self._lock:
            seat = self._seats.get(jam_id)
        if seat is None or not secrets.compare_digest(seat.live.owner_token, owner_token):
            raise InvalidRequestError("This jam is over. Start another one.")
        return seat

    # ---- what there is to begin from ---------------------------------------------------------------------------

    def _build(self, owner_token: str, start: Start) -> _Seat:
        seed = secrets.randbelow(1_000_000) if start.seed is None else start.seed
        scribe = Scribe(self.studio, owner_token)
        if start.kind == "node":
            return self._from_node(scribe, start, seed)
        if start.kind == "loop":
            if start.source is None:
                raise InvalidRequestError("Choose a loop first.")
            waveform = self.studio.sounds.read_context(start.source, max_duration_s=MAX_LOOP_S)
            waveform = _repeated(waveform, start.repeats)
            analysis = hear(waveform)
            clock = clock_of(waveform.sample_rate_hz, waveform.num_audio_samples, analysis)
            return self._seat_with(scribe, clock, start.name or "Loop", waveform, analysis, seed)
        if start.kind not in ("silence", "groove"):
            raise InvalidRequestError("Begin from silence, a groove, a loop or a session.")
        clock = LoopClock.at_tempo(
            Fraction(start.tempo_bpm), start.num_bars * start.repeats, sample_rate_hz=SAMPLE_RATE_HZ
        )
        is_quiet = start.kind == "silence"
        waveform = make_click(clock) if is_quiet else make_groove(clock, start.genre, seed)
        said = {"tempo_bpm": round(float(clock.tempo_bpm), 3), "beats_per_bar": 4, "first_downbeat_s": 0.0}
        detected = {**dict.fromkeys(("tempo_bpm", "key", "beats_per_bar", "first_downbeat_s")), **_UNSURE}
        analysis = settle({**detected, "duration_s": clock.duration_s}, said)
        seat = self._seat_with(scribe, clock, "Click" if is_quiet else "Groove", waveform, analysis, seed)
        seat.is_quiet = is_quiet
        if is_quiet:
            seat.live.timekeeper_id = next(iter(seat.live.jam.parts))
        return seat

    def _seat_with(
        self, scribe: Scribe, clock: LoopClock, name: str, waveform: Waveform, analysis: Mapping[str, Any], seed: int
    ) -> _Seat:
        live = LiveSession(self.studio, scribe.owner_token, clock, name, seed=seed)
        sound = Sound(self.studio.sounds.keep(waveform))
        live.add_sound(sound)
        return _Seat(live, scribe, sound, analysis)

    def _from_node(self, scribe: Scribe, start: Start, seed: int) -> _Seat:
        store, sounds = self.studio.store, self.studio.sounds
        lineage = store.lineage(scribe.owner_token, str(start.node_id))
        root, *stems = mix_nodes(lineage)
        if root.audio is None:
            raise InvalidRequestError("This mix has no sound of its own.")
        analysis = dict(root.analysis or hear(sounds.read(root.audio)))
        clock = clock_of(root.audio.sample_rate_hz, root.audio.num_audio_samples, analysis)
        live = LiveSession(self.studio, scribe.owner_token, clock, root.name or "Context", seed=seed)
        live.add_sound(Sound(root.audio))
        scribe.tip = lineage[-1]
        for stem in stems:
            sound = self._sound_of(scribe.owner_token, stem)
            if sound is not None:
                part = live.jam.part(live.add_sound(sound))
                scribe.adopt(part.id, part.playing.id if part.playing else "", stem.id)
        return _Seat(live, scribe, None, analysis)

    def _sound_of(self, owner_token: str, stem: Node) -> Sound | None:
        if stem.audio is None:
            return None
        notes = self.studio.store.notes(owner_token, stem.id)
        played = None if notes is None else tuple(Note(*note) for note in notes)
        part = (stem.settings or {}).get("part") or {}
        sound_seed = part.get("sound_seed", stem.seed or 0)
        return Sound(stem.audio, stem.instrument, notes=played, sound_seed=sound_seed, fit=dict(stem.fit or {}))

    # ---- takes -------------------------------------------------------------------------------------------------

    def render_take(self, owner_token: str, jam_id: str) -> Waveform:
        """Return the mix of the take, as the page played it.

        Raises:
            InvalidRequestError: if nothing was recorded.
        """
        live = self.find(owner_token, jam_id)
        played = self._played(live)
        total: Waveform | None = None
        for part_id in parts_of(played):
            part = render_part(played, part_id, live.clock, live.waveform)
            total = part if total is None else mix_waveforms([total, part])
        if total is None:
            raise InvalidRequestError("Nothing was recorded yet.")
        peak = float(total.samples.abs().max())
        return Waveform(total.samples / max(1.0, peak), total.sample_rate_hz)

    def open_take(self, owner_token: str, jam_id: str) -> Node:
        """Begin a session with the take: what the jam began from as its context, every part as a stem on top.

        Raises:
            InvalidRequestError: if nothing was recorded.
            StorageFullError: if there is no room for it.
        """
        seat = self._seat(owner_token, jam_id)
        live, store = seat.live, self.studio.store
        played = self._played(live)
        part_ids = parts_of(played)
        if not part_ids:
            raise InvalidRequestError("Nothing was recorded yet.")
        with live.lock:
            instruments = {part_id: part.instrument for part_id, part in live.jam.parts.items()}
        first = next((one for one, instrument in instruments.items() if instrument is None), part_ids[0])
        context = self._keep_part(live, played, first)
        session = store.create_session(owner_token, f"Live: {live.name}")
        bars = {**dict(seat.analysis), "duration_s": context.duration_s, "num_bars": len(played) * live.clock.num_bars}
        node = store.add_context(owner_token, session.id, context, name=live.name, analysis=bars)
        if seat.is_quiet:
            store.set_mixer(owner_token, node.id, Mixer(is_muted=True))
        for part_id in part_ids:
            instrument = instruments.get(part_id)
            if part_id == first or instrument is None:
                continue
            request = TurnRequest(instrument, (0,), {"take": True}, self.studio.models.get().model_id, None)
            result = VariationResult(self._keep_part(live, played, part_id), 0.0, {}, None)
            turn = keep_made(self.studio, owner_token, node.id, request, [result])
            node = store.pick_variation(owner_token, turn.variations[0].id)
        return node

    def _played(self, live: LiveSession) -> list[Any]:
        with live.lock:
            if not live.take:
                raise InvalidRequestError("Nothing was recorded yet: press record and let a loop go by.")
            return list(live.take)

    def _keep_part(self, live: LiveSession, played: list[Any], part_id: str) -> AudioRef:
        return self.studio.sounds.keep(render_part(played, part_id, live.clock, live.waveform))

    # ---- behind the music --------------------------------------------------------------------------------------

    def _look_after(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            with self._lock:
                seats = list(self._seats.items())
            for jam_id, seat in seats:
                if seat.live.now_s() - seat.live.last_beat_s > SILENT_AFTER_S:
                    with self._lock:
                        self._seats.pop(jam_id, None)
                    seat.live.close()
                try:
                    self._write(seat)
                except Exception:  # this thread ends the jams of everybody who has gone
                    log.exception("What was played could not be written down")

    def _write(self, seat: _Seat) -> None:
        """Write what was heard and is not written yet, in the order in which it was heard."""
        with seat.writing:
            self._write_all(seat)

    def _write_all(self, seat: _Seat) -> None:
        live = seat.live
        while True:
            with live.lock:
                if not live.heard:
                    return
                version = live.heard.popleft()
                sounds = dict(live.sounds)
            try:
                if seat.scribe.tip is None and seat.first is not None:
                    seat.scribe.begin(f"Live: {live.name}", seat.first, analysis=seat.analysis, is_quiet=seat.is_quiet)
                seat.scribe.write(version.part_id, version.id, sounds[version.id], version.heard or (), sounds)
            except SessionError as error:
                log.warning("A live version could not be kept: %s", error)
                live.message = f"This could not be kept in the session: {error}"


_UNSURE = {name: 0.0 for name in ("tempo_confidence", "metre_confidence", "downbeat_confidence", "key_confidence")}


def clock_of(sample_rate_hz: int, num_frames: int, analysis: Mapping[str, Any]) -> LoopClock:
    """Return the grid of a clip that is played as a loop: its own length, in as many bars as were heard in it.

    Raises:
        InvalidRequestError: if it is shorter or longer than live can use.
    """
    beats_per_bar = int(analysis.get("beats_per_bar") or 4)
    tempo_bpm = analysis.get("tempo_bpm")
    num_bars = analysis.get("num_bars")
    if not num_bars and tempo_bpm:
        num_bars = round(num_frames / sample_rate_hz * float(tempo_bpm) / 60 / beats_per_bar)
    return LoopClock(sample_rate_hz, num_frames, max(1, int(num_bars or 1)), beats_per_bar)


def _repeated(waveform: Waveform, repeats: int) -> Waveform:
    if not 1 <= repeats <= 8:
        raise InvalidRequestError("A loop can be taken up to 8 times over.")
    return Waveform(torch.cat([waveform.samples] * repeats, dim=1), waveform.sample_rate_hz)
