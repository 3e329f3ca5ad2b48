"""What the commands say where they cannot go on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def write_program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def empty_path(tmp_path: Path) -> Path:
    """Return a folder to use as PATH, where an ordinary user is at home and nothing is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write_program(folder, "id", "echo 1000")
    return folder


def run_system_tools(path: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / ".ci" / "system-tools"), *tools]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False)


def test_tools_that_are_there_are_passed_over_in_silence(empty_path: Path) -> None:
    write_program(empty_path, "ffmpeg", "")
    write_program(empty_path, "chromium-browser", "")

    done = run_system_tools(empty_path, "ffmpeg", "chromium")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_apt_or_root_one_sentence_names_what_is_missing(empty_path: Path) -> None:
    write_program(empty_path, "ffmpeg", "")

    done = run_system_tools(empty_path, "ffmpeg", "chromium", "fluidsynth")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "chromium fluidsynth" in done.stderr
    assert "ffmpeg" not in done.stderr


def test_an_ordinary_user_with_apt_but_without_sudo_is_told_so_too(empty_path: Path) -> None:
    write_program(empty_path, "apt-get", "echo it ran apt; exit 9")

    done = run_system_tools(empty_path, "ffmpeg")

    assert done.returncode == 1
    assert "it ran apt" not in done.stdout
    assert "ffmpeg" in done.stderr


def test_root_installs_what_is_missing_and_says_so(empty_path: Path) -> None:
    record = empty_path / "record"
    write_program(empty_path, "id", "echo 0")
    write_program(empty_path, "apt-get", f'echo "$@" >> {record}')
    (empty_path / "env").symlink_to(shutil.which("env") or "/usr/bin/env")

    done = run_system_tools(empty_path, "ffmpeg", "chromium")

    assert done.returncode == 0
    assert done.stdout == "Installing with apt: ffmpeg chromium\n"
    update, install = record.read_text().splitlines()
    assert update.startswith("update")
    assert install.endswith("ffmpeg chromium")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (None, "StemGen needs Python 3.11, and 'some-python' was not found"),
        ("3.9", "StemGen needs Python 3.11, and 'some-python' is Python 3.9"),
    ],
    ids=["absent", "too old"],
)
def test_without_python_3_11_one_sentence_says_so(tmp_path: Path, version: str | None, sentence: str) -> None:
    for name in ("Makefile", "requirements.txt", "requirements-no-deps.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    if version is not None:
        write_program(tmp_path, "some-python", f'[ "$1" = -V ] && echo Python {version}; [ "$1" != -c ]')
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment = {name: value for name, value in environment.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}

    done = subprocess.run(
        ["make", "studio", "PYTHON=some-python"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert done.stderr.startswith(sentence), done.stderr
    assert "Say where" in done.stderr or "say where" in done.stderr
    assert not (tmp_path / ".venv").exists()
