"""What `make audit` makes of pip-audit's reports."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "torch", "version": "2.13.0", "vulns": []}
HOLED = {"name": "gradio", "version": "4.0", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found"}
OURSELVES = {"name": "stemgen", "skip_reason": "distribution marked as editable"}


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([CLEAN, OURSELVES], 0, "1 packages looked up, no known hole"),
        ([CLEAN, SKIPPED], 2, "NOT AUDITED: 1 of 2"),
        ([SKIPPED], 2, "NOT AUDITED: 1 of 1"),
        ([HOLED, SKIPPED], 1, "gradio 4.0: PYSEC-1"),
    ],
    ids=["all looked up", "one skipped", "all skipped", "a hole"],
)
def test_only_a_look_at_every_package_counts_as_clean(
    audit: ModuleType, packages: list[dict[str, Any]], status: int, words: str
) -> None:
    told = audit.judge({"dependencies": packages})

    assert told[0] == status
    assert words in told[1]


def test_a_pip_audit_that_cannot_run_is_no_clean_audit(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no route to host' >&2; exit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))

    assert audit.main() == 2
    assert "NOT AUDITED: pip-audit could not do its work (no route to host)" in capsys.readouterr().out
