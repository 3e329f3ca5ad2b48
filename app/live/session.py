"""One jam with its sounds: joins the pure jam with the model, the worker's line and the files."""

import random
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from app.errands import Errand
from app.errors import StudioError
from app.live.clock import MAX_LOOP_S, LoopClock
from app.live.deadline import StepPlanner, longer_loop
from app.live.groove import make_click
from app.live.jam import Jam, Task, Version
from app.live.making import Microphone, Order, Sound, VersionMaker, add_recorded, draw_seed, heard_mix
from app.live.take import MAX_TAKE_S, PlayedLoop
from app.model_shelf import Generator
from app.progress import work_units
from app.services import Studio
from sessions.errors import SessionError
from stemgen_core.errors import GenerationCancelledError, InvalidRequestError, StemGenError
from stemgen_core.generator import GenerationRequest
from stemgen_core.instruments import find_instrument
from stemgen_core.types import Waveform

TO_THE_EAR_S = 0.5  # from a finished version to one that the page can start: fetching, decoding, a margin
MAX_LOOPS_AWAY = 1000  # that a page may have slept through
MAX_CACHED = 48  # waveforms of versions


class LiveSession:
    """A jam that somebody's page plays. Its methods may be called from any thread.

    Args:
        studio: the use cases.
        owner_token: whose it is.
        clock: of the loop.
        name: what it began from.
        seed: of everything drawn in it.
        now_s: a clock that never goes back, seconds.
    """

    def __init__(
        self,
        studio: Studio,
        owner_token: str,
        clock: LoopClock,
        name: str,
        *,
        seed: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.studio = studio
        self.owner_token = owner_token
        self.clock = clock
        self.name = name
        self.id = secrets.token_hex(16)
        self.now_s = now_s
        self.jam = Jam(lambda: secrets.token_hex(8))
        self.sounds: dict[str, Sound] = {}  # by version id
        self.microphone = Microphone(clock)
        self.heard: deque[Version] = deque()  # what began to sound and is not written into the tree yet
        self.message = ""
        self.timekeeper_id = ""  # the part that is heard only while nothing else plays
        self.last_beat_s = now_s()
        self.take: list[PlayedLoop] = []
        self.is_recording = False
        self.lock = threading.RLock()
        self._boundary_s = now_s() + clock.duration_s  # when the next loop begins
        self._maker = VersionMaker(clock, studio.sounds.keep, now_s)
        self._planners: dict[str, StepPlanner] = {}
        self._waveforms: OrderedDict[str, Waveform] = OrderedDict()
        self._click = make_click(clock)
        self._rng = random.Random(seed)
        self._is_closed = False
        self._errand_id: str | None = None

    # ---- setting up --------------------------------------------------------------------------------------------

    def add_sound(self, sound: Sound) -> str:
        """Add a part that plays a sound which is there already; return the part's id."""
        with self.lock:
            part = self.jam.add_part(sound.instrument, plays=True)
            if part.playing is not None:
                self.sounds[part.playing.id] = sound
            return part.id

    def add_player(self, instrument: str) -> str:
        """Add a part that the model plays; return its id.

        Raises:
            InvalidRequestError: if the model doesn't play it, or there are as many parts as there can be.
            ModelNotReadyError: if no model is loaded.
        """
        known = {one.name for one in self.studio.models.get().instruments}
        if instrument not in known:
            raise InvalidRequestError("Choose an instrument that the model plays.")
        with self.lock:
            return self.jam.add_part(instrument).id

    # ---- what the page says ------------------------------------------------------------------------------------

    def beat(
        self, loop: int, position_s: float, sounding: Mapping[str, str], gains_db: Mapping[str, float] | None = None
    ) -> None:
        """Take down where the music is, and begin what is to be made next.

        Args:
            loop: which one sounds, counted from 0.
            position_s: how far inside it, seconds.
            sounding: version by part, of the parts that are heard.
            gains_db: by part.

        Raises:
            InvalidRequestError: if the music can't be there.
        """
        with self.lock:
            is_possible = 0 <= loop <= max(self.jam.loop, 0) + MAX_LOOPS_AWAY and -1 <= position_s <= 2 * MAX_LOOP_S
            if not is_possible:
                raise InvalidRequestError("The music is not where the page says it is. Start again.")
            now_s = self.now_s()
            self.last_beat_s = now_s
            for version_id in sounding.values():
                version = self.jam.take_over(version_id, now_s)
                if version is not None and version.heard is not None:
                    self.heard.append(version)
            for played in range(self.jam.loop + 1, loop + 1):
                self._record(played, sounding, gains_db or {})
            self.jam.begin_loop(loop)
            self._boundary_s = now_s + self.clock.duration_s - position_s
            self._go_on()

    def change(self, what: Callable[[Jam], object]) -> None:
        """Do something to the jam, and begin what follows from it."""
        with self.lock:
            what(self.jam)
            if self.jam.task is None:
                self._drop_errand()
            self._go_on()

    def set_controls(self, given: Mapping[str, Any]) -> None:
        """Set some controls.

        Raises:
            InvalidRequestError: if there is no such control, or a value is out of range.
        """
        genres = self.studio.models.get().genres
        self.change(lambda jam: jam.set_controls(jam.controls.changed(given, genres), self.now_s()))

    def set_recording(self, *, is_recording: bool) -> None:
        """Begin a take with the next loop, or end it with this one."""
        with self.lock:
            if is_recording and not self.is_recording:
                self.take = []
            self.is_recording = is_recording

    def close(self) -> None:
        """End it: nothing more is made."""
        with self.lock:
            self._is_closed = True
            self._drop_errand()

    # ---- what it knows -----------------------------------------------------------------------------------------

    def waveform(self, version_id: str) -> Waveform:
        """Return what a version sounds like."""
        with self.lock:
            known = self._waveforms.get(version_id)
            if known is not None:
                self._waveforms.move_to_end(version_id)
                return known
            audio = self.sounds[version_id].audio
        waveform = self.studio.sounds.read(audio)
        with self.lock:
            self._waveforms[version_id] = waveform
            while len(self._waveforms) > MAX_CACHED:
                self._waveforms.popitem(last=False)
        return waveform

    def label(self, part_id: str) -> str:
        """Return what people call a part."""
        instrument = self.jam.part(part_id).instrument
        return self.name if instrument is None else find_instrument(instrument).label

    @property
    def least_s(self) -> float | None:
        """Seconds that the slowest of the parts takes for a version of the fewest steps; None before the first."""
        with self.lock:
            known = [each.least_s for each in self._planners.values() if each.least_s is not None]
        return max(known, default=None)

    @property
    def times_longer(self) -> int | None:
        """How many times longer the loop must be for this machine; 1 if it is long enough, None if none is."""
        with self.lock:
            known = [each.usual_least_s for each in self._planners.values() if each.usual_least_s is not None]
        if not known:
            return 1
        return longer_loop(max(known), self.clock.duration_s, TO_THE_EAR_S, MAX_LOOP_S)

    def quantile_s(self, share: float) -> float | None:
        """Return the time that a share of the latest versions kept to, of all parts; None before the first."""
        with self.lock:
            times = [each.quantile_s(share) for each in self._planners.values()]
        return max((time for time in times if time is not None), default=None)

    def next_change_loop(self) -> int:
        """Return the loop from which on a change of the controls can be heard."""
        task = self.jam.task
        return max(self._soonest_loop(), 0 if task is None else task.loop + 1)

    # ---- making ------------------------------------------------------------------------------------------------

    def _record(self, loop: int, sounding: Mapping[str, str], gains_db: Mapping[str, float]) -> None:
        if not self.is_recording:
            return
        # What the page says holds for the loop that sounds; of others since its last word it is the best guess.
        self.take.append(PlayedLoop(dict(sounding), dict(gains_db)))
        if (len(self.take) + 1) * self.clock.duration_s > MAX_TAKE_S:
            self.is_recording = False

    def _soonest_loop(self) -> int:
        """Return the first loop that a version begun now can be ready for."""
        time_left_s = self._boundary_s - TO_THE_EAR_S - self.now_s()
        return self.jam.loop + (1 if (self.least_s or 0.0) <= time_left_s else 2)

    def _go_on(self) -> None:
        """Begin the next version if it is time for one; the lock is held."""
        generator = self.studio.models.wait(0)
        if generator is None or self._is_closed or self._errand_id is not None:
            return
        at_boundary = self._boundary_s - self.now_s() > 0.75 * self.clock.duration_s
        task = self.jam.next_task(self.jam.loop + 1 if at_boundary else self._soonest_loop())
        if task is None:
            return
        instrument = self.jam.part(task.part_id).instrument or ""
        units = work_units(GenerationRequest(instrument, 0), self.clock.duration_s)
        errand = Errand(self.owner_token, task.version.id, units, lambda stop: self._run(generator, task, stop))
        self._errand_id = errand.id
        self.studio.worker.run_errand(errand)

    def _drop_errand(self) -> None:
        if self._errand_id is not None:
            self.studio.worker.drop_errand(self._errand_id)
            self._errand_id = None

    def _run(self, generator: Generator, task: Task, should_stop: Callable[[], bool]) -> None:
        """Make a version; called by the worker."""
        try:
            sound = self._make(generator, task, should_stop)
        except GenerationCancelledError:
            sound = None
        except (StemGenError, SessionError, StudioError) as error:
            sound, self.message = None, str(error)
        with self.lock:
            if self._errand_id == task.version.id:
                self._errand_id = None
            if sound is None:
                self.jam.give_up(task)
                return
            self.sounds[task.version.id] = sound
            self.message = ""
            if self.jam.finish(task):
                self._go_on()

    def _make(self, generator: Generator, task: Task, should_stop: Callable[[], bool]) -> Sound:
        order = self._order(task)
        planner = self._planner(order.instrument)
        return self._maker.make(generator, order, planner, lambda: self._deadline_s(task), should_stop)

    def _planner(self, instrument: str) -> StepPlanner:
        """Return the planner of an instrument, made when the worker first needs it."""
        with self.lock:
            return self._planners.setdefault(instrument, StepPlanner())

    def _order(self, task: Task) -> Order:
        heard = [self.waveform(version_id) for version_id in task.version.heard or ()]
        recorded = self.microphone.latest()
        mix = heard_mix(heard, self._click, self.studio.sounds.files.mix)
        with self.lock:
            instrument = self.jam.part(task.part_id).instrument or ""
            before = None if task.before is None else self.sounds[task.before.id]
            has_start = {version.id for version in self._started()} <= set(task.version.heard or ())
        return Order(
            instrument=instrument,
            seed=draw_seed(self._rng),
            controls=task.controls,
            context=add_recorded(mix, recorded),
            before=None if before is None or task.before is None else (before, self.waveform(task.before.id)),
            is_repeatable=recorded is None and has_start,
        )

    def _started(self) -> list[Version]:
        """Return what plays and is not the model's: the context that the tree will hold."""
        return [
            part.playing for part in self.jam.parts.values() if part.instrument is None and part.playing is not None
        ]

    def _deadline_s(self, task: Task) -> float:
        """Return when a task must be done; later than planned if it has missed its boundary already."""
        with self.lock:
            current = self.jam.task
            loop = task.loop if current is None or current.version != task.version else current.loop
            return self._boundary_s + (loop - self.jam.loop - 1) * self.clock.duration_s - TO_THE_EAR_S
