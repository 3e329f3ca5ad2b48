"""What is asked of the model in one turn, and how a turn keeps it so that it can be made again."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from app.model_shelf import Generator
from app.row_requests import settings_from_row
from sessions.tree import MAX_SEED, Turn
from stemgen_core.errors import InvalidRequestError
from stemgen_core.generator import GenerationRequest
from stemgen_core.sampling.settings import SamplingSettings, settings_from_preset

MAX_VARIATIONS = 4


@dataclass(frozen=True, slots=True)
class StemOrder:
    """What a user asks for in one turn.

    Attributes:
        instrument: name of a category.
        num_variations: 1..4; each has its own seed, counted up from `first_seed`.
        preset: name of a preset.
        first_seed: 0 .. 2**31-1.
        temperature: replaces the preset's; None keeps it.
        context_guidance_scale: replaces the preset's; None keeps it.
        instrument_guidance_scale: replaces the preset's; None keeps it.
        genre: one that the model has; None leaves it open.
        stem_category: one that the model has; None leaves it open.
        model_id: which of the models; None = the first.
    """

    instrument: str
    num_variations: int
    preset: str
    first_seed: int
    temperature: float | None = None
    context_guidance_scale: float | None = None
    instrument_guidance_scale: float | None = None
    genre: str | None = None
    stem_category: str | None = None
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class StemPart:
    """A part of a stem that is to be made anew.

    Attributes:
        variation_id: the stem.
        start_s: where the new part begins, seconds.
        end_s: where it ends.
        sound_seed: seed of the sound that plays the stem, kept for the new part.
        words: what people call it, such as "bars 3 to 4 of Bass A".
    """

    variation_id: str
    start_s: float
    end_s: float
    sound_seed: int
    words: str


@dataclass(frozen=True, slots=True)
class StemRecipe:
    """All that a stem depends on beside the model, the mix and the seed.

    Attributes:
        instrument: name of a category.
        settings: how to decode.
        preset: name of the preset that the settings began from; None if none.
        genre: None leaves it open.
        stem_category: None leaves it open.
        part: None makes a whole stem.
        genre_to: a second genre, to be between the two; None stays with the first.
        genre_morph: how far towards it, 0..1.
        is_loop: whether the mix goes round, and the stem with it.
    """

    instrument: str
    settings: SamplingSettings
    preset: str | None = None
    genre: str | None = None
    stem_category: str | None = None
    part: StemPart | None = None
    genre_to: str | None = None
    genre_morph: float = 0.0
    is_loop: bool = False

    @property
    def is_adjusted(self) -> bool:
        """Whether the settings are no longer those of the preset."""
        return self.preset is not None and not _is_preset(self.preset, self.settings)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as a turn keeps it: the decoding settings, and what else was asked for."""
        more = {
            "genre": self.genre,
            "stem_category": self.stem_category,
            "part": None if self.part is None else asdict(self.part),
            "genre_to": self.genre_to,
            "genre_morph": self.genre_morph or None,
            "is_loop": self.is_loop or None,
        }
        return asdict(self.settings) | {name: value for name, value in more.items() if value is not None}

    def request(self, seed: int) -> GenerationRequest:
        """Return what is asked of the model for one variation; which part of which stem is known only later."""
        return GenerationRequest(
            self.instrument,
            seed,
            self.settings,
            genre=self.genre,
            stem_category=self.stem_category,
            genre_to=self.genre_to,
            genre_morph=self.genre_morph,
            is_loop=self.is_loop,
        )

    def without_hurry(self) -> "StemRecipe":
        """Return the recipe for other seeds: a bound on the steps repeats one decoding that had to hurry, live."""
        return replace(self, settings=replace(self.settings, max_steps=None))

    def check(self, generator: Generator) -> None:
        """Refuse what the model doesn't do.

        Raises:
            InvalidRequestError: if the model doesn't have the instrument, genre or category.
        """
        if self.instrument not in {instrument.name for instrument in generator.instruments}:
            raise InvalidRequestError("The model that is loaded now does not play this instrument.")
        for name, value, known in (
            ("genre", self.genre, generator.genres),
            ("genre", self.genre_to, generator.genres),
            ("kind of stem", self.stem_category, generator.stem_categories),
        ):
            if value is not None and value not in known:
                raise InvalidRequestError(f"The model that is loaded now does not know this {name}.")


def recipe_of_order(order: StemOrder, generator: Generator) -> StemRecipe:
    """Check an order and return its recipe.

    Raises:
        InvalidRequestError: if the model can't do what is asked for, or a number is out of range.
    """
    if order.instrument not in {instrument.name for instrument in generator.instruments}:
        raise InvalidRequestError("Choose an instrument that the model plays.")
    check_seeds(order.num_variations, order.first_seed)
    settings = settings_from_preset(
        order.preset,
        temperature=order.temperature,
        context_guidance_scale=order.context_guidance_scale,
        instrument_guidance_scale=order.instrument_guidance_scale,
    )
    recipe = StemRecipe(order.instrument, settings, order.preset, order.genre, order.stem_category)
    recipe.check(generator)
    return recipe


def recipe_of_turn(turn: Turn) -> StemRecipe:
    """Read the recipe that a turn keeps.

    Raises:
        InvalidRequestError: if it was made with settings of another version.
    """
    stored = turn.settings
    part = stored.get("part")
    return StemRecipe(
        instrument=turn.instrument,
        settings=settings_from_row(stored),
        preset=turn.preset,
        genre=stored.get("genre"),
        stem_category=stored.get("stem_category"),
        part=None if part is None else StemPart(**part),
        genre_to=stored.get("genre_to"),
        genre_morph=stored.get("genre_morph", 0.0),
        is_loop=stored.get("is_loop", False),
    )


def check_seeds(num_variations: int, first_seed: int) -> None:
    """Refuse a number of variations or a seed that is out of range.

    Raises:
        InvalidRequestError: if one is; the message says what can be.
    """
    if not 1 <= num_variations <= MAX_VARIATIONS:
        raise InvalidRequestError(f"Ask for 1 to {MAX_VARIATIONS} variations, not {num_variations}.")
    if not 0 <= first_seed <= MAX_SEED:
        raise InvalidRequestError(f"The seed must be a whole number from 0 to {MAX_SEED}, got {first_seed}.")


def seeds_from(first_seed: int, num_variations: int) -> tuple[int, ...]:
    """Return the seeds of a turn's variations: counted up from the first."""
    return tuple((first_seed + at) % (MAX_SEED + 1) for at in range(num_variations))


def _is_preset(name: str, settings: SamplingSettings) -> bool:
    try:
        return settings_from_preset(name) == settings
    except InvalidRequestError:  # a preset of an earlier version
        return False
