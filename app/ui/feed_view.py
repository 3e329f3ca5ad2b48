"""What the feed is given: plain JSON made from the store's values. Pure functions.

FeedView       {session_id, revision, contexts: [ContextView], turns: [TurnView]}; a greater revision is newer
ContextView    {node_id, label, summary, url, created_ms, analysis: AnalysisView | None, open_node_id}
AnalysisView   {tempo_bpm, beats_per_bar, first_downbeat_s, num_bars, key, confidence, is_edited, said}
TurnView       {turn_id, parent_id, title, on, how, first_seed, hue, state, is_active, is_copy, queue_position, eta_s,
                error, created_ms, unit, edges_s, variations: [VariationView]}
VariationView  {variation_id, label, model, seed, state, progress, url, fit: FitView | None, is_starred, node_id,
                error, rank, nudge_ms}
FitView        {verdict, words, advice}

Variations stay in the order of their letters, which the keys 1 to 4 follow; `rank` says which one fits best (0).
`model` is empty where there is only one.
"""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from app.labels import model_label
from app.listening import bar_edges_s
from app.orders import recipe_of_turn
from app.progress import TurnProgress
from app.ranking import best_first, judge_of
from app.revising import nudge_ms
from app.services import Snapshot
from app.ui.views import Json, hue_of, loss_of, media_url, node_labels
from sessions.blobs import BlobState
from sessions.tree import Node, NodeKind, Turn, Variation, WorkState
from stemgen_core.instruments import find_instrument
from stemgen_core.sampling.judge import MODEL_JUDGE

EMPTY_FEED: Json = {"session_id": None, "revision": 0, "contexts": [], "turns": []}
PRESET_LABELS = {"tight": "Tight", "balanced": "Balanced", "wild": "Wild", "fast": "Fast", "paper": "Paper"}

_ANALYSIS_FIELDS = (
    "tempo_bpm",
    "beats_per_bar",
    "first_downbeat_s",
    "num_bars",
    "key",
    "confidence",
    "is_edited",
    "said",
)
_LATE_MS, _WEAK = 30.0, 0.5  # beyond these a variation is told to be wanting, as the verdict does


def feed_view(snapshot: Snapshot) -> Json:
    """Describe what was asked for and what came back."""
    labels = node_labels(snapshot)
    roots = _roots(snapshot)
    return {
        "session_id": snapshot.session.id,
        "revision": snapshot.session.updated_ms,
        "contexts": [_context(node, labels, snapshot) for node in snapshot.nodes if node.kind is NodeKind.CONTEXT],
        "turns": [
            _turn(turn, labels, roots.get(turn.node_id), snapshot)
            for turn in snapshot.turns
            if turn.node_id in labels or not _is_copy(turn)  # what was copied without the model goes with its copy
        ],
    }


def fit_view(fit: Mapping[str, Any]) -> Json:
    """Say in words what was measured on a stem against its context.

    Args:
        fit: `FitReport` of the core as stored.
    """
    if fit.get("is_silent"):
        return {"verdict": "silent", "words": "Nothing audible came out.", "advice": "Try another seed."}
    words = []
    if fit.get("offset_ms") is not None:
        words.append(_offset_words(fit["offset_ms"]))
    for name, field in (("tempo", "tempo_agreement"), ("rhythm", "onset_agreement"), ("harmony", "harmony_agreement")):
        if fit.get(field) is not None:
            words.append(f"{name} {100 * max(0.0, fit[field]):.0f} %")
    if fit.get("level_db") is not None:
        words.append(_level_words(fit["level_db"]))
    words += _score_words(fit)
    verdict = fit.get("verdict", "fair")
    return {"verdict": verdict, "words": ", ".join(words), "advice": _advice(fit) if verdict == "poor" else ""}


def ranks(turn: Turn) -> Mapping[str, int]:
    """Return the place of each finished variation, the best first (0), by its id."""
    done = [variation for variation in turn.variations if variation.state is WorkState.DONE]
    order = best_first([variation.fit or {} for variation in done])
    return {done[place].id: rank for rank, place in enumerate(order)}


def _advice(fit: Mapping[str, Any]) -> str:
    """Say what is wrong with a poor one, in a sentence."""
    wrong = []
    offset_ms = fit.get("offset_ms")
    if offset_ms is not None and abs(offset_ms) > _LATE_MS:
        wrong.append(f"plays {_offset_words(offset_ms)}")
    if (fit.get("onset_agreement") or 0.0) < _WEAK and fit.get("onset_agreement") is not None:
        wrong.append("misses the beats of the mix")
    if (fit.get("harmony_agreement") or 0.0) < _WEAK and fit.get("harmony_agreement") is not None:
        wrong.append("clashes with its harmony")
    if fit.get("level_db") is not None and fit["level_db"] < -20:
        wrong.append("is hardly audible in it")
    if not wrong:
        return "Does not fit well. Try another seed."
    listed = ", ".join(wrong[:-1]) + (" and " if len(wrong) > 1 else "") + wrong[-1]
    return f"{listed[0].upper()}{listed[1:]}. Try another seed."


def _offset_words(offset_ms: float) -> str:
    if abs(offset_ms) < 1:
        return "on the beat"
    return f"{abs(offset_ms):.0f} ms {'late' if offset_ms > 0 else 'early'}"


def _level_words(level_db: float) -> str:
    if abs(level_db) < 0.5:
        return "as loud as the mix"
    return f"{abs(level_db):.0f} dB {'louder' if level_db > 0 else 'quieter'}"


