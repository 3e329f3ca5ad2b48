"""A studio in use for an hour: memory, descriptors, the write-ahead log and temporary files stay flat.

The length comes from STEMGEN_SOAK_MINUTES (`make soak MINUTES=60`); the generator is a fake, the rest is real.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.ui.export_routes import export_path
from tests.app.fakes import write_clip
from tests.torture.alone import LoneServer, Usage, lone_server
from tests.torture.visitor import Visitor, generate_inputs

FEED, TREE, DOCK = 2, 3, 4
MAX_GROWTH_BYTES = 30_000_000
MAX_WAL_BYTES = 64_000_000
USES_PER_NEWCOMER = 5  # then one of the visitors goes, and somebody else opens the page


def _press(visitor: Visitor, name: str, data: list[Any], event: dict[str, Any] | None = None) -> list[Any]:
    answer = visitor.call(visitor.example if name == "example" else visitor.listeners[name][0]["id"], data, event)
    if not answer.is_success:
        raise AssertionError(f"{name}: {answer.text[-2000:]}")
    return answer.data


def _upload(visitor: Visitor, clip: Path) -> dict[str, Any]:
    with clip.open("rb") as file:
        paths = visitor.http.post("/gradio_api/upload", files={"files": (clip.name, file)}).json()
    return {"path": paths[0], "orig_name": clip.name, "meta": {"_type": "gradio.FileData"}}


def _arrive(server: LoneServer) -> Visitor:
    visitor = Visitor(server.url)
    visitor.open_page()
    return visitor


def _use_once(visitor: Visitor, clip: Path, number: int) -> None:
    """Start, generate, pick, branch, hear, star, remove, undo, export, and delete."""
    if number % 3:
        shown = _press(visitor, "example", [visitor.browser])
    else:
        shown = _press(visitor, "on_file", [_upload(visitor, clip), visitor.browser])
    context_id = shown[TREE]["nodes"][0]["node_id"]
    browser = visitor.browser | {"session_id": shown[FEED]["session_id"]}
    for branch in range(2):
        _press(visitor, "on_go", [None, browser], {"node_id": context_id})
        _press(visitor, "on_generate", generate_inputs(visitor))
        _press(visitor, "on_follow", [None, browser])
        feed = _press(visitor, "on_arrive", [browser])[FEED]
        variation = feed["turns"][branch]["variations"][0]
        shown = _press(visitor, "on_pick", [browser], {"variation_id": variation["variation_id"]})
        if visitor.media(variation["url"]).content[:4] != b"fLaC":
            raise AssertionError("a stem can't be heard")
    node_id = shown[TREE]["nodes"][-1]["node_id"]
    _press(visitor, "on_star", [None, browser], {"node_id": node_id, "is_starred": True})
    _press(visitor, "on_rename", [None, browser], {"node_id": node_id, "name": f"take {number}"})
    _press(visitor, "on_remove", [None, browser], {"node_id": node_id})
    _press(visitor, "on_undo", [None, browser])
    for export in (export_path(node_id, "mix", "mp3"), export_path(node_id, "package", "flac")):
        _take_away(visitor, export)
    _take_away(visitor, f"/export/session/{browser['session_id']}.zip")
    _press(visitor, "on_trash", [None, browser], {"node_id": node_id})
    _press(visitor, "on_discard", [None, browser], {"session_id": browser["session_id"]})


def _take_away(visitor: Visitor, path: str) -> None:
    if len(visitor.media(path).raise_for_status().content) < 1_000:
        raise AssertionError(f"{path} holds nothing")


def _quarters(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the second and of the last quarter: the first is for warming up."""
    size = max(1, len(values) // 4)
    return statistics.median(values[size : 2 * size]), statistics.median(values[-size:])


def _check(usages: list[Usage], tell: Callable[[str], None], minutes: float, num_uses: int) -> None:
    early, late = _quarters([usage.resident_bytes for usage in usages])
    descriptors = _quarters([usage.num_descriptors for usage in usages])
    temporary = _quarters([usage.num_temporary for usage in usages])
    wal = max(usage.wal_bytes for usage in usages)
    tell(
        f"{minutes:g} min, {num_uses} sessions: memory {early / 1e6:.0f} -> {late / 1e6:.0f} MB, descriptors "
        f"{descriptors[0]:.0f} -> {descriptors[1]:.0f}, temporary files {temporary[0]:.0f} -> {temporary[1]:.0f}, "
        f"write-ahead log at most {wal / 1e6:.1f} MB"
    )
    assert late - early < MAX_GROWTH_BYTES
    assert descriptors[1] <= descriptors[0] + 5
    assert temporary[1] <= temporary[0] + 5
    assert wal < MAX_WAL_BYTES


@pytest.mark.soak
def test_an_hour_of_use_leaves_memory_and_files_flat(tmp_path: Path, tell: Callable[[str], None]) -> None:
    minutes = float(os.environ.get("STEMGEN_SOAK_MINUTES", "60"))
    clip = write_clip(tmp_path / "clip.wav", seconds=1.5)
    usages: list[Usage] = []
    num_uses = 0
    with lone_server(tmp_path, seconds_per_step=0.05) as server:
        visitors = [_arrive(server) for _ in range(3)]
        end_s = time.monotonic() + 60 * minutes
        while time.monotonic() < end_s or num_uses < 4:
            at = num_uses % len(visitors)
            _use_once(visitors[at], clip, num_uses)
            num_uses += 1
            usages.append(server.usage())
            if num_uses % USES_PER_NEWCOMER == 0:
                visitors[at].close()
                visitors[at] = _arrive(server)
        for visitor in visitors:
            visitor.close()

    _check(usages, tell, minutes, num_uses)
