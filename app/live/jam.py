"""A jam: parts that loop together, of which one at a time gets its next version. Pure: time comes from outside.

Loops are counted from 0 at the start of the music. What is decided while loop k sounds is heard from loop k + 1 on, or
later; nothing ever stops what sounds before something else is ready to take its place.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.live.controls import Controls
from stemgen_core.errors import InvalidRequestError

MAX_PARTS = 8
MAX_REMEMBERED = 12  # versions of a part that undo can go back to


@dataclass(frozen=True, slots=True)
class Version:
    """What a part plays.

    Attributes:
        id: unique in the jam.
        part_id: whose.
        number: 1 for the part's first.
        heard: ids of the versions that it was made for; None for what was not made here.
        controls_number: of the controls that it was made with.
    """

    id: str
    part_id: str
    number: int
    heard: tuple[str, ...] | None = None
    controls_number: int = 0


@dataclass(frozen=True, slots=True)
class Coming:
    """A version that takes over.

    Attributes:
        version: what.
        loop: from the beginning of this loop on.
        is_late: whether it was to take over earlier.
    """

    version: Version
    loop: int
    is_late: bool = False


@dataclass(slots=True)
class Part:
    """One player of the band.

    Attributes:
        id: unique in the jam.
        instrument: what it plays; None for a sound that stays as it is.
        is_on: whether it is to be heard.
        is_held: whether it keeps its version.
        playing: what sounds, or would if it were on.
        coming: what takes over, once it is ready.
        past: what it played before, latest last.
        wants_new: whether it is to be next, whoever else's turn it is.
    """

    id: str
    instrument: str | None
    is_on: bool = True
    is_held: bool = False
    playing: Version | None = None
    coming: Coming | None = None
    past: deque[Version] = field(default_factory=lambda: deque(maxlen=MAX_REMEMBERED))
    wants_new: bool = False
    num_versions: int = 0

    @property
    def next_version(self) -> Version | None:
        """What will sound from the next boundary on."""
        return self.coming.version if self.coming else self.playing


@dataclass(frozen=True, slots=True)
class Task:
    """A version to be made.

    Attributes:
        part_id: for whom.
        version: what it will be.
        before: what the part plays until then.
        loop: it is to be ready when this loop begins.
        controls: how to make it.
        is_late: whether it was to be ready earlier.
    """

    part_id: str
    version: Version
    before: Version | None
    loop: int
    controls: Controls
    is_late: bool = False


@dataclass(slots=True)
class Score:
    """How well the jam keeps up.

    Attributes:
        num_in_time: versions that took over when they were to.
        num_missed: boundaries at which a version was to take over and was not ready.
        num_loops: that were played.
        delays_s: from a change of a control to the moment it was heard.
    """

    num_in_time: int = 0
    num_missed: int = 0
    num_loops: int = 0
    delays_s: deque[float] = field(default_factory=lambda: deque(maxlen=100))

    @property
    def swap_rate(self) -> float | None:
        """Share of versions in time, 0..1; None before the first."""
        total = self.num_in_time + self.num_missed
        return self.num_in_time / total if total else None


class Jam:
    """The parts, what they play, and who is next.

    Args:
        new_id: returns an id that was never used.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self.parts: dict[str, Part] = {}
        self.controls = Controls()
        self.controls_number = 0
        self.score = Score()
        self.loop = -1  # the one that sounds
        self.task: Task | None = None
        self._changed_s: dict[int, float] = {}  # when the controls of a number were set
        self._last_part_id = ""
        self._next_task_loop = 0  # tasks wait until it sounds

    # ---- who plays ---------------------------------------------------------------------------------------------

    def add_part(self, instrument: str | None, *, plays: bool = False) -> Part:
        """Add a part; `plays`: it has its first version already.

        Raises:
            InvalidRequestError: if there are as many as there can be.
        """
        if len(self.parts) >= MAX_PARTS:
            raise InvalidRequestError(f"{MAX_PARTS} parts are as many as can play. Take one out first.")
        part = Part(self._new_id(), instrument)
        if plays:
            part.num_versions = 1
            part.playing = Version(self._new_id(), part.id, 1)
        self.parts[part.id] = part
        return part

    def remove_part(self, part_id: str) -> None:
        """Take a part out; a version that is being made for it is not wanted any more."""
        self.part(part_id)
        del self.parts[part_id]
        if self.task is not None and self.task.part_id == part_id:
            self.task = None

    def part(self, part_id: str) -> Part:
        """Return a part.

        Raises:
            InvalidRequestError: if there is none of this id.
        """
        if part_id not in self.parts:
            raise InvalidRequestError("This part is not there any more.")
        return self.parts[part_id]

    # ---- what people do ----------------------------------------------------------------------------------------

    def set_controls(self, controls: Controls, now_s: float) -> None:
        """Let versions begun from now on be made otherwise."""
        if controls == self.controls:
            return
        self.controls = controls
        self.controls_number += 1
        self._changed_s[self.controls_number] = now_s

    def switch(self, part_id: str, *, is_on: bool) -> None:
        """Let a part be heard, or not, from the next boundary on."""
        self.part(part_id).is_on = is_on

    def hold(self, part_id: str, *, is_held: bool) -> None:
        """Let a part keep its version, or not."""
        part = self.part(part_id)
        part.is_held = is_held
        if is_held and self.task is not None and self.task.part_id == part_id:
            self.task = None  # what is being made comes too late: it is to stay as it is

    def regenerate(self, part_id: str) -> None:
        """Let a part be next."""
        part = self.part(part_id)
        if part.instrument is None:
            raise InvalidRequestError("This sound is not the model's: it can't be made anew.")
        part.is_on, part.is_held, part.wants_new = True, False, True

    def undo(self, part_id: str) -> Version:
        """Let a part play what it played before, from the next boundary on, and keep it.

        Raises:
            InvalidRequestError: if it played nothing before.
        """
        part = self.part(part_id)
        if part.coming is not None and part.playing is not None:
            version, part.coming = part.playing, None
        elif part.past:
            version = part.past.pop()
            part.coming = Coming(version, self.loop + 1)
        else:
            raise InvalidRequestError("This part has played nothing else before.")
        self.hold(part_id, is_held=True)
        return version

    # ---- what happens ------------------------------------------------------------------------------------------

    def begin_loop(self, loop: int) -> None:
        """Say which loop sounds now; a version that was to take over at its beginning and is not there is a miss."""
        if loop <= self.loop:
            return
        self.score.num_loops += loop - self.loop
        self.loop = loop
        task = self.task
        if task is not None and task.loop <= loop:
            self.score.num_missed += 1
            self.task = replace(task, loop=loop + 1, is_late=True)
        for part in self.parts.values():
            coming = part.coming
            if coming is not None and coming.loop <= loop:  # made in time, but not yet with the page
                self.score.num_missed += coming.version.heard is not None
                part.coming = replace(coming, loop=loop + 1, is_late=True)

    def take_over(self, version_id: str, now_s: float) -> Version | None:
        """Take down that a version is heard; return it if that is news. Before `begin_loop` for the same loop."""
        part = next((one for one in self.parts.values() if one.coming and one.coming.version.id == version_id), None)
        if part is None or part.coming is None:
            return None
        version, is_late = part.coming.version, part.coming.is_late
        is_going_back = part.playing is not None and version.number < part.playing.number
        if part.playing is not None and not is_going_back:
            part.past.append(part.playing)
        part.playing, part.coming = version, None
        if not is_going_back:
            self.score.num_in_time += not is_late
            self._take_down_delay(version, now_s)
        return version

    def _take_down_delay(self, version: Version, now_s: float) -> None:
        due = [number for number in self._changed_s if number <= version.controls_number]
        for number in due:
            changed_s = self._changed_s.pop(number)
            if number == max(due):  # earlier ones were overtaken by it
                self.score.delays_s.append(now_s - changed_s)

    def next_task(self, soonest_loop: int) -> Task | None:
        """Begin the next version if it is time for one, and return what to make.

        Args:
            soonest_loop: the first loop that a version begun now can be ready for.
        """
        if self.task is not None or self.loop < 0:
            return None
        part = self._next_part()
        is_urgent = part is not None and (part.wants_new or part.next_version is None)
        if part is None or not (is_urgent or self.loop >= self._next_task_loop):
            return None
        part.wants_new = False
        heard = tuple(
            one.next_version.id
            for one in self.parts.values()
            if one.id != part.id and one.is_on and one.next_version is not None
        )
        part.num_versions += 1
        version = Version(self._new_id(), part.id, part.num_versions, heard, self.controls_number)
        self.task = Task(part.id, version, part.next_version, soonest_loop, self.controls)
        self._last_part_id = part.id
        self._next_task_loop = soonest_loop - 1 + self.controls.every
        return self.task

    def finish(self, task: Task) -> bool:
        """Let a finished version take over at the next boundary; False if nobody wants it any more."""
        if self.task is None or self.task.version != task.version:
            return False
        current, self.task = self.task, None
        self.parts[task.part_id].coming = Coming(task.version, current.loop, current.is_late)
        return True

    def give_up(self, task: Task) -> None:
        """Take down that a version can't be made; what plays goes on."""
        if self.task is not None and self.task.version == task.version:
            self.task = None

    def _next_part(self) -> Part | None:
        """Return who is next: who asked, then who has nothing to play, then the one after the last."""
        free = [
            part
            for part in self.parts.values()
            if part.instrument is not None and part.is_on and not part.is_held and part.coming is None
        ]
        asking = [part for part in free if part.wants_new] or [part for part in free if part.playing is None]
        if asking:
            return asking[0]
        if not free:
            return None
        ids = list(self.parts)
        last = ids.index(self._last_part_id) if self._last_part_id in self.parts else -1
        return min(free, key=lambda part: (ids.index(part.id) - last - 1) % len(ids))
