"""The models: what the studio needs of one, and loading them in the background so that the page opens at once."""

import logging
import threading
from collections.abc import Callable, Sequence
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
    """Holds the models of this server, once they are loaded; the first one is what nobody has to ask for."""

    def __init__(
        self,
        load: Callable[[], Generator],
        on_loaded: Callable[[Generator], None] | None = None,
        *,
        load_more: Sequence[Callable[[], Generator]] = (),
    ) -> None:
        """Begin to load at once, one after the other.

        Args:
            load: returns the first model; StemGenError and OSError go to the log, and whoever asks for the model is
                told that there is none.
            on_loaded: told of the first model once it is there; may not raise.
            load_more: return further ones; one that can't be loaded is left out, and the log says why.
        """
        self._load = load
        self._load_more = load_more
        self._on_loaded = on_loaded
        self._has_first = threading.Event()
        self._has_all = threading.Event()
        self._generators: tuple[Generator, ...] = ()
        self._problem = ""
        threading.Thread(target=self._run, name="model-loading", daemon=True).start()

    def get(self, model_id: str | None = None) -> Generator:
        """Return a model.

        Args:
            model_id: which one; None = the first.

        Raises:
            ModelNotReadyError: if it is still being loaded, could not be, or is none of this server's.
        """
        for generator in self._generators:
            if model_id in (None, generator.model_id):
                return generator
        if self._has_all.is_set() and self._generators:
            raise ModelNotReadyError("This model is not installed here. Choose another one.")
        raise ModelNotReadyError(self._problem or "The model is still being loaded. Try again in a few seconds.")

    def made_by(self, model_id: str) -> Generator:
        """Return the model that made something; the first one where that is not installed any more.

        Raises:
            ModelNotReadyError: as `get`.
        """
        known = {generator.model_id: generator for generator in self._generators}
        return known[model_id] if model_id in known else self.get()

    def wait(self, timeout_s: float) -> Generator | None:
        """Wait until the first model is loaded and return it; None if there is none (yet)."""
        self._has_first.wait(timeout_s)
        return self._generators[0] if self._generators else None

    def wait_for_all(self, timeout_s: float) -> tuple[Generator, ...]:
        """Wait until loading is over and return all models that are there, the first one first."""
        self._has_all.wait(timeout_s)
        return self._generators

    def _run(self) -> None:
        try:
            self._generators = (self._load(),)
        except (StemGenError, OSError):
            log.exception("The model could not be loaded")
            # What went wrong names files of the server: that is for its log, not for visitors.
            self._problem = "There is no model to generate with. Whoever runs this server finds the reason in its log."
        finally:
            self._has_first.set()
        try:
            if self._generators and self._on_loaded is not None:
                self._on_loaded(self._generators[0])
            for load in self._load_more if self._generators else ():
                self._load_another(load)
        finally:
            self._has_all.set()

    def _load_another(self, load: Callable[[], Generator]) -> None:
        try:
            generator = load()
        except (StemGenError, OSError):
            log.exception("A further model could not be loaded")
            return
        if generator.model_id not in {known.model_id for known in self._generators}:
            self._generators = (*self._generators, generator)
