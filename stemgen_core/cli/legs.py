"""`stemgen legs ...`: training in legs on a machine without a network (docs/gpu-legs.md)."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stemgen_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from stemgen_core.legs.home import NextLeg
    from stemgen_core.legs.plan import LegPlan

MB = 2**20


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands; `drive` and `tokenise` are what `run` starts."""
    from stemgen_core.legs.plan import LEG_MINUTES

    legs = commands.add_parser("legs", help="train in legs on a machine without a network").add_subparsers(
        required=True, metavar="WHAT"
    )
    pack = legs.add_parser("pack", help="everything that a leg needs, in parts")
    pack.add_argument("out", type=Path, metavar="OUT", help="folder for the parts")
    pack.add_argument(
        "--plan", default="audio", metavar="NAME", help="audio, score, tiny-audio, tiny-score, tiny-bands (%(default)s)"
    )
    pack.add_argument(
        "--minutes", type=float, default=LEG_MINUTES, metavar="X", help="of the leg; its plan is fitted (%(default)s)"
    )
    pack.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change a value of the plan")
    pack.add_argument("--start", type=Path, metavar="JOINED", help="go on from where an earlier leg stopped")
    pack.add_argument("--part-mb", type=float, default=32.0, metavar="X", help="largest part (%(default)s)")
    pack.add_argument("--python", default="3.12", metavar="X.Y", help="of the machine (%(default)s)")
    pack.add_argument("--fonts", type=Path, metavar="DIR", help="keep compressed fonts there for the next time")
    pack.set_defaults(run=run_pack)

    run = legs.add_parser("run", help="on the machine: start the leg or find it running, wait, bring what fits")
    _add_journey(run)
    run.add_argument("--leg-minutes", type=float, metavar="X", help="of the whole leg (those that it was packed for)")
    run.add_argument("--minutes", type=float, default=9.0, metavar="X", help="of this command (%(default)s)")
    run.add_argument("--device", default="cuda", help="cuda or cpu (%(default)s)")
    run.set_defaults(run=run_run)

    bring = legs.add_parser("bring", help="on the machine: bring further parts")
    _add_journey(bring)
    bring.add_argument("--name", required=True, help="of the snapshot, as `run` says")
    bring.add_argument("--first", type=int, default=0, metavar="N", help="number of the first part")
    bring.set_defaults(run=run_bring)

    for name, function in (("drive", run_drive), ("tokenise", run_tokenise)):
        inner = legs.add_parser(name)
        inner.add_argument("work", type=Path)
        inner.add_argument("--device", default="cuda")
        inner.set_defaults(run=function)

    join = legs.add_parser("join", help="put together what came back")
    join.add_argument("folders", type=Path, nargs="+", metavar="PARTS", help="what each command brought")
    join.add_argument("out", type=Path, metavar="OUT", help="a new folder")
    join.set_defaults(run=run_join)

    following = legs.add_parser("next", help="what the next leg should do; packs it, too, if told where")
    following.add_argument("joined", type=Path, nargs="?", metavar="JOINED", help="the last leg, joined")
    following.add_argument("--pack", type=Path, metavar="OUT", help="pack that leg into this folder")
    following.add_argument(
        "--minutes", type=float, metavar="X", help=f"of the leg (as the last; first {LEG_MINUTES:g})"
    )
    following.add_argument("--codec", metavar="NAME", help="that a first leg trains (what its minutes allow)")
    following.add_argument("--part-mb", type=float, default=32.0, metavar="X", help="largest part (%(default)s)")
    following.add_argument("--python", default="3.12", metavar="X.Y", help="of the machine (%(default)s)")
    following.add_argument("--fonts", type=Path, metavar="DIR", help="keep compressed fonts there for the next time")
    following.set_defaults(run=run_next)


def run_pack(parsed: argparse.Namespace) -> None:
    """Write the parts."""
    from stemgen_core.legs.plan import PLANS, LegPlan

    if parsed.plan not in PLANS:
        raise InvalidRequestError(f"There is no plan called {parsed.plan!r}. Choose one of: {', '.join(PLANS)}.")
    changes = dict(_setting(text) for text in parsed.set)
    _pack(parsed, parsed.out, LegPlan.changed(PLANS[parsed.plan].fitted(parsed.minutes), changes), parsed.start)