def _score_words(fit: Mapping[str, Any]) -> list[str]:
    """Say the listening score and who gave it: numbers of two judges can't be compared."""
    judge, score = judge_of(fit), fit.get("listening_score")
    if judge is None or score is None:
        return []
    return [f"scored {score:.2f} by the {'model' if judge == MODEL_JUDGE else 'listener'}"]


def _roots(snapshot: Snapshot) -> Mapping[str, Node]:
    """Return the context that each node stands on, by the node's id."""
    roots: dict[str, Node] = {}
    for node in snapshot.nodes:  # parents first
        roots[node.id] = node if node.parent_id is None else roots[node.parent_id]
    return roots


def _context(node: Node, labels: Mapping[str, str], snapshot: Snapshot) -> Json:
    audio, analysis = node.audio, node.analysis
    is_open = bool(snapshot.lineage) and snapshot.lineage[0].id == node.id
    return {
        "node_id": node.id,
        "label": labels[node.id],
        "summary": "" if audio is None else f"{audio.duration_s:.1f} s{loss_of(audio, snapshot.lost_audio)}",
        "duration_s": 0.0 if audio is None else round(audio.duration_s, 4),
        "url": "" if audio is None else media_url(audio),
        "created_ms": node.created_ms,
        "open_node_id": snapshot.lineage[-1].id if is_open else node.id,
        "open_label": labels[snapshot.lineage[-1].id] if is_open else labels[node.id],
        "analysis": {name: analysis[name] for name in _ANALYSIS_FIELDS}
        if analysis and set(_ANALYSIS_FIELDS) <= set(analysis)
        else None,
    }


def _turn(turn: Turn, labels: Mapping[str, str], root: Node | None, snapshot: Snapshot) -> Json:
    progress, lost_audio = snapshot.progress.get(turn.id), snapshot.lost_audio
    duration_s = 0.0 if root is None or root.audio is None else root.audio.duration_s
    unit, edges_s = bar_edges_s(None if root is None else root.analysis, duration_s)
    place = ranks(turn)
    below = labels.get(turn.node_id)
    model = model_label(turn.model_id) if _has_several_models(snapshot) else ""
    is_root = root is not None and root.id == turn.node_id
    return {
        "turn_id": turn.id,
        "parent_id": turn.node_id,
        "title": find_instrument(turn.instrument).label,
        "on": "on what is in the trash" if below is None else f"{'on' if is_root else 'continues from'} {below}",
        "how": _how(turn),
        "first_seed": turn.first_seed,
        "hue": hue_of(turn.instrument),
        "state": turn.state.value,
        "is_active": not turn.state.is_finished,
        "is_copy": _is_copy(turn),
        "queue_position": 0 if progress is None else progress.queue_position,
        "eta_s": None if progress is None or progress.eta_s is None else round(progress.eta_s),
        "error": turn.error or _first_error(turn),
        "created_ms": turn.created_ms,
        "unit": unit,
        "edges_s": edges_s,
        "variations": [
            {"model": model, **_variation(variation, place.get(variation.id), progress, lost_audio)}
            for variation in turn.variations
        ],
    }


def _has_several_models(snapshot: Snapshot) -> bool:
    """Whether a stem must say which model made it."""
    return len({*snapshot.models, *(turn.model_id for turn in snapshot.turns)}) > 1


def _is_copy(turn: Turn) -> bool:
    return any(name in turn.settings for name in ("nudged", "repeated", "take"))


def _how(turn: Turn) -> str:
    """Say how a turn was made, in a few words."""
    nudged = turn.settings.get("nudged")
    if nudged:
        return f"moved {abs(nudged['by_ms']):.0f} ms {'later' if nudged['by_ms'] > 0 else 'earlier'}"
    if "repeated" in turn.settings:
        return "repeated"
    if "take" in turn.settings:
        return "a live take"
    recipe = recipe_of_turn(turn)
    words = [] if recipe.part is None else [recipe.part.words]
    words += [name for name in (recipe.genre, recipe.stem_category) if name]
    if turn.settings.get("is_loop"):
        words.append("live")
    if turn.preset:
        label = PRESET_LABELS.get(turn.preset, turn.preset)
        words.append(f"{label}, adjusted" if recipe.is_adjusted else label)
    return " · ".join(words)


def _fit_or_loss(variation: Variation, lost_audio: Mapping[str, BlobState]) -> Json | None:
    loss = loss_of(variation.audio, lost_audio)
    if loss and variation.audio is not None:
        return {
            "verdict": lost_audio[variation.audio.sha256].value,
            "words": f"This take can't be heard{loss}. The same seed and settings make it again.",
            "advice": "",
        }
    return None if not variation.fit else fit_view(variation.fit)


def _variation(
    variation: Variation, rank: int | None, progress: TurnProgress | None, lost_audio: Mapping[str, BlobState]
) -> Json:
    fraction = progress.fraction if progress is not None and progress.variation_id == variation.id else 0.0
    is_done = variation.state is WorkState.DONE
    offset_ms = nudge_ms(variation.fit)
    return {
        "variation_id": variation.id,
        "label": ascii_uppercase[variation.index],
        "seed": variation.seed,
        "state": variation.state.value,
        "progress": round(1.0 if is_done else fraction, 2),
        "url": None if variation.audio is None else media_url(variation.audio),
        "fit": _fit_or_loss(variation, lost_audio),
        "is_starred": variation.is_starred,
        "node_id": variation.picked_node_id,
        "error": variation.error,
        "rank": rank,
        "nudge_ms": None if offset_ms is None else round(offset_ms),
    }


def _first_error(turn: Turn) -> str | None:
    return next((variation.error for variation in turn.variations if variation.error), None)
