"""What the page's components are given: plain JSON made from the store's values. Pure functions.

FeedView     {session_id, revision, contexts: [ContextView], turns: [TurnView]}; a greater revision is newer
TurnView     {turn_id, parent_id, title, summary, hue, state, is_active, queue_position, eta_s, error, created_ms,
              variations: [VariationView]}

The dock's is in `dock_views.py`. `hue` is the index of an instrument category (None for a context); theme.py gives each
its colour.
"""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from app.labels import instrument_label
from app.labels import node_labels as labels_of
from app.progress import TurnProgress
from app.services import Snapshot
from sessions.blobs import BlobState
from sessions.tree import AudioRef, Node, NodeKind, Turn, Variation, WorkState
from stemgen_core.instruments import find_instrument

Json = dict[str, Any]

EMPTY_FEED: Json = {"session_id": None, "revision": 0, "contexts": [], "turns": []}


def media_url(audio: AudioRef) -> str:
    """Return the address of a sound; the page must send its key along (see app.ui.media)."""
    return f"/media/{audio.sha256}.flac"


def feed_view(snapshot: Snapshot) -> Json:
    """Describe what was asked for and what came back."""
    labels = node_labels(snapshot)
    return {
        "session_id": snapshot.session.id,
        "revision": snapshot.session.updated_ms,
        "contexts": [
            _context(node, labels, snapshot.lost_audio) for node in snapshot.nodes if node.kind is NodeKind.CONTEXT
        ],
        "turns": [_turn(turn, labels, snapshot.progress.get(turn.id), snapshot.lost_audio) for turn in snapshot.turns],
    }


def node_labels(snapshot: Snapshot) -> Mapping[str, str]:
    """Return what each node of a snapshot is called."""
    return labels_of(snapshot.nodes, snapshot.turns)


def fit_view(fit: Mapping[str, Any]) -> Json:
    """Say in words what was measured on a stem against its context.

    Args:
        fit: `FitReport` of the core as stored.
    """
    if fit.get("is_silent"):
        return {"verdict": "silent", "words": "Nothing audible came out."}
    words = []
    if fit.get("offset_ms") is not None:
        words.append(_offset_words(fit["offset_ms"]))
    if fit.get("onset_agreement") is not None:
        words.append(f"rhythm {100 * max(0.0, fit['onset_agreement']):.0f} %")
    if fit.get("harmony_agreement") is not None:
        words.append(f"harmony {100 * max(0.0, fit['harmony_agreement']):.0f} %")
    if fit.get("level_db") is not None:
        words.append(_level_words(fit["level_db"]))
    return {"verdict": fit.get("verdict", "fair"), "words": ", ".join(words)}


def _offset_words(offset_ms: float) -> str:
    if abs(offset_ms) < 1:
        return "on the beat"
    return f"{abs(offset_ms):.0f} ms {'late' if offset_ms > 0 else 'early'}"


def _level_words(level_db: float) -> str:
    if abs(level_db) < 0.5:
        return "as loud as the mix"
    return f"{abs(level_db):.0f} dB {'louder' if level_db > 0 else 'quieter'}"


def loss_of(audio: AudioRef | None, lost_audio: Mapping[str, BlobState]) -> str:
    """Return the words for a sound whose file is missing or damaged; nothing for any other."""
    state = None if audio is None else lost_audio.get(audio.sha256)
    return "" if state is None else f" (file {state.value} on the server)"


def _context(node: Node, labels: Mapping[str, str], lost_audio: Mapping[str, BlobState]) -> Json:
    audio = node.audio
    summary = "" if audio is None else f"{audio.duration_s:.1f} s, {audio.sample_rate_hz / 1000:g} kHz"
    return {
        "node_id": node.id,
        "label": labels[node.id],
        "summary": summary + loss_of(audio, lost_audio),
        "url": "" if audio is None else media_url(audio),
        "created_ms": node.created_ms,
    }


def _turn(
    turn: Turn, labels: Mapping[str, str], progress: TurnProgress | None, lost_audio: Mapping[str, BlobState]
) -> Json:
    preset = "" if turn.preset is None else f"{turn.preset}, "
    return {
        "turn_id": turn.id,
        "parent_id": turn.node_id,
        "title": instrument_label(turn.instrument),
        "summary": f"on {labels.get(turn.node_id, 'a deleted node')} · {preset}seed {turn.first_seed}",
        "hue": hue_of(turn.instrument),
        "state": turn.state.value,
        "is_active": not turn.state.is_finished,
        "queue_position": 0 if progress is None else progress.queue_position,
        "eta_s": None if progress is None or progress.eta_s is None else round(progress.eta_s),
        "error": turn.error or _first_error(turn),
        "created_ms": turn.created_ms,
        "variations": [_variation(variation, progress, lost_audio) for variation in turn.variations],
    }


def _variation(variation: Variation, progress: TurnProgress | None, lost_audio: Mapping[str, BlobState]) -> Json:
    fraction = progress.fraction if progress is not None and progress.variation_id == variation.id else 0.0
    return {
        "variation_id": variation.id,
        "label": ascii_uppercase[variation.index],
        "seed": variation.seed,
        "state": variation.state.value,
        "progress": round(1.0 if variation.state is WorkState.DONE else fraction, 2),
        "url": None if variation.audio is None else media_url(variation.audio),
        "fit": _fit_or_loss(variation, lost_audio),
        "is_starred": variation.is_starred,
        "node_id": variation.picked_node_id,
    }


def _fit_or_loss(variation: Variation, lost_audio: Mapping[str, BlobState]) -> Json | None:
    loss = loss_of(variation.audio, lost_audio)
    if loss and variation.audio is not None:
        return {
            "verdict": lost_audio[variation.audio.sha256].value,
            "words": f"This take can't be heard{loss}. The same seed and settings make it again.",
        }
    return None if not variation.fit else fit_view(variation.fit)


def _first_error(turn: Turn) -> str | None:
    return next((variation.error for variation in turn.variations if variation.error), None)


def hue_of(name: str | None) -> int | None:
    """Return the colour of an instrument's category; None for a context."""
    return None if name is None else find_instrument(name).index
