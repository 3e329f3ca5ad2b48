"""Starting from the finished example session: a visitor gets a copy of their own."""

from pathlib import Path
from typing import Any

from app.listening import hear
from app.revising import keep_made
from app.services import Studio
from sessions.tree import Node, TurnRequest, VariationResult
from stemgen_core.errors import InvalidRequestError


def start_from_finished(studio: Studio, owner_token: str) -> Node:
    """Begin a session as a copy of the finished example and return the node that it opens at, its longest mix.

    Raises:
        InvalidRequestError: if the studio has no finished example.
    """
    finished = studio.finished
    example = None if finished is None else studio.examples.get(finished.content["context"]["example_id"])
    if finished is None or example is None:
        raise InvalidRequestError("There is no finished session to open.")
    content, store = finished.content, studio.store
    waveform = studio.sounds.files.read(example.path)
    session = store.create_session(owner_token, content["name"])
    audio = studio.sounds.keep(waveform)
    context = store.add_context(
        owner_token, session.id, audio, name=content["context"]["name"], analysis=hear(waveform)
    )
    nodes: list[Node] = []
    for entry in content["turns"]:
        below = context if entry["on"] < 0 else nodes[entry["on"]]
        request = TurnRequest(
            entry["instrument"], tuple(entry["seeds"]), entry["settings"], content["model_id"], entry["preset"]
        )
        results = [_result(studio, finished.folder / one["file"], one) for one in entry["variations"]]
        turn = keep_made(studio, owner_token, below.id, request, results)
        nodes.append(store.pick_variation(owner_token, turn.variations[entry["picked"]].id))
    longest = max(nodes, key=lambda node: len(store.lineage(owner_token, node.id)), default=context)
    store.set_current_node(owner_token, session.id, longest.id)
    return longest


def _result(studio: Studio, path: Path, entry: dict[str, Any]) -> VariationResult:
    notes = entry["notes"]
    return VariationResult(
        audio=studio.sounds.keep(studio.sounds.files.read(path)),
        seconds_spent=entry["seconds_spent"],
        fit=entry["fit"],
        notes=None if notes is None else [(start, pitch, length, level) for start, pitch, length, level in notes],
    )
