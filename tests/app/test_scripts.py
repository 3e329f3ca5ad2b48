"""The page's scripts: their own tests run in node, and each file that is there is served and loaded."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.ui.static import FOLDER, SCRIPTS, SERVED, WORKLET, page_head

ROOT = Path(__file__).parents[2]


def test_the_scripts_arithmetic_holds() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs.")

    run = subprocess.run([node, "--test", "tests/js"], cwd=ROOT, capture_output=True, text=True, timeout=300)

    assert run.returncode == 0, run.stdout[-4000:]


def test_every_script_is_loaded_and_every_file_of_the_page_is_served() -> None:
    assert {path.name for path in FOLDER.glob("*.js")} == {*SCRIPTS, WORKLET}
    for name in SERVED:
        assert (FOLDER / name).is_file()
        assert (f"/studio-static/{name}?v=" in page_head()) is (name != WORKLET)


def test_the_font_comes_with_its_licence() -> None:
    assert "SIL Open Font License" in (FOLDER / "ibm-plex-sans-LICENSE.txt").read_text("utf-8")
