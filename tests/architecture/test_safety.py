"""What must not be in the code, and which versions carry known holes."""

import ast
import importlib.metadata
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "sessions", "stemgen_core")

# package: (lowest version without a known hole, what the versions before have)
FLOORS = {
    "torch": ("2.10.0", "CVE-2025-32434, CVE-2026-24747, CVE-2026-4538: code execution from weights"),
    "gradio": ("6.31", "CVE-2026-27167, -28415, -28416, -33937, -48545, -49119, -59806 and others"),
    "starlette": ("1.3.1", "CVE-2025-54121, CVE-2026-54283"),
    "python-multipart": ("0.0.32", "CVE-2026-40347 and later ones"),
}


def parsed_sources() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def dotted_name(node: ast.expr) -> str:
    """Return `a.b.c` of a name or attribute, or what is left of it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "", *reversed(parts)])


def keyword(call: ast.Call, name: str) -> object:
    for given in call.keywords:
        if given.arg == name:
            return given.value.value if isinstance(given.value, ast.Constant) else given.value
    return None


def offences_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Find what runs code that someone else wrote: unpickling, evaluation, shells."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            for name in names:
                if name.split(".")[0] in {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}:
                    yield node.lineno, f"imports {name}"
        if isinstance(node, ast.Call):
            name = dotted_name(node.func)
            if name in {"eval", "exec", "os.system", "os.popen"} or name.endswith("subprocess.getoutput"):
                yield node.lineno, f"calls {name}"
            if name.startswith("torch.hub.") or (name == "torch.load" and keyword(node, "weights_only") is not True):
                yield node.lineno, f"calls {name} that may unpickle"
            if name in {"np.load", "numpy.load"} and keyword(node, "allow_pickle") not in (None, False):
                yield node.lineno, f"calls {name} that may unpickle"
            if keyword(node, "shell") not in (None, False):
                yield node.lineno, f"calls {name} through a shell"
            if name == "yaml.load":
                yield node.lineno, "calls yaml.load; safe_load is the one"


def test_no_code_unpickles_evaluates_or_opens_a_shell() -> None:
    found = [f"{path}:{line} {what}" for path, tree in parsed_sources() for line, what in offences_in(tree)]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.load('x')",
        "torch.load('x', weights_only=False)",
        "torch.hub.load_state_dict_from_url(u)",
        "import pickle",
        "from pickle import loads",
        "eval('1')",
        "exec(text)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=flag)",
        "np.load('x', allow_pickle=True)",
        "os.system('ls')",
    ],
)
def test_the_check_finds_what_it_looks_for(code: str) -> None:
    assert list(offences_in(ast.parse(code)))


@pytest.mark.parametrize(
    "code", ["torch.load('x', weights_only=True)", "model.eval()", "np.load('x')", "re.compile('a')"]
)
def test_the_check_lets_harmless_code_pass(code: str) -> None:
    assert not list(offences_in(ast.parse(code)))


@pytest.mark.parametrize("name", FLOORS)
def test_installed_versions_have_no_known_hole(name: str) -> None:
    floor, holes = FLOORS[name]

    assert Version(importlib.metadata.version(name)) >= Version(floor), holes


@pytest.mark.parametrize("name", FLOORS)
def test_requirements_cannot_be_met_by_a_version_with_a_known_hole(name: str) -> None:
    floor, holes = FLOORS[name]
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    required = next(Requirement(line) for line in lines if line and Requirement(line).name == name)

    lowest = [Version(part.version) for part in required.specifier if part.operator in {">=", "=="}]

    assert lowest, f"{name} has no floor"
    assert max(lowest) >= Version(floor), holes


def test_no_weights_in_the_repository_are_pickles() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )

    pickled = [name for name in listed if re.search(r"\.(pt|pth|th|ckpt|bin|pkl|pickle|npy)$", name)]

    assert not pickled
