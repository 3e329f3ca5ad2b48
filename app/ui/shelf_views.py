"""What the components of the shelf are given: plain JSON made from the store's values. Pure functions.

TreeView      {session_id, nodes: [NodeView], trash: [TrashView], undo: label | null, redo: label | null,
               is_read_only}
NodeView      {node_id, parent_id, label, detail, instrument, instrument_label, hue, comment, is_starred,
               is_current, is_on_path, can_go}
TrashView     {node_id, label, detail, num_below}
SessionsView  {current: {session_id, name} | null, sessions: [SessionView], trash: [SessionView],
               shared: {name, num_nodes} | null, key}
SessionView   {session_id, name, updated_ms, num_stems, is_shared, is_current}
ExportView    {node_id, title, media_key, mix: [format], package: [format], has_notes, muted: [label],
               session: {session_id, share_token} | null}
"""

from collections.abc import Mapping, Sequence

from app.labels import instrument_label, node_labels
from app.library import ListedSession
from app.services import Snapshot
from app.ui.views import Json, hue_of, loss_of
from sessions.tree import Node, NodeKind, Share, mix_nodes

UNTITLED = "Untitled"

EMPTY_TREE: Json = {"session_id": None, "nodes": [], "trash": [], "undo": None, "redo": None, "is_read_only": False}
EMPTY_EXPORT: Json = {"node_id": None}


def tree_view(
    snapshot: Snapshot,
    trash: Sequence[tuple[Node, int]] = (),
    ways: tuple[str | None, str | None] = (None, None),
    *,
    is_read_only: bool = False,
) -> Json:
    """Describe the tree, where we stand in it, and the ways back.

    Args:
        snapshot: of the session.
        trash: nodes that were thrown away, each with how many lie below it.
        ways: what undo would undo, and what redo would do again.
        is_read_only: whether the session is somebody else's.
    """
    # What lies in the trash is called what it was called in the tree.
    labels = node_labels((*snapshot.nodes, *(node for node, _ in trash)), snapshot.turns)
    path = {node.id for node in snapshot.lineage}
    current_id = snapshot.lineage[-1].id if snapshot.lineage else None
    return {
        "session_id": snapshot.session.id,
        "nodes": [
            _node(node, labels, node.id == current_id, node.id in path)
            | {"detail": _node_detail(node) + loss_of(node.audio, snapshot.lost_audio)}
            for node in snapshot.nodes
        ],
        "trash": [
            {
                "node_id": node.id,
                "label": labels[node.id],
                "detail": _node_detail(node),
                "num_below": num_below,
            }
            for node, num_below in trash
        ],
        "undo": ways[0],
        "redo": ways[1],
        "is_read_only": is_read_only,
    }


def _node(node: Node, labels: Mapping[str, str], is_current: bool, is_on_path: bool) -> Json:
    is_stem = node.kind is NodeKind.STEM
    return {
        "node_id": node.id,
        "parent_id": node.parent_id,
        "label": labels[node.id],
        "instrument": node.instrument if is_stem else None,
        "instrument_label": instrument_label(node.instrument) if is_stem else None,
        "hue": hue_of(node.instrument),
        "comment": node.comment,
        "is_starred": node.is_starred,
        "is_current": is_current,
        "is_on_path": is_on_path,
        "can_go": node.parent_id is not None,
    }


def sessions_view(listed: Sequence[ListedSession], session_id: str | None, key: str) -> Json:
    """Describe the owner's sessions.

    Args:
        listed: last changed first, those in the trash last.
        session_id: the one that is open; None at the three doors.
        key: of the browser, for programs that are to see the same sessions.
    """
    lines = [(_session(one, session_id), one.info.deleted_ms is not None) for one in listed]
    current = next((line for line, _ in lines if line["is_current"]), None)
    return {
        "current": current and {"session_id": current["session_id"], "name": current["name"]},
        "sessions": [line for line, is_deleted in lines if not is_deleted],
        "trash": [line for line, is_deleted in lines if is_deleted],
        "shared": None,
        "key": key,
    }


def _session(one: ListedSession, current_id: str | None) -> Json:
    return {
        "session_id": one.info.id,
        "name": one.info.name or UNTITLED,
        "updated_ms": one.info.updated_ms,
        "num_stems": one.num_stems,
        "is_shared": one.is_shared,
        "is_current": one.info.id == current_id,
    }


def export_view(
    snapshot: Snapshot, media_key: str, offers: Mapping[str, Sequence[str]], *, share: Share | None, is_own: bool
) -> Json:
    """Describe what can be taken out of the node that is open.

    Args:
        snapshot: of the session.
        media_key: opens downloads.
        offers: formats by what is exported, as `ExportDesk.offers` says.
        share: the session's link, if it has one.
        is_own: whether the session is this browser's.
    """
    if not snapshot.lineage:
        return EMPTY_EXPORT
    labels = node_labels(snapshot.nodes, snapshot.turns)
    sounding = mix_nodes(snapshot.lineage)
    return {
        "node_id": snapshot.lineage[-1].id,
        "title": labels[snapshot.lineage[-1].id],
        "media_key": media_key,
        "mix": list(offers["mix"]),
        "package": list(offers["package"]),
        "num_sounds": len(sounding),
        "has_notes": any(node.num_notes for node in sounding),
        "muted": [labels[node.id] for node in sounding if node.mixer.is_muted],
        "session": {"session_id": snapshot.session.id, "share_token": share and share.token} if is_own else None,
    }


def _node_detail(node: Node) -> str:
    if node.kind is NodeKind.STEM:
        return f"{instrument_label(node.instrument)}, seed {node.seed}"
    return "" if node.audio is None else f"{node.audio.duration_s:.1f} s"
