"""Starts `stemgen ...` in an unpacked leg: `python3 leg.py legs run ...`. Copied there as `leg.py`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# In this order: the leg's code, then what it carries, then what the machine has.
sys.path[:0] = [str(ROOT), str(ROOT / "carried" / "site")]


def main() -> int:
    """Run the command line and return its exit status."""
    from stemgen_core.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
