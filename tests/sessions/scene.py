"""Short ways to what most tests of the session tree begin with."""

import pytest

from sessions.store import SessionStore
from sessions.tree import AudioRef, Node, Turn, TurnRequest, Variation, VariationResult

OWNER = "the owner's secret"

on_sqlite_only = pytest.mark.parametrize("home", ["sqlite"], indirect=True)
"""For a test of what SQLite does, or of files and not of rows."""


class Scene:
    """A store with one owner."""

    def __init__(self, store: SessionStore) -> None:
        self.store = store

    def audio(self, content: bytes = b"sound") -> AudioRef:
        return AudioRef(self.store.blobs.add_bytes(content), 44_100, 352_800, 2)

    def context(self) -> Node:
        session = self.store.create_session(OWNER, "Sunday funk")
        return self.store.add_context(OWNER, session.id, self.audio(b"drums"), analysis={"tempo_bpm": 92.0})

    def turn(self, node: Node, seeds: tuple[int, ...] = (41, 42), instrument: str = "bass") -> Turn:
        request = TurnRequest(instrument, seeds, {"num_steps": (8, 4), "temperature": 0.9}, "model", "balanced")
        return self.store.create_turn(OWNER, node.id, request)

    def finish(self, variation: Variation, content: bytes = b"bass") -> Variation:
        notes = [(0.0, 40, 0.5, 100), (0.5, 43, 0.25, 90)]
        result = VariationResult(self.audio(content), 3.5, {"offset_ms": -2.0, "verdict": "in sync"}, notes)
        return self.store.finish_variation(OWNER, variation.id, result)

    def stem(self, parent: Node, instrument: str = "bass") -> Node:
        turn = self.turn(parent, (7,), instrument)
        self.finish(turn.variations[0], instrument.encode())
        self.store.finish_turn(OWNER, turn.id)
        return self.store.pick_variation(OWNER, turn.variations[0].id)
