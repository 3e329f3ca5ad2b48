"""Frozen values of the session tree, and pure functions on them.

A session holds trees of nodes. A root is a context (audio the user brought); a child adds a stem to what its parent
sounds like, or removes one. So a node stands for a whole mix: everything on the way from the root to it.
A turn is one request for variations of a stem on top of a node; picking a variation makes a child of that node.

JSON fields are fresh plain dicts at every read: changing one changes nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_VARIATIONS_PER_TURN = 16
MAX_NAME_LENGTH = 120
MAX_COMMENT_LENGTH = 300
MAX_SEED = 2**31 - 1

NoteTuple = tuple[float, int, float, int]
"""One note as stored: start_s, pitch, duration_s, velocity; the field order of the core's `Note`."""


class NodeKind(StrEnum):
    """What a node does to the mix of its parent."""

    CONTEXT = "context"
    STEM = "stem"
    REMOVAL = "removal"


class WorkState(StrEnum):
    """Where a turn or one of its variations stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        """Whether nothing more is going to happen by itself."""
        return self not in (WorkState.QUEUED, WorkState.RUNNING)


@dataclass(frozen=True, slots=True)
class AudioRef:
    """A file in the blob store.

    Attributes:
        sha256: hash of the file's bytes, 64 hex digits; its name in the blob store.
        sample_rate_hz: audio samples per second.
        num_audio_samples: length per channel.
        num_channels: 1 or 2.
    """

    sha256: str
    sample_rate_hz: int
    num_audio_samples: int
    num_channels: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_audio_samples / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Mixer:
    """How loud and where one stem is in the player; kept with its node or variation.

    Attributes:
        gain_db: 0 leaves the level as it is.
        pan: -1 left .. 1 right.
        is_muted: silent in the player.
        is_soloed: only soloed stems sound.
        nudge_ms: moved later by this much; negative is earlier.
    """

    gain_db: float = 0.0
    pan: float = 0.0
    is_muted: bool = False
    is_soloed: bool = False
    nudge_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session.

    Attributes:
        id: 32 hex digits, random.
        name: what the user called it; may be empty.
        current_node_id: the node that is open in the studio; None before the first context.
        created_ms: Unix time.
        updated_ms: Unix time of the last change to anything in the session.
        deleted_ms: when it was put in the trash; None if it was not.
    """

    id: str
    name: str
    current_node_id: str | None
    created_ms: int
    updated_ms: int
    deleted_ms: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """A link by which anybody may read a session, until it is taken back.

    Attributes:
        session_id: the session.
        token: unguessable; opens the session to reading methods of the store, in place of an owner's token.
        created_ms: Unix time.
    """

    session_id: str
    token: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Node:
    """One step in a tree: a context, a stem on top of its parent, or the removal of an earlier stem.

    Attributes:
        id: 32 hex digits, random.
        session_id: session it belongs to.
        parent_id: what it was made on top of; None for a context.
        kind: what it does to the mix.
        name: what the user called it; may be empty.
        is_starred: the user's star.
        audio: this stem alone, or the context; None for a removal.
        instrument: category of the stem; None for a context, for a removal that of the stem removed.
        removed_node_id: the stem that a removal takes out; else None.
        variation_id: the variation that was picked; else None.
        seed: with `model_id`, `settings`, `instrument` and the mix of the parent it makes this stem again.
        settings: decoding settings as stored with the turn.
        model_id: content hash of the model.
        fit: measured fit of the stem to the mix below it.
        num_notes: how many notes `SessionStore.notes` has; None if the model wrote none.
        analysis: tempo, key and such of a context.
        mixer: the player's strip for it.
        created_ms: Unix time.
        deleted_ms: when it was put in the trash; None if it was not.
        comment: what the user wrote on it; may be empty.
    """

    id: str
    session_id: str
    parent_id: str | None
    kind: NodeKind
    name: str
    is_starred: bool
    audio: AudioRef | None
    instrument: str | None
    removed_node_id: str | None
    variation_id: str | None
    seed: int | None
    settings: Mapping[str, Any] | None
    model_id: str | None
    fit: Mapping[str, Any] | None
    num_notes: int | None
    analysis: Mapping[str, Any] | None
    mixer: Mixer
    created_ms: int
    deleted_ms: int | None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What is asked for in one turn.

    Attributes:
        instrument: category of the stems.
        seeds: one per variation, each 0 .. 2**31-1; 1 to `MAX_VARIATIONS_PER_TURN` of them.
        settings: every decoding setting, so that the variation can be made again.
        preset: name of the preset that the settings began from; None if none.
        model_id: content hash of the model.
    """

    instrument: str
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]
    model_id: str
    preset: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: if there are no seeds, too many, or one is out of range.
        """
        if not 1 <= len(self.seeds) <= MAX_VARIATIONS_PER_TURN:
            raise ValueError(f"a turn has 1 to {MAX_VARIATIONS_PER_TURN} seeds, got {len(self.seeds)}")
        for seed in self.seeds:
            if not 0 <= seed <= MAX_SEED:
                raise ValueError(f"seed must be 0 to {MAX_SEED}, got {seed}")


