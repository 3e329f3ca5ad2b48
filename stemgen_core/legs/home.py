"""`stemgen legs join` and `stemgen legs next`: what came back, put together, and what to do with it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemgen_core.checkpoint import load_bundle, save_bundle
from stemgen_core.codec.codec_files import CONFIG_FILE, WEIGHTS_FILE
from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.driver import BEFORE_DECAY, BUNDLE, CODEC, FACTS
from stemgen_core.legs.machine import MORE, archive_name
from stemgen_core.legs.parts import PartList, find_part_lists, join_parts
from stemgen_core.legs.plan import LEG_MINUTES, PLANS, LegPlan
from stemgen_core.training.encodec_run import ENCODEC_TRAINING_PRESETS
from stemgen_core.training.families import ScoreFamily


def join_leg(folders: Sequence[Path], out: Path) -> PartList:
    """Put together what a leg brought home: of its snapshots the last one whose first archive is complete.

    Further archives of it are added as far as they came: each holds whole things. A bundle of the score family gets its
    sounds, which don't travel.

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
    for name in sorted((name for name in lists if MORE not in name), reverse=True):
        try:
            join_parts(folders, lists[name], out)
        except InvalidRequestError as error:
            complaints.append(f"{name}: {error}")
            continue
        _add_more(folders, lists, name, out)
        for bundle in (out / BUNDLE, out / BEFORE_DECAY):
            if bundle.exists():
                _complete(bundle)
        _take_codec_out(out)
        return lists[name]
    raise InvalidRequestError("No snapshot is complete. " + " ".join(complaints))


def _add_more(folders: Sequence[Path], lists: dict[str, PartList], first_name: str, out: Path) -> None:
    """Add to a joined archive those that follow it and are complete."""
    scrap = out.with_name(f"{out.name}{MORE}")
    number = 1
    while (name := archive_name(first_name, number)) in lists:
        number += 1
        shutil.rmtree(scrap, ignore_errors=True)
        try:
            join_parts(folders, lists[name], scrap)
        except InvalidRequestError:
            continue  # `next_leg` tells what did not come
        for content in scrap.iterdir():
            content.rename(out / content.name)
        scrap.rmdir()


def _complete(folder: Path) -> None:
    bundle = load_bundle(folder)
    if bundle.manifest.family == ScoreFamily.name:
        ScoreFamily().write_codec(folder)
        save_bundle(folder, bundle.manifest, bundle.model)


def _take_codec_out(joined: Path) -> None:
    """Put the codec of a bundle beside it, where no other came: a bundle travels with its codec, and that once."""
    if (joined / CODEC).exists() or not (joined / BUNDLE / CONFIG_FILE).exists():
        return
    (joined / CODEC).mkdir()
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        shutil.copyfile(joined / BUNDLE / name, joined / CODEC / name)


@dataclass(frozen=True, slots=True)
class NextLeg:
    """What the next leg should do.

    Attributes:
        why: told to the user, a sentence or two.
        plan: name of a plan.
        changes: of its values.
        start: the joined leg to go on from; None begins anew.
        minutes: of the leg.
    """

    why: str
    plan: str
    changes: dict[str, Any]
    start: Path | None = None
    minutes: float = LEG_MINUTES

    def fitted_plan(self) -> LegPlan:
        """Return the plan for these minutes with its changes.

        Raises:
            InvalidRequestError: if the minutes are too few.
        """
        return LegPlan.changed(PLANS[self.plan].fitted(self.minutes), self.changes)

    def command(self, out: str) -> str:
        """Return the command that packs it into a folder."""
        parts = ["stemgen legs pack", out, "--plan", self.plan]
        parts += [] if self.minutes == LEG_MINUTES else ["--minutes", f"{self.minutes:g}"]
        parts += [] if self.start is None else ["--start", str(self.start)]
        parts += [f"--set {name}={json.dumps(value)}" for name, value in self.changes.items()]
        return " ".join(parts)


def next_leg(joined: Path | None, codec: str | None = None, minutes: float | None = None) -> NextLeg:
    """Decide what the next leg should do.

    Args:
        joined: what `join_leg` made of the last one; None = there was none.
        codec: name of the codec preset that a first leg trains; None = what its minutes allow.
        minutes: of the leg; None = as many as the last one's, or those that plans are made for.

    Raises:
        InvalidRequestError: if `joined` is no leg, or the minutes are too few.
    """
    if joined is None:
        leg_minutes = minutes or LEG_MINUTES
        usual = PLANS["audio"].fitted(leg_minutes)
        changes: dict[str, Any] = {}
        if codec not in (None, usual.codec):
            changes = {"codec": codec, "hearing": "bands" if codec == "bands" else "codes"}
        why = "No leg yet. First the audio family: codec and language model in one leg."
        return NextLeg(why, "audio", changes, minutes=leg_minutes)
    facts = _read_facts(joined)
    plan = facts["plan"]
    leg_minutes = minutes or float(plan.get("minutes", LEG_MINUTES))
    usual = PLANS[plan["family"]].fitted(leg_minutes)
    # What gave the weights their shape stays, whatever the minutes of the next leg would suggest.
    shape = ("codec", "size", "window_frames", "hearing")  # what its weights are made for
    kept = {name: plan.get(name, getattr(PLANS[plan["family"]], name)) for name in shape}
    changes = {name: value for name, value in kept.items() if value != getattr(usual, name)}
    changes["corpus_seed"] = int(plan["corpus_seed"]) + 1
    start = joined
    came = _what_came(joined, facts) + "\n"
    if plan["family"] == "audio" and not (joined / CODEC).exists():
        why, start = f"{came}No codec came back. Begin again.", None
    elif plan["family"] == "audio" and _wants_decoder_phase(kept["codec"], plan, facts):
        why = f"{came}The decoder's adversarial phase with its codes as they are, then the language model goes on."
        changes |= {"has_decoder_phase": True, "adversary_from": 0.05, "codec_share": 0.4}
    elif (joined / BEFORE_DECAY).exists():
        why = f"{came}Go on from before its decay, with pieces it hasn't heard."
    elif (joined / BUNDLE).exists():
        why = (
            f"{came}Its weights before the decay did not come: go on from those after it, with pieces it hasn't heard."
        )
    else:
        why = f"{came}The codec is there, the language model isn't. Give the whole leg to it."
    return NextLeg(why, plan["family"], changes, start, leg_minutes)


def _wants_decoder_phase(codec: str, plan: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Whether the codec is an EnCodec that no adversary has trained: a leg that only brought it doesn't say of it."""
    had_adversary = plan.get("has_decoder_phase") or facts.get("codec", {}).get("had_adversary", False)
    return codec in ENCODEC_TRAINING_PRESETS and "codec" in facts and not had_adversary


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
