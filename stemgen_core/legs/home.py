"""`stemgen legs join` and `stemgen legs next`: what came back, put together, and what to do with it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemgen_core.checkpoint import load_bundle, save_bundle
from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.driver import BEFORE_DECAY, BUNDLE, CODEC, FACTS
from stemgen_core.legs.parts import PartList, find_part_lists, join_parts
from stemgen_core.legs.plan import PLANS
from stemgen_core.training.encodec_run import ENCODEC_TRAINING_PRESETS
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


@dataclass(frozen=True, slots=True)
class NextLeg:
    """What the next leg should do.

    Attributes:
        why: told to the user, a sentence or two.
        plan: name of a plan.
        changes: of its values.
        start: the joined leg to go on from; None begins anew.
    """

    why: str
    plan: str
    changes: dict[str, Any]
    start: Path | None = None

    def command(self, out: str) -> str:
        """Return the command that packs it into a folder."""
        parts = ["stemgen legs pack", out, "--plan", self.plan]
        parts += [] if self.start is None else ["--start", str(self.start)]
        parts += [f"--set {name}={json.dumps(value)}" for name, value in self.changes.items()]
        return " ".join(parts)


def next_leg(joined: Path | None, codec: str = "small") -> NextLeg:
    """Decide what the next leg should do.

    Args:
        joined: what `join_leg` made of the last one; None = there was none.
        codec: name of the codec preset that a first leg trains.

    Raises:
        InvalidRequestError: if `joined` is no leg.
    """
    changes: dict[str, Any] = {} if codec == PLANS["audio"].codec else {"codec": codec}
    if joined is None:
        return NextLeg("No leg yet. First the audio family: codec and language model in one leg.", "audio", changes)
    facts = _read_facts(joined)
    plan = {"codec": PLANS["audio"].codec} | facts["plan"]
    changes = {} if plan["codec"] == PLANS["audio"].codec else {"codec": plan["codec"]}
    changes["corpus_seed"] = int(plan["corpus_seed"]) + 1
    came = _what_came(joined, facts) + "\n"
    if plan["family"] == "audio" and not (joined / CODEC).exists():
        return NextLeg(f"{came}No codec came back. Begin again.", "audio", changes)
    if plan["family"] == "audio" and _wants_decoder_phase(plan, facts):
        why = f"{came}The decoder's adversarial phase with its codes as they are, then the language model goes on."
        changes |= {"has_decoder_phase": True, "adversary_from": 0.05, "codec_share": 0.4}
        return NextLeg(why, "audio", changes, joined)
    if (joined / BEFORE_DECAY).exists():
        return NextLeg(
            f"{came}Go on from before its decay, with pieces it hasn't heard.", plan["family"], changes, joined
        )
    why = f"{came}The codec is there, the language model isn't. Give the whole leg to it."
    return NextLeg(why, plan["family"], changes, joined)


def _wants_decoder_phase(plan: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether the codec is an EnCodec that no adversary has trained: a leg that only brought it doesn't say of it."""
    had_adversary = plan.get("has_decoder_phase") or facts.get("codec", {}).get("had_adversary", False)
    return plan["codec"] in ENCODEC_TRAINING_PRESETS and "codec" in facts and not had_adversary


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
