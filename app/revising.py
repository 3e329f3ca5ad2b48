"""Going on from a stem that is there: part of it anew, moved in time, or the whole mix twice as long.

None of these changes what is there. A new part is a new turn of the model; a moved stem and a longer mix are made here,
by a copy, and their turns say so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from app.editing import Step
from app.errors import NothingToDoError
from app.listening import bar_edges_s, settle
from app.orders import StemPart, check_seeds, recipe_of_turn, seeds_from
from app.services import Studio
from sessions.tree import (
    AudioRef,
    Node,
    NodeKind,
    NoteTuple,
    Turn,
    TurnRequest,
    Variation,
    VariationResult,
    mix_nodes,
)
from stemgen_core.analysis.fit import measure_fit
from stemgen_core.types import Waveform

MIN_NUDGE_MS, MAX_NUDGE_MS = 3.0, 120.0  # less is not heard, more was not measured


def revise_part(
    studio: Studio,
    owner_token: str,
    variation_id: str,
    *,
    parts: tuple[int, int],
    first_seed: int,
    num_variations: int,
    open_node_id: str,
) -> Turn:
    """Queue variations of a stem in which only some bars are made anew.

    A stem that sounds in the open mix is made for that mix without it, so that the new part fits what came later;
    any other for the mix it was made for.

    Args:
        studio: the use cases.
        owner_token: whose stem it is.
        variation_id: the stem.
        parts: first and last bar (where no tempo is known: second) that are made anew, counted from 0.
        first_seed: of the new variations.
        num_variations: 1..4.
        open_node_id: the node that the page stands on.

    Raises:
        ModelNotReadyError: if no model is loaded.
        NothingToDoError: if the stem is not finished, or there are no such bars.
        InvalidRequestError: if a number is out of range or the model of now doesn't play this.
        BusyError: if too much is waiting.
        NotFoundError: if this owner has no such stem or node.
    """
    variation = studio.store.variation(owner_token, variation_id)
    if variation.audio is None:
        raise NothingToDoError("Only a finished stem can be made anew in part.")
    check_seeds(num_variations, first_seed)
    turn = studio.store.turn(owner_token, variation.turn_id)
    generator = studio.models.made_by(turn.model_id)
    recipe = recipe_of_turn(turn).without_hurry()
    recipe.check(generator)
    part = StemPart(
        variation.id,
        *_part_borders(studio, owner_token, turn, variation.audio, parts),
        sound_seed=variation.seed if recipe.part is None else recipe.part.sound_seed,
        words=_part_words(studio, owner_token, turn, variation, parts),
    )
    with studio.worker.place(owner_token):  # before a node is made for it: who is refused finds the tree as it was
        node_id = _mix_without(studio, owner_token, variation, turn, open_node_id)
        return studio.submit(
            owner_token, node_id, generator, replace(recipe, part=part), seeds_from(first_seed, num_variations)
        )


def nudge(studio: Studio, owner_token: str, variation_id: str) -> Turn:
    """Move a stem by the offset that was measured on it, so that it plays with its mix; this is a new turn.

    Raises:
        NothingToDoError: if no offset was measured or it is too small to matter.
        NotFoundError: if this owner has no such stem.
    """
    variation = studio.store.variation(owner_token, variation_id)
    offset_ms = nudge_ms(variation.fit)
    if variation.audio is None or offset_ms is None:
        raise NothingToDoError("No offset was measured on this stem that moving it would mend.")
    turn = studio.store.turn(owner_token, variation.turn_id)
    moved = shift(studio.sounds.read(variation.audio), -offset_ms)
    mix = studio.sounds.mix_at(studio.store.lineage(owner_token, turn.node_id))
    notes = studio.store.variation_notes(owner_token, variation_id)
    result = VariationResult(
        audio=studio.sounds.keep(moved),
        seconds_spent=0.0,
        fit=measure_fit(mix, moved).to_json(),
        notes=None if notes is None else _later(notes, -offset_ms / 1000, moved.duration_s),
    )
    made_by = {"nudged": {"variation_id": variation.id, "by_ms": round(-offset_ms, 1)}}
    made = keep_made(studio, owner_token, turn.node_id, _same_request(turn, variation.seed, made_by), [result])
    hide = partial(studio.store.hide_turn, owner_token, made.id)
    here = studio.editing.open_node(owner_token, turn.session_id)
    step = Step("moving a stem in time", lambda: hide(True), lambda: hide(False), here, here)
    studio.editing.remember(owner_token, turn.session_id, step)
    return made


def extend(studio: Studio, owner_token: str, node_id: str) -> Node:
    """Make and open a mix that plays twice through: a new tree of the session, in which the second half can be changed.

    Raises:
        NothingToDoError: if the mix would be longer than a context may be.
        NodeNotFoundError: if this owner has no such node.
    """
    lineage = studio.store.lineage(owner_token, node_id)
    root, *stems = mix_nodes(lineage)
    if root.audio is None or 2 * root.audio.duration_s > studio.max_context_s:
        raise NothingToDoError(f"Twice as long would be more than {studio.max_context_s:.0f} seconds.")
    before = studio.editing.open_node(owner_token, root.session_id)
    context = studio.store.add_context(
        owner_token,
        root.session_id,
        _keep_twice(studio, root.audio),
        name=f"{root.name or 'Context'}, twice as long",
        analysis=_twice_as_long(root.analysis),
    )
    newest = context
    for stem in stems:
        newest = _repeat_stem(studio, owner_token, newest.id, stem)
    step = Step(
        "making the mix twice as long",
        lambda: studio.store.delete_node(owner_token, context.id),
        lambda: studio.store.restore_node(owner_token, context.id),
        before,
        newest.id,
    )
    studio.editing.remember(owner_token, root.session_id, step)
    return newest


def keep_made(
    studio: Studio, owner_token: str, node_id: str, request: TurnRequest, results: Sequence[VariationResult]
) -> Turn:
    """Write down a turn whose stems are there already, one result per seed."""
    store = studio.store
    turn = store.create_turn(owner_token, node_id, request)
    store.start_turn(owner_token, turn.id)
    for variation, result in zip(turn.variations, results, strict=True):
        store.start_variation(owner_token, variation.id)
        store.finish_variation(owner_token, variation.id, result)
    return store.finish_turn(owner_token, turn.id)


def nudge_ms(fit: Mapping[str, Any] | None) -> float | None:
    """Return the measured offset of a stem where moving it back is worth while, else None."""
    offset_ms = None if fit is None or fit.get("is_silent") else fit.get("offset_ms")
    return offset_ms if offset_ms is not None and MIN_NUDGE_MS <= abs(offset_ms) <= MAX_NUDGE_MS else None


def shift(waveform: Waveform, by_ms: float) -> Waveform:
    """Return a waveform of the same length that plays later (earlier if negative); silence fills the gap."""
    by = round(by_ms / 1000 * waveform.sample_rate_hz)
    moved = torch.zeros_like(waveform.samples)
    if by >= 0:
        moved[:, by:] = waveform.samples[:, : waveform.num_audio_samples - by]
    else:
        moved[:, :by] = waveform.samples[:, -by:]
    return Waveform(moved, waveform.sample_rate_hz)


def _part_borders(
    studio: Studio, owner_token: str, turn: Turn, audio: AudioRef, parts: tuple[int, int]
) -> tuple[float, float]:
    root = studio.store.lineage(owner_token, turn.node_id)[0]
    _, edges_s = bar_edges_s(root.analysis, audio.duration_s)
    first, last = parts
    if not 0 <= first <= last < len(edges_s) - 1:
        raise NothingToDoError(f"Choose bars from 1 to {len(edges_s) - 1}, the first one first.")
    return edges_s[first], edges_s[last + 1]


def _part_words(studio: Studio, owner_token: str, turn: Turn, variation: Variation, parts: tuple[int, int]) -> str:
    root = studio.store.lineage(owner_token, turn.node_id)[0]
    unit, _ = bar_edges_s(root.analysis, 1.0)
    first, last = parts[0] + 1, parts[1] + 1
    where = f"{unit} {first}" if first == last else f"{unit}s {first} to {last}"
    return f"{where} of {chr(ord('A') + variation.index)}"


def _mix_without(studio: Studio, owner_token: str, variation: Variation, turn: Turn, open_node_id: str) -> str:
    """Return the node whose mix a stem's new part is made for."""
    lineage = studio.store.lineage(owner_token, open_node_id)
    picked_id = variation.picked_node_id
    if lineage[-1].id == picked_id or picked_id not in {node.id for node in mix_nodes(lineage)}:
        return turn.node_id
    for node in studio.store.tree(owner_token, turn.session_id):
        if node.kind is NodeKind.REMOVAL and (node.parent_id, node.removed_node_id) == (open_node_id, picked_id):
            return node.id
    return studio.editing.remove_stem(owner_token, open_node_id, str(picked_id)).id