@dataclass(frozen=True, slots=True)
class VariationResult:
    """What a finished variation brings.

    Attributes:
        audio: the stem, already in the blob store.
        seconds_spent: time that generating it took.
        fit: measured fit to the mix; JSON values, finite.
        notes: what the model wrote; None if the model writes audio only.
    """

    audio: AudioRef
    seconds_spent: float
    fit: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: Sequence[NoteTuple] | None = None


@dataclass(frozen=True, slots=True)
class Variation:
    """One of the stems asked for in a turn.

    Attributes:
        id: 32 hex digits, random.
        turn_id: turn it belongs to.
        index: place in the turn, from 0.
        seed: its own seed.
        state: queued, running, done, failed or cancelled.
        is_starred: the user's star; picking carries it over to the node.
        audio: None until done.
        fit: None until done.
        num_notes: how many notes `SessionStore.variation_notes` has; None if none were written.
        seconds_spent: None until done.
        error: what went wrong, fit to show; None unless failed.
        mixer: the player's strip for it; picking carries it over to the node.
        picked_node_id: the node that picking it made; None if it was not picked.
    """

    id: str
    turn_id: str
    index: int
    seed: int
    state: WorkState
    is_starred: bool
    audio: AudioRef | None
    fit: Mapping[str, Any] | None
    num_notes: int | None
    seconds_spent: float | None
    error: str | None
    mixer: Mixer
    picked_node_id: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One request for variations on top of a node.

    Attributes:
        id: 32 hex digits, random.
        session_id: session it belongs to.
        node_id: the node whose mix the stems were made for.
        instrument: category of the stems.
        preset: name of the preset; None if none.
        settings: every decoding setting.
        model_id: content hash of the model.
        first_seed: seed of the first variation.
        state: queued, running, done, failed or cancelled.
        error: what went wrong, fit to show; None unless failed.
        created_ms: Unix time.
        finished_ms: Unix time; None while queued or running.
        variations: in order of their index.
    """

    id: str
    session_id: str
    node_id: str
    instrument: str
    preset: str | None
    settings: Mapping[str, Any]
    model_id: str
    first_seed: int
    state: WorkState
    error: str | None
    created_ms: int
    finished_ms: int | None
    variations: tuple[Variation, ...]


def mix_nodes(lineage: Sequence[Node]) -> tuple[Node, ...]:
    """Return the nodes that sound together at the end of a lineage: the context and the stems not removed again.

    Args:
        lineage: nodes from a root down, as `SessionStore.lineage` returns them.
    """
    removed_ids = {node.removed_node_id for node in lineage if node.kind is NodeKind.REMOVAL}
    return tuple(node for node in lineage if node.kind is not NodeKind.REMOVAL and node.id not in removed_ids)


def children_of(nodes: Sequence[Node], node_id: str | None) -> tuple[Node, ...]:
    """Return the nodes made on top of `node_id` (None: the contexts), in the order of `nodes`."""
    return tuple(node for node in nodes if node.parent_id == node_id)
