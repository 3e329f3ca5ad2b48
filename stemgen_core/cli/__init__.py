"""The command line: `stemgen generate | instruments | info | synthesize | train | evaluate`."""

from stemgen_core.cli.main import main

__all__ = ["main"]
