"""What the player dock is given: plain JSON made from the store's values. Pure functions.

DockView     {node_id, parent_id, clip_id, title, media_key, sample_rate_hz, num_frames, grid: GridView | None,
              tracks: [TrackView], mixers: {mixer_id: MixerView}, others: [{node_id, label, tracks: [TrackView]}]}
TrackView    {track_id, mixer_id, node_id, label, url, hue}
GridView     {tempo_bpm, beats_per_bar, first_downbeat_s, num_bars, key}
MixerView    {gain_db, pan, is_muted, is_soloed}

`clip_id` is the context's node: mixes on the same one can follow each other without a stop. `track_id` of a stem is its
variation's id, so that a variation goes on sounding without a break when it is picked; `mixer_id` is `turn:` and its
turn's id, so that variations of one turn share their strip, or `node:` and the node's where there is no turn.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.services import Snapshot
from app.ui.views import Json, hue_of, media_url, node_labels
from sessions.tree import Mixer, Node, mix_nodes

EMPTY_DOCK: Json = {"node_id": None}
MAX_OTHERS = 8  # mixes to compare with: the newest ends of the tree


def dock_view(snapshot: Snapshot, media_key: str) -> Json:
    """Describe what sounds at the node that is open."""
    if not snapshot.lineage or snapshot.lineage[0].audio is None:
        return EMPTY_DOCK
    here, root = snapshot.lineage[-1], snapshot.lineage[0]
    context = snapshot.lineage[0].audio
    labels = node_labels(snapshot)
    turn_ids = {variation.id: turn.id for turn in snapshot.turns for variation in turn.variations}
    others = _other_mixes(snapshot, labels, turn_ids)
    return {
        "node_id": here.id,
        "parent_id": here.parent_id,
        "clip_id": root.id,
        "title": labels[here.id],
        "media_key": media_key,
        "sample_rate_hz": context.sample_rate_hz,
        "num_frames": context.num_audio_samples,
        "grid": grid_view(root.analysis),
        "tracks": [_track(node, labels, turn_ids) for node in mix_nodes(snapshot.lineage)],
        "mixers": _mixers(snapshot, turn_ids, others),
        "others": others,
    }


def grid_view(analysis: Mapping[str, Any] | None) -> Json | None:
    """Return what the bar grid is drawn from, or None where no tempo is known.

    Args:
        analysis: of a context as stored; any field may be missing.
    """
    if not analysis or not analysis.get("tempo_bpm"):
        return None
    return {
        "tempo_bpm": analysis["tempo_bpm"],
        "beats_per_bar": analysis.get("beats_per_bar") or 4,
        "first_downbeat_s": analysis.get("first_downbeat_s") or 0.0,
        "num_bars": analysis.get("num_bars"),
        "key": analysis.get("key"),
    }


def mixer_view(mixer: Mixer) -> Json:
    """Return a strip's settings."""
    return {"gain_db": mixer.gain_db, "pan": mixer.pan, "is_muted": mixer.is_muted, "is_soloed": mixer.is_soloed}


def _other_mixes(snapshot: Snapshot, labels: Mapping[str, str], turn_ids: Mapping[str, str]) -> list[Json]:
    """Return the ends of the tree that stand on the same context, newest first; what is open is none of them."""
    by_id = {node.id: node for node in snapshot.nodes}
    parents = {node.parent_id for node in snapshot.nodes}
    mixes: list[Json] = []
    for node in reversed(snapshot.nodes):
        lineage = _lineage(by_id, node)
        if node.id in parents or node.id == snapshot.lineage[-1].id or lineage[0].id != snapshot.lineage[0].id:
            continue
        tracks = [_track(step, labels, turn_ids) for step in mix_nodes(lineage)]
        mixes.append({"node_id": node.id, "label": labels[node.id], "tracks": tracks})
        if len(mixes) == MAX_OTHERS:
            break
    return mixes


def _lineage(by_id: Mapping[str, Node], node: Node) -> Sequence[Node]:
    lineage = [node]
    while (parent := by_id.get(lineage[0].parent_id or "")) is not None:
        lineage.insert(0, parent)
    return lineage


def _mixers(snapshot: Snapshot, turn_ids: Mapping[str, str], others: Sequence[Json]) -> Json:
    """Return the strips of all that can sound here: this mix, those to compare with, and what is not picked yet."""
    shown = {node.id for node in mix_nodes(snapshot.lineage)}
    shown |= {track["node_id"] for mix in others for track in mix["tracks"]}
    strips = {
        f"turn:{turn.id}": mixer_view(turn.variations[0].mixer)
        for turn in snapshot.turns
        if turn.node_id == snapshot.lineage[-1].id and turn.variations
    }
    nodes = (node for node in snapshot.nodes if node.id in shown)
    return strips | {_mixer_id(node, turn_ids): mixer_view(node.mixer) for node in nodes}


def _mixer_id(node: Node, turn_ids: Mapping[str, str]) -> str:
    turn_id = turn_ids.get(node.variation_id or "")
    return f"node:{node.id}" if turn_id is None else f"turn:{turn_id}"


def _track(node: Node, labels: Mapping[str, str], turn_ids: Mapping[str, str]) -> Json:
    return {
        "track_id": node.variation_id or node.id,
        "mixer_id": _mixer_id(node, turn_ids),
        "node_id": node.id,
        "label": labels[node.id],
        "url": "" if node.audio is None else media_url(node.audio),
        "hue": hue_of(node.instrument),
    }
