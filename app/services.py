"""Use cases. Joins the core and the session tree; knows nothing of Gradio and of SQL.

Every method takes the caller's secret token and hands it to the store, where what belongs to somebody else is not
found. So an id that the page sends may be anybody's: it is harmless until the store has looked at it.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from app.editing import Editing
from app.examples import Example
from app.examples.finished import FinishedSession
from app.listening import correct, hear
from app.model_shelf import Generator, ModelShelf
from app.orders import (
    MAX_VARIATIONS,
    StemOrder,
    StemPart,
    StemRecipe,
    check_seeds,
    recipe_of_order,
    recipe_of_turn,
    seeds_from,
)
from app.progress import TurnProgress
from app.sounds import SoundShelf
from app.worker import GenerationWorker, Job
from app.zero_gpu import HandlerDesk
from sessions.blobs import BlobState
from sessions.store import SessionStore
from sessions.tree import Node, SessionInfo, Turn, TurnRequest, WorkState
from stemgen_core.errors import InvalidRequestError
from stemgen_core.instruments import Instrument
from stemgen_core.revision import Revision
from stemgen_core.score import Note

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of a session that the page shows, read at one moment.

    Attributes:
        session: the session.
        nodes: its tree, parents before children.
        turns: its turns, oldest first.
        lineage: from the root to the node that is open; empty before the first context.
        progress: of the turns that wait or run, by turn id.
        lost_audio: sounds whose files are missing or damaged, by hash; everything else of the session is unharmed.
        models: ids of the models that are installed.
    """

    session: SessionInfo
    nodes: tuple[Node, ...]
    turns: tuple[Turn, ...]
    lineage: tuple[Node, ...]
    progress: Mapping[str, TurnProgress]
    lost_audio: Mapping[str, BlobState] = field(default_factory=dict[str, BlobState])
    models: tuple[str, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether a turn waits or runs."""
        return any(not turn.state.is_finished for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Studio:
    """What the page may do. Built once in `app.main`; tests build it with fakes.

    Attributes:
        store: the sessions.
        sounds: the audio files.
        models: the models, once they are loaded.
        worker: generates in the background.
        examples: contexts to start from, by id.
        max_context_s: longest context that may be brought.
        finished: a session to play with before anything is generated; None if there is none.
        desk: where the worker's calls of the model are made by handlers; None for the worker itself.
        editing: what users do to their trees.
    """

    store: SessionStore
    sounds: SoundShelf
    models: ModelShelf
    worker: GenerationWorker
    examples: Mapping[str, Example]
    max_context_s: float
    finished: FinishedSession | None = None
    desk: HandlerDesk | None = None
    editing: Editing = field(init=False)

    def __post_init__(self) -> None:
        """Open the changes of trees, which remember their ways back for as long as this studio is open."""
        object.__setattr__(self, "editing", Editing(self.store))

    # ---- who and where -----------------------------------------------------------------------------------------

    def accept_token(self, token: object) -> str:
        """Return the token if it is one of ours in form, else a new one of 128 random bits."""
        return token if isinstance(token, str) and _TOKEN.fullmatch(token) else secrets.token_hex(16)

    def instruments(self, timeout_s: float = 0.0) -> tuple[Instrument, ...]:
        """Return the categories that the model plays; none if it is not loaded within the time."""
        generator = self.models.wait(timeout_s)
        return () if generator is None else generator.instruments

    def sessions(self, owner_token: str) -> tuple[SessionInfo, ...]:
        """Return the owner's sessions that hold something, last changed first."""
        return tuple(info for info in self.store.sessions(owner_token) if info.current_node_id is not None)

    def snapshot(self, owner_token: str, session_id: str, node_id: str | None = None) -> Snapshot:
        """Read a session as seen from one of its nodes.

        Args:
            owner_token: whose session it is.
            session_id: which one.
            node_id: the node that the page stands on; None, or one that is no longer there, is the one last open.

        Raises:
            SessionNotFoundError: if this owner has no such session.
        """
        session = self.store.session(owner_token, session_id)
        nodes = self.store.tree(owner_token, session_id)
        known = {node.id for node in nodes}
        open_id = node_id if node_id in known else session.current_node_id
        turns = self.store.turns(owner_token, session_id)
        progress = {turn.id: self.worker.progress(turn.id) for turn in turns if not turn.state.is_finished}
        return Snapshot(
            session=session,
            nodes=nodes,
            turns=turns,
            lineage=self.store.lineage(owner_token, open_id) if open_id in known and open_id else (),
            progress={turn_id: where for turn_id, where in progress.items() if where is not None},
            lost_audio=self._lost_audio(nodes, turns),
            models=tuple(generator.model_id for generator in self.models.wait_for_all(0)),
        )

    def _lost_audio(self, nodes: Sequence[Node], turns: Sequence[Turn]) -> dict[str, BlobState]:
        sounding = (*nodes, *(variation for turn in turns for variation in turn.variations))
        hashes = {one.audio.sha256 for one in sounding if one.audio is not None}
        states = {sha256: self.store.blobs.state(sha256) for sha256 in hashes}
        return {sha256: state for sha256, state in states.items() if state is not BlobState.PRESENT}

    # ---- three doors -------------------------------------------------------------------------------------------

    def start_from_file(self, owner_token: str, source: Path, name: str) -> Node:
        """Begin a session from audio that the user brought and return its context.

        Raises:
            AudioFormatError: if it can't be decoded, is silent, too short or too long; nothing is begun then.
        """
        waveform = self.sounds.read_context(source, max_duration_s=self.max_context_s)
        audio = self.sounds.keep(waveform)
        session = self.store.create_session(owner_token, name)
        return self.store.add_context(owner_token, session.id, audio, name=name, analysis=hear(waveform))

    def start_from_example(self, owner_token: str, example_id: str) -> Node:
        """Begin a session from one of the examples and return its context.

        Raises:
            InvalidRequestError: if there is no such example.
        """
        example = self.examples.get(example_id)
        if example is None:
            raise InvalidRequestError("There is no such example.")
        return self.start_from_file(owner_token, example.path, example.label)

    def correct_context(self, owner_token: str, node_id: str, changes: Mapping[str, object]) -> Node:
        """Put right what was heard in a context, and return it; what nobody has listened to yet is listened to now.

        Args:
            owner_token: whose context it is.
            node_id: which one.
            changes: see `app.listening.correct`.

        Raises:
            InvalidRequestError: if a value can't be.
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if it is no context, or the session is in the trash.
        """
        node = self.store.node(owner_token, node_id)
        known = node.analysis if node.analysis and "said" in node.analysis else hear(self.sounds.mix_at([node]))
        return self.store.edit_analysis(
            owner_token, node_id, lambda latest: correct(latest if latest and "said" in latest else known, changes)
        )

    # ---- asking for stems --------------------------------------------------------------------------------------

    def request_stem(self, owner_token: str, node_id: str, order: StemOrder) -> Turn:
        """Queue variations of a stem on top of a node and return their turn at once.

        Raises:
            ModelNotReadyError: if no model is loaded.
            InvalidRequestError: if the model can't do what is asked for.
            BusyError: if this owner, or everybody together, has too much in line.
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is in the trash.
        """
        generator = self.models.get(order.model_id)
        recipe = recipe_of_order(order, generator)
        seeds = seeds_from(order.first_seed, order.num_variations)
        return self.queue(owner_token, node_id, generator, recipe, seeds)

    def reroll_turn(self, owner_token: str, turn_id: str, first_seed: int) -> Turn:
        """Ask for the same again, of the same model if it is installed, with other seeds; this is a new turn.

        Raises:
            ModelNotReadyError: if no model is loaded.
            InvalidRequestError: if the model of now can't do it, or the seed is out of range.
            BusyError: if too much is waiting.
            TurnNotFoundError: if this owner has no such turn.
        """
        turn = self.store.turn(owner_token, turn_id)
        generator = self.models.made_by(turn.model_id)
        num_variations = min(len(turn.variations), MAX_VARIATIONS)
        check_seeds(num_variations, first_seed)
        recipe = recipe_of_turn(turn).without_hurry()
        recipe.check(generator)
        return self.queue(owner_token, turn.node_id, generator, recipe, seeds_from(first_seed, num_variations))

    def retry_turn(self, owner_token: str, turn_id: str) -> Turn:
        """Ask again, with the same seeds and settings, for what a turn did not finish; this is a new turn.

        Raises:
            ModelNotReadyError: if no model is loaded.
            InvalidRequestError: if nothing is left to make, or the model of then is not the one of now.
            BusyError: if this owner, or everybody together, has too much in line.
            TurnNotFoundError: if this owner has no such turn.
        """
        turn = self.store.turn(owner_token, turn_id)
        seeds = tuple(variation.seed for variation in turn.variations if variation.state is not WorkState.DONE)
        if not turn.state.is_finished or not seeds:
            raise InvalidRequestError("This turn has nothing left to try again.")
        generator = self.models.made_by(turn.model_id)
        recipe = recipe_of_turn(turn)
        recipe.check(generator)
        return self.queue(owner_token, turn.node_id, generator, recipe, seeds)

    def cancel_turn(self, owner_token: str, turn_id: str) -> Turn:
        """Stop a turn: the model stops before its next decoding step, what is finished is kept.

        Raises:
            TurnNotFoundError: if this owner has no such turn.
        """
        turn = self.store.turn(owner_token, turn_id)  # whose is it? only then may it be stopped
        self.worker.cancel(turn.id)
        return self.store.cancel_turn(owner_token, turn.id)

    def queue(
        self, owner_token: str, node_id: str, generator: Generator, recipe: StemRecipe, seeds: tuple[int, ...]
    ) -> Turn:
        """Queue variations of a checked recipe on top of a node.

        Raises:
            BusyError: if too much is waiting.
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is in the trash.
        """
        with self.worker.place(owner_token):
            return self.submit(owner_token, node_id, generator, recipe, seeds)

    def submit(
        self, owner_token: str, node_id: str, generator: Generator, recipe: StemRecipe, seeds: tuple[int, ...]
    ) -> Turn:
        """Queue like `queue`, for a caller who holds a place in line already.

        Raises:
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is in the trash.
        """
        lineage = self.store.lineage(owner_token, node_id)
        request = TurnRequest(recipe.instrument, seeds, recipe.to_json(), generator.model_id, recipe.preset)
        turn = self.store.create_turn(owner_token, node_id, request)
        self.worker.submit(
            Job(
                owner_token=owner_token,
                turn_id=turn.id,
                generator=generator,
                load_context=lambda: self.sounds.mix_at(lineage),
                load_revision=lambda: self._load_revision(owner_token, recipe.part),
                compute=(lambda call: call()) if self.desk is None else partial(self.desk.run, owner_token),
                requests={variation.id: recipe.request(variation.seed) for variation in turn.variations},
                context_s=max((node.audio.duration_s for node in lineage if node.audio is not None), default=0.0),
            )
        )
        return turn

    def hosting(self, owner_token: str) -> AbstractContextManager[None]:
        """Make the model's calls for an owner here, for as long as the block lasts, where a handler has to."""
        return nullcontext() if self.desk is None else self.desk.hosting(owner_token)

    def _load_revision(self, owner_token: str, part: StemPart | None) -> Revision | None:
        """Read the stem that a part of is made anew; called by the worker."""
        if part is None:
            return None
        audio = self.store.variation(owner_token, part.variation_id).audio
        if audio is None:
            raise InvalidRequestError("The stem that this is a part of is not there.")
        notes = self.store.variation_notes(owner_token, part.variation_id)
        return Revision(
            stem=self.sounds.read(audio),
            notes=None if notes is None else tuple(Note(*note) for note in notes),
            start_s=part.start_s,
            end_s=part.end_s,
            sound_seed=part.sound_seed,
        )

    # ---- the tree ----------------------------------------------------------------------------------------------

    def pick(self, owner_token: str, variation_id: str) -> Node:
        """Make a variation a node of the tree, and open it; see `Editing.pick`."""
        return self.editing.pick(owner_token, variation_id)

    def go_to(self, owner_token: str, session_id: str, node_id: str) -> Node:
        """Open a node of a session.

        Raises:
            SessionNotFoundError: if this owner has no such session.
            NodeNotFoundError: if this owner has no such node.
            InvalidActionError: if the node is in the trash or of another session.
        """
        self.store.set_current_node(owner_token, session_id, node_id)
        return self.store.node(owner_token, node_id)

    def remove_stem(self, owner_token: str, node_id: str, stem_node_id: str) -> Node:
        """Make and open a node that sounds like another without one of its stems; see `Editing.remove_stem`."""
        return self.editing.remove_stem(owner_token, node_id, stem_node_id)

    def star(self, owner_token: str, *, node_id: str | None, variation_id: str | None, is_starred: bool) -> None:
        """Give a node or a variation a star or take it away; see `Editing.star`."""
        self.editing.star(owner_token, node_id=node_id, variation_id=variation_id, is_starred=is_starred)

    def rename(self, owner_token: str, node_id: str, name: str) -> Node:
        """Call a node something else; see `Editing.rename`."""
        return self.editing.rename(owner_token, node_id, name)

    # ---- sounds for the browser --------------------------------------------------------------------------------

    def audio_path(self, owner_token: str, sha256: str) -> Path:
        """Return the file of a sound that this owner may hear.

        Raises:
            AudioNotFoundError: if nothing of this owner's is it, or its file is gone.
        """
        return self.sounds.blobs.path(self.store.find_audio(owner_token, sha256).sha256)