def _pack(parsed: argparse.Namespace, out: Path, plan: "LegPlan", start: Path | None) -> None:
    from stemgen_core.legs.packing import pack_leg

    parts = pack_leg(
        out,
        plan,
        max_part_bytes=round(parsed.part_mb * MB),
        start_folder=start,
        python_version=parsed.python,
        font_cache=parsed.fonts,
    )
    sizes = ", ".join(f"{size / MB:.1f}" for size in parts.sizes)
    print(f"{len(parts.sizes)} parts of {sizes} MB in {out}; on the machine: python3 unpack.py LEG")


def run_run(parsed: argparse.Namespace) -> None:
    """Run a part of the leg."""
    from stemgen_core.legs.machine import run_leg
    from stemgen_core.legs.plan import LegPlan

    root = _leg_root()
    leg_minutes = parsed.leg_minutes or LegPlan.load(root / "plan.json").minutes
    told = run_leg(
        root,
        parsed.work.resolve(),
        parsed.out,
        leg_minutes=leg_minutes,
        minutes=parsed.minutes,
        device=parsed.device,
        journey=_journey(parsed),
    )
    print(told)


def run_bring(parsed: argparse.Namespace) -> None:
    """Bring further parts."""
    from stemgen_core.legs.machine import bring

    print(bring(parsed.work.resolve(), parsed.out, parsed.name, parsed.first, _journey(parsed)))


def run_drive(parsed: argparse.Namespace) -> None:
    """Do the whole leg in this process."""
    from stemgen_core.legs.clock import LegClock
    from stemgen_core.legs.driver import LegDriver
    from stemgen_core.legs.plan import LegPlan

    root = _leg_root()
    clock = LegClock.start_or_join(parsed.work, 0.0)
    LegDriver(root, parsed.work, LegPlan.load(root / "plan.json"), clock, parsed.device).run()
    (parsed.work / "finished").touch()


def run_tokenise(parsed: argparse.Namespace) -> None:
    """Write codes of what the leg renders."""
    from stemgen_core.legs.driver import tokenise_leg
    from stemgen_core.legs.plan import LegPlan

    tokenise_leg(parsed.work, LegPlan.load(_leg_root() / "plan.json"), parsed.device)


def run_join(parsed: argparse.Namespace) -> None:
    """Join and say what to do next."""
    from stemgen_core.legs.home import join_leg, next_leg

    parts = join_leg(parsed.folders, parsed.out)
    print(f"{parts.name} joined in {parsed.out}")
    _tell_next(parsed.out, next_leg(parsed.out))


def run_next(parsed: argparse.Namespace) -> None:
    """Say what the next leg should do, and pack it if asked."""
    from stemgen_core.legs.home import next_leg

    following = next_leg(parsed.joined, parsed.codec, parsed.minutes)
    _tell_next(parsed.joined, following)
    if parsed.pack is not None:
        _pack(parsed, parsed.pack, following.fitted_plan(), following.start)


def _tell_next(joined: Path | None, following: "NextLeg") -> None:
    print(following.why)
    if joined is not None and (joined / "bundle").exists():
        print(f"Judge it:  stemgen evaluate CORPUS --model {joined / 'bundle'} --out evaluation")
    print(f"Next:  {following.command('NEXT')}\nThen run it as docs/gpu-legs.md says.")


def _add_journey(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("work", type=Path, metavar="WORK", help="folder of the leg's work, on the machine's disk")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for what travels home")
    parser.add_argument("--max-files", type=int, default=8, metavar="N", help="that may travel (%(default)s)")
    parser.add_argument("--max-file-mb", type=float, default=15.0, metavar="X", help="of each file (%(default)s)")
    parser.add_argument("--max-mb", type=float, default=60.0, metavar="X", help="of all together (%(default)s)")


def _journey(parsed: argparse.Namespace) -> Any:
    from stemgen_core.legs.machine import Journey

    return Journey(parsed.max_files, round(parsed.max_file_mb * MB), round(parsed.max_mb * MB))


def _setting(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE, the value as JSON or, failing that, as text."""
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _leg_root() -> Path:
    """Return the folder of the unpacked leg that this code belongs to.

    Raises:
        InvalidRequestError: if it is no leg.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "leg.py").exists():
        raise InvalidRequestError("This runs in an unpacked leg: python3 leg.py legs ... (docs/gpu-legs.md).")
    return root
