"""`stemgen instruments` and `stemgen info`: what a model can do and what it is."""

import argparse
from typing import Any

from stemgen_core.checkpoint import read_manifest
from stemgen_core.cli.options import add_model
from stemgen_core.instruments import find_instrument
from stemgen_core.sampling.judge import judge_name
from stemgen_core.sampling.settings import PRESETS


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the two commands."""
    instruments = commands.add_parser("instruments", help="list what a model can play")
    add_model(instruments)
    instruments.set_defaults(run=run_instruments)
    info = commands.add_parser("info", help="show what a model is and how it was trained")
    add_model(info)
    info.set_defaults(run=run_info)


def run_instruments(parsed: argparse.Namespace) -> None:
    """Print a line per instrument."""
    for name in read_manifest(parsed.model).instruments:
        print(f"{name:16}{find_instrument(name).label}")


def run_info(parsed: argparse.Namespace) -> None:
    """Print the facts of a bundle."""
    manifest = read_manifest(parsed.model)
    config = manifest.config
    print(f"model         {manifest.model_id}")
    print(f"family        {manifest.family} tokens, {config.spec.name}, {config.spec.frame_rate_hz:g} frames a second")
    print(f"hears         {config.context_codec}")
    print(f"size          {config.dim} wide, {config.num_layers} layers, {config.num_heads} heads")
    print(f"judged by     {judge_name(manifest)}")
    print(f"window        {manifest.window_frames / config.spec.frame_rate_hz:g} s")
    print(f"instruments   {', '.join(manifest.instruments)}")
    if manifest.genres:
        print(f"genres        {', '.join(manifest.genres)}")
    for name, preset in PRESETS.items():
        print(f"preset        {name}: steps {','.join(map(str, preset.num_steps))}")
    for name, value in manifest.training.items():
        print(f"trained       {name}: {value}")
