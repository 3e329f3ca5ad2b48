"""The page's shared scripts, style and fonts, and the tags that load them."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
URL_PREFIX = "/studio-static"

# In the order in which they need each other.
SCRIPTS = (
    "event_stream.js",
    "appearance.js",
    "dom.js",
    "timeline.js",
    "mixing.js",
    "library.js",
    "handover.js",
    "voice.js",
    "voices.js",
    "engine.js",
    "stage.js",
    "waveform.js",
    "context_card.js",
    "recording.js",
    "microphone.js",
    "turn_card.js",
    "tree_item.js",
    "ruler.js",
    "strips.js",
    "meter.js",
    "tabs.js",
    "keymap.js",
    "sheet.js",
    "keys.js",
    "popover.js",
    "live_clock.js",
    "live_engine.js",
    "live_link.js",
    "live_microphone.js",
    "live_parts.js",
    "live_controls.js",
    "live_start.js",
)
WORKLET = "recorder_worklet.js"  # runs in the audio thread, which loads it by its address
STYLE = "page.css"  # studio.css and composer.css go through Gradio, which gives its rules precedence over its own
FONT = "ibm-plex-sans-latin-wght-normal.woff2"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}


def url_of(name: str) -> str:
    """Return the address of a file of this folder.

    The hash makes a new edition a new address, so that browsers may keep a file for good.
    """
    return f"{URL_PREFIX}/{name}?v={hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]}"


def page_head() -> str:
    """Return the tags for the page's head: font, style and scripts."""
    font = f'<link rel="preload" href="{url_of(FONT)}" as="font" type="font/woff2" crossorigin>'
    style = f'<link rel="stylesheet" href="{url_of(STYLE)}">'
    return "\n".join([font, style, *(f'<script src="{url_of(name)}"></script>' for name in SCRIPTS)])


SERVED = (*SCRIPTS, WORKLET, STYLE, FONT)
STYLE_PATHS = (FOLDER / "studio.css", FOLDER / "composer.css")
