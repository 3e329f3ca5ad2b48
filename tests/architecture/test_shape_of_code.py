"""Limits that keep the code readable: files of 400 lines, functions of 60, arguments (ruff) of 8."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "sessions", "stemgen_core")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
BANNED_NAMES = {"utils", "util", "helpers", "common", "misc"}


def source_files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in source_files()}

    assert not {path: length for path, length in lengths.items() if length > MAX_FILE_LINES}


def test_no_script_or_style_is_longer_than_400_lines() -> None:
    files = [path for ending in ("js", "css") for path in sorted((ROOT / "app").rglob(f"*.{ending}"))]
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in files}

    assert len(lengths) > 20
    assert not {path: length for path, length in lengths.items() if length > MAX_FILE_LINES}


def test_no_function_is_longer_than_60_lines() -> None:
    too_long: list[str] = []
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")

    assert not too_long, "\n".join(too_long)


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    assert not [path for path in source_files() if path.stem in BANNED_NAMES or path.parent.name in BANNED_NAMES]


def test_assert_is_for_tests_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in source_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]

    assert not found, "\n".join(found)
