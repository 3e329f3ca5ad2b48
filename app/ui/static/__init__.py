"""The page's shared scripts and style, and the tags that load them."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
URL_PREFIX = "/studio-static"

# In the order in which they need each other.
SCRIPTS = ("dom.js", "engine.js", "stage.js", "waveform.js", "keys.js")


def _tag(name: str) -> str:
    # The hash makes a new edition a new address, so that browsers may keep a file for good.
    version = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
    return f'<script src="{URL_PREFIX}/{name}?v={version}"></script>'


HEAD = "\n".join(_tag(name) for name in SCRIPTS)
STYLE_PATH = FOLDER / "studio.css"
