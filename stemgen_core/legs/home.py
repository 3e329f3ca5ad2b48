"""`stemgen legs join` and `stemgen legs next`: what came back, put together, and what to do with it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stemgen_core.checkpoint import load_bundle, save_bundle
from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.driver import BEFORE_DECAY, BUNDLE, CODEC, FACTS
from stemgen_core.legs.parts import PartList, find_part_lists, join_parts
from stemgen_core.training.families import ScoreFamily


def join_leg(folders: Sequence[Path], out: Path) -> PartList:
    """Put together what a leg brought home: of its snapshots the last one that is complete.

    A bundle of the score family gets its sounds, which don't travel.

    Args:
        folders: with what each command brought, in any order.
        out: gets `bundle/`, `before-decay/`, `codec/`, `logs/` and `leg.json`, as far as they came.

    Raises:
        InvalidRequestError: if no snapshot is complete, or `out` is not empty.
        CheckpointError: if the bundle is damaged.
    """
    lists = find_part_lists(folders)
    if not lists:
        raise InvalidRequestError(f"No parts of a leg in {', '.join(map(str, folders))}.")
    complaints = []
    for name in sorted(lists, reverse=True):
        try:
            join_parts(folders, lists[name], out)
        except InvalidRequestError as error:
            complaints.append(f"{name}: {error}")
            continue
        for bundle in (out / BUNDLE, out / BEFORE_DECAY):
            if bundle.exists():
                _complete(bundle)
        return lists[name]
    raise InvalidRequestError("No snapshot is complete. " + " ".join(complaints))


def _complete(folder: Path) -> None:
    bundle = load_bundle(folder)
    if bundle.manifest.family == ScoreFamily.name:
        ScoreFamily().write_codec(folder)
        save_bundle(folder, bundle.manifest, bundle.model)


def next_leg(joined: Path | None) -> str:
    """Return what the next leg should do, as commands.

    Args:
        joined: what `join_leg` made of the last one; None = there was none.

    Raises:
        InvalidRequestError: if `joined` is no leg.
    """
    if joined is None:
        return (
            "No leg yet. First the audio family, codec and language model in one leg:\n"
            "  stemgen legs pack leg-1 --plan audio\n"
            "Then run it as docs/gpu-legs.md says."
        )
    facts = _read_facts(joined)
    family = facts["plan"]["family"]
    seed = int(facts["plan"]["corpus_seed"]) + 1
    lines = [_what_came(joined, facts)]
    if (joined / BUNDLE).exists():
        lines.append(f"Judge it:  stemgen evaluate CORPUS --model {joined / BUNDLE} --out evaluation")
    if not (joined / CODEC).exists() and family == "audio":
        lines.append("No codec came back. Begin again:  stemgen legs pack NEXT --plan audio")
    elif (joined / BEFORE_DECAY).exists():
        lines.append(
            "Go on from before its decay, with pieces it hasn't heard:\n"
            f"  stemgen legs pack NEXT --plan {family} --start {joined} --set corpus_seed={seed}"
        )
    else:
        lines.append(
            "The codec is there, the language model isn't. Give the whole leg to it:\n"
            f"  stemgen legs pack NEXT --plan {family} --start {joined} --set corpus_seed={seed}"
        )
    return "\n".join(lines)


def _read_facts(joined: Path) -> dict[str, Any]:
    try:
        facts = json.loads((joined / FACTS).read_text(encoding="utf-8"))
        int(facts["plan"]["corpus_seed"])
        return facts
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidRequestError(f"{joined} is not what `stemgen legs join` makes: {error}") from error


def _what_came(joined: Path, facts: dict[str, Any]) -> str:
    codec, lm = facts.get("codec"), facts.get("lm")
    told = [f"codec {codec['steps']} steps, held-out loss {codec['held_out_loss']:.3f}"] if codec else []
    told += [f"language model {lm['steps']} steps, {lm['decay_steps']} of them decay"] if lm else []
    return f"{joined}: {facts.get('model_id', 'no model yet')}" + "".join(f"; {one}" for one in told)
