"""Static pages to look at and listen to: one HTML file, files beside it, no network, light and dark."""

from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

_STYLE = """
:root { color-scheme: light dark; --back: #fbfaf7; --text: #23211d; --faint: #6b665c; --card: #ffffff; --line: #dedad0;
  --accent: #2f6fb5; }
@media (prefers-color-scheme: dark) { :root { --back: #17181b; --text: #e7e5e0; --faint: #a09c94; --card: #1f2125;
  --line: #34373d; --accent: #82b4ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 24px 16px 64px; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin: 0 0 4px; } a { color: var(--accent); }
.faint { color: var(--faint); font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px; margin: 20px 0;
  overflow-x: auto; }
.sounds { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 8px 16px; margin: 12px 0; }
.sounds figure { margin: 0; } .sounds figcaption { font-size: .85rem; color: var(--faint); }
audio { width: 100%; height: 36px; }
img, svg { display: block; max-width: 100%; height: auto; } .roll { min-width: 640px; width: 100%; }
.roll + .spectrogram { margin-left: 9.58%; width: 90.42%; height: 150px; }  /* under the roll's time axis */
table { border-collapse: collapse; font-size: .9rem; } th, td { padding: 3px 14px 3px 0; text-align: left; }
th { border-bottom: 1px solid var(--line); } td.number { font-variant-numeric: tabular-nums; text-align: right; }
"""


def page(title: str, body: str, *, language: str = "en") -> str:
    """Return a whole HTML document in the project's plain look; `body` is HTML, `title` is text."""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def audio_player(source: str, caption: str) -> str:
    """Return a captioned player for a file beside the page; several belong into a `<div class="sounds">`."""
    return (
        f'<figure><figcaption>{escape(caption)}</figcaption><audio controls preload="none" src="{escape(source)}" '
        f'aria-label="{escape(caption)}"></audio></figure>'
    )


def write_listenable(
    path: Path, samples: npt.NDArray[np.float32], sample_rate_hz: int, *, compression: float | None = None
) -> None:
    """Write audio small enough for a page: MP3, about 8 kB a second, which every browser plays.

    Args:
        path: ends in `.mp3`.
        samples: float32 [L] or [C, L], full scale is +-1.0.
        sample_rate_hz: audio samples per second.
        compression: 0 (best) to 1 (smallest); None for the encoder's own choice.

    Raises:
        ValueError: if `path` has another ending.
    """
    import soundfile

    if path.suffix != ".mp3":
        raise ValueError(f"path must end in .mp3, got {path.name!r}")
    clipped = np.clip(np.atleast_2d(samples).T, -1, 1)
    soundfile.write(path, clipped, sample_rate_hz, format="MP3", compression_level=compression)