def _repeat_stem(studio: Studio, owner_token: str, node_id: str, stem: Node) -> Node:
    """Put a stem, twice through, on top of a node."""
    if stem.audio is None or stem.settings is None or stem.instrument is None or stem.seed is None:
        raise NothingToDoError("This mix holds a stem that can't be repeated.")
    notes = studio.store.notes(owner_token, stem.id)
    duration_s = stem.audio.duration_s
    result = VariationResult(
        audio=_keep_twice(studio, stem.audio),
        seconds_spent=0.0,
        fit=stem.fit or {},
        notes=None if notes is None else [*notes, *_later(notes, duration_s, 2 * duration_s)],
    )
    settings = dict(stem.settings) | {"repeated": {"node_id": stem.id}}
    request = TurnRequest(stem.instrument, (stem.seed,), settings, stem.model_id or "", None)
    turn = keep_made(studio, owner_token, node_id, request, [result])
    return studio.store.pick_variation(owner_token, turn.variations[0].id)


def _keep_twice(studio: Studio, audio: AudioRef) -> AudioRef:
    waveform = studio.sounds.read(audio)
    return studio.sounds.keep(Waveform(waveform.samples.repeat(1, 2), waveform.sample_rate_hz))


def _twice_as_long(analysis: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not analysis or "said" not in analysis:
        return analysis
    return settle({**analysis["detected"], "duration_s": 2 * analysis["duration_s"]}, analysis["said"])


def _same_request(turn: Turn, seed: int, made_by: Mapping[str, Any]) -> TurnRequest:
    return TurnRequest(turn.instrument, (seed,), {**turn.settings, **made_by}, turn.model_id, turn.preset)


def _later(notes: Sequence[NoteTuple], by_s: float, duration_s: float) -> list[NoteTuple]:
    """Return notes moved in time; what falls off either end is cut."""
    moved: list[NoteTuple] = []
    for start_s, pitch, length_s, velocity in notes:
        start, end = max(0.0, start_s + by_s), min(duration_s, start_s + by_s + length_s)
        if end > start:
            moved.append((start, pitch, end - start, velocity))
    return moved
