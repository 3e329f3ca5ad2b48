"""What the thread that generates does beside turns: measuring the machine, and versions for live."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from app.model_shelf import Generator
from stemgen_core.generator import GenerationRequest
from stemgen_core.types import Waveform


@dataclass(frozen=True, slots=True)
class Pilot:
    """A stem that nobody asked for, made once to learn how fast this machine is.

    Attributes:
        generator: the model.
        context: what to listen to.
        request: what to generate.
    """

    generator: Generator
    context: Waveform
    request: GenerationRequest


@dataclass(frozen=True, slots=True)
class Errand:
    """Work that waits in the line like a variation does, but is nobody's turn in the store.

    Attributes:
        owner_token: who has it done.
        id: which one; unlike any turn's.
        units: of work, as for variations (see `app.progress.work_units`).
        run: does it; given what tells it to stop. What it raises goes to the log only.
        stop: set when it is not wanted any more.
    """

    owner_token: str
    id: str
    units: float
    run: Callable[[Callable[[], bool]], None]
    stop: threading.Event = field(default_factory=threading.Event)
