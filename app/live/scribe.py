"""Writing a jam into the session tree, behind the music: each version that was heard becomes a turn and a node.

A version was made for the mix of the others, so it hangs below a node that sounds like just that: what it replaces is
taken out first, what was switched off meanwhile, too. What comes back is written once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from app.live.making import Sound
from app.revising import keep_made
from app.services import Studio
from sessions.tree import Mixer, Node, NoteTuple, TurnRequest, VariationResult
from stemgen_core.score import Note

Json = dict[str, Any]


@dataclass(slots=True)
class Scribe:
    """Writes one jam down.

    Attributes:
        studio: the use cases.
        owner_token: whose session it is.
        tip: the node that sounds like the jam as far as it is written; None before the first.
        nodes: by version id: the nodes that are written.
        inside: by part id: the version that sounds at `tip`.
    """

    studio: Studio
    owner_token: str
    tip: Node | None = None
    nodes: dict[str, str] = field(default_factory=dict)
    inside: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, list[str]] = field(default_factory=dict)  # versions written, by part

    def begin(self, name: str, sound: Sound, *, analysis: Mapping[str, Any], is_quiet: bool) -> None:
        """Begin a session with what the jam started from.

        Args:
            name: of the session and its context.
            sound: the loop.
            analysis: of the context.
            is_quiet: whether its strip is muted, as for a click that only keeps time.
        """
        store = self.studio.store
        session = store.create_session(self.owner_token, name)
        self.tip = store.add_context(self.owner_token, session.id, sound.audio, name=name, analysis=analysis)
        if is_quiet:
            store.set_mixer(self.owner_token, self.tip.id, Mixer(is_muted=True))

    def write(
        self, part_id: str, version_id: str, sound: Sound, heard: Sequence[str], sounds: Mapping[str, Sound]
    ) -> Node:
        """Write a version that was heard, and return its node.

        Args:
            part_id: whose.
            version_id: which.
            sound: what it is.
            heard: versions that it was made for.
            sounds: of all versions, by id.

        Raises:
            SessionError: if the store can't take it.
            ValueError: if the tree was not begun.
        """
        if self.tip is None:
            raise ValueError("the tree has no root yet")
        kept = {part: version for part, version in self.inside.items() if version in heard and part != part_id}
        for part, version in list(self.inside.items()):
            if part not in kept:
                self.tip = self.studio.store.remove_stem(self.owner_token, self.tip.id, self.nodes[version])
                del self.inside[part]
        for version in heard:
            if version in self.nodes and version not in kept.values():
                part = next(part for part, at in self._parts.items() if version in at)
                self._hang(part, version, sounds[version], {"repeated": {"node_id": self.nodes[version]}})
        return self._hang(part_id, version_id, sound, self._made_by(sound, part_id))

    def adopt(self, part_id: str, version_id: str, node_id: str) -> None:
        """Take down that a stem of the tree is a part of the jam."""
        self.nodes[version_id] = node_id
        self.inside[part_id] = version_id
        self._parts.setdefault(part_id, []).append(version_id)

    def _hang(self, part_id: str, version_id: str, sound: Sound, made_by: Json) -> Node:
        """Put a stem on top of the tip."""
        if self.tip is None or sound.instrument is None:
            raise ValueError("only stems hang on a tree that was begun")
        seed, settings, model_id = 0, dict[str, Any](), sound.model_id
        if sound.request is not None:
            request = sound.request
            seed = request.seed
            settings = asdict(request.settings) | {
                "genre": request.genre,
                "genre_to": request.genre_to,
                "genre_morph": request.genre_morph or None,
                "is_loop": True,
            }
        elif version_id in self.nodes:  # a stem that was there before the jam
            before = self.studio.store.node(self.owner_token, self.nodes[version_id])
            seed, settings, model_id = before.seed or 0, dict(before.settings or {}), before.model_id or ""
        row = {name: value for name, value in (settings | made_by).items() if value is not None}
        turn = keep_made(
            self.studio,
            self.owner_token,
            self.tip.id,
            TurnRequest(sound.instrument, (seed,), row, model_id, None),
            [VariationResult(sound.audio, sound.seconds_spent, sound.fit or {}, _note_tuples(sound.notes))],
        )
        self.tip = self.studio.store.pick_variation(self.owner_token, turn.variations[0].id)
        self.adopt(part_id, version_id, self.tip.id)
        return self.tip

    def _made_by(self, sound: Sound, part_id: str) -> Json:
        """Return what a turn keeps of a version that seed and mix alone don't make again."""
        if sound.part_s is not None and self._parts.get(part_id):
            before = self.studio.store.node(self.owner_token, self.nodes[self._parts[part_id][-1]])
            return {
                "part": {
                    "variation_id": before.variation_id,
                    "start_s": sound.part_s[0],
                    "end_s": sound.part_s[1],
                    "sound_seed": sound.sound_seed,
                    "words": "part of it, live",
                }
            }
        return {} if sound.is_repeatable and sound.part_s is None else {"heard_live": True}


def _note_tuples(notes: Sequence[Note] | None) -> list[NoteTuple] | None:
    return None if notes is None else [(n.start_s, n.pitch, n.duration_s, n.velocity) for n in notes]
