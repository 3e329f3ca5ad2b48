"""The model: what the studio needs of one, and loading it in the background so that the page opens at once."""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from app.errors import ModelNotReadyError
from stemgen_core.errors import StemGenError
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.instruments import Instrument
from stemgen_core.types import Waveform

log = logging.getLogger(__name__)


class Generator(Protocol):
    """What the studio needs of a model; `stemgen_core.generator.StemGenerator` is one."""

    @property
    def model_id(self) -> str:
        """Content hash of the weights and their configuration."""
        ...

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Categories that the model was trained on."""
        ...

    @property
    def genres(self) -> tuple[str, ...]:
        """Genres that the model can be asked for; none if it was not trained with them."""
        ...

    @property
    def stem_categories(self) -> tuple[str, ...]:
        """Kinds of stem that the model can be asked for; none if it was not trained with them."""
        ...

    @property
    def device(self) -> str:
        """What it computes on, such as `cpu`."""
        ...

    def move_to(self, device: str) -> None:
        """Compute on another device from now on."""
        ...

    def generate(
        self,
        context: Waveform,
        request: GenerationRequest,
        *,
        report_progress: Callable[[float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        must_hurry: Callable[[], bool] | None = None,
        is_scored: bool = True,
    ) -> GenerationResult:
        """Make one variation; see `StemGenerator.generate`.

        Raises:
            StemGenError: if it can't be made, or `should_stop` said so.
        """
        ...


class ModelShelf:
    """Holds the one model of this server, once it is loaded."""

    def __init__(self, load: Callable[[], Generator], on_loaded: Callable[[Generator], None] | None = None) -> None:
        """Begin to load at once.

        Args:
            load: returns the model; StemGenError and OSError go to the log, and whoever asks for the model is told
                that there is none.
            on_loaded: told of the model once it is there; may not raise.
        """
        self._load = load
        self._on_loaded = on_loaded
        self._is_finished = threading.Event()
        self._generator: Generator | None = None
        self._problem = ""
        threading.Thread(target=self._run, name="model-loading", daemon=True).start()

    def get(self) -> Generator:
        """Return the model.

        Raises:
            ModelNotReadyError: if it is still being loaded, or could not be.
        """
        if self._generator is None:
            raise ModelNotReadyError(self._problem or "The model is still being loaded. Try again in a few seconds.")
        return self._generator

    def wait(self, timeout_s: float) -> Generator | None:
        """Wait until loading is over and return the model; None if there is none (yet)."""
        self._is_finished.wait(timeout_s)
        return self._generator

    def _run(self) -> None:
        try:
            self._generator = self._load()
        except (StemGenError, OSError):
            log.exception("The model could not be loaded")
            # What went wrong names files of the server: that is for its log, not for visitors.
            self._problem = "There is no model to generate with. Whoever runs this server finds the reason in its log."
        finally:
            self._is_finished.set()
        if self._generator is not None and self._on_loaded is not None:
            self._on_loaded(self._generator)
