"""The documents say what is there: errors, commands, decisions, links."""

import re
from pathlib import Path

import pytest

from stemgen_core import errors

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def all_subclasses(base: type) -> set[type]:
    return {found for child in base.__subclasses__() for found in {child, *all_subclasses(child)}}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_every_error_of_the_core_is_in_its_family_tree() -> None:
    tree = errors.__doc__ or ""
    own = {error.__name__ for error in all_subclasses(errors.StemGenError) if error.__module__ == errors.__name__}

    assert own
    assert not {name for name in own if not re.search(rf"^\s*\+- {name} ", tree, flags=re.MULTILINE)}


def test_the_family_tree_names_no_error_that_is_gone() -> None:
    named = set(re.findall(r"\+- (\w+)", errors.__doc__ or ""))

    assert not {name for name in named if not hasattr(errors, name)}


@pytest.mark.parametrize("document", ["README.md", ".ci/run", ".ci/system-tools"])
def test_every_make_command_in_the_documents_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    lines = re.findall(r"(?:^|`|&& |timed )make ((?:[a-z-]+ ?)+)", text, flags=re.MULTILINE)

    named = {target for line in lines for target in line.split()}

    assert named <= make_targets()


def test_the_readme_shows_the_two_commands_first() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)

    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == ["make studio", "make test"]


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert make_targets() == set(re.findall(r"^([a-z-]+):.*## \S", makefile, flags=re.MULTILINE))


def test_ci_ends_with_the_readmes_test_command() -> None:
    check = (ROOT / ".ci" / "run").read_text(encoding="utf-8").split("  check)")[1].split(";;")[0]

    assert check.strip().splitlines()[-1].strip() == "timed make test"


def test_the_readme_carries_the_front_matter_of_a_docker_space() -> None:
    front = (ROOT / "README.md").read_text(encoding="utf-8").split("---")[1]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert "sdk: docker" in front
    assert "app_port: 7860" in front
    assert "EXPOSE 7860" in dockerfile
    assert "--uid 1000" in dockerfile
    assert "HOST=0.0.0.0" in dockerfile


def test_every_decision_is_in_the_index_under_its_own_title() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    expected = {
        f"- [{path.read_text(encoding='utf-8').splitlines()[0].removeprefix('# ')}]({path.name})"
        for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md")
    }

    assert set(re.findall(r"^- \[.*$", index, flags=re.MULTILINE)) == expected


def test_decision_numbers_are_unique_and_pages_are_short_and_whole() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} "), page
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            "## Context",
            "## Choice",
            "## Consequences",
        ], page
        assert len(text.splitlines()) <= 70, page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8"))

    assert not [link for link in links if not (document.parent / link).exists()]


def test_decisions_that_the_code_refers_to_exist() -> None:
    existing = {page.name for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}
    names, numbers = set[str](), set[str]()
    for package in ("app", "sessions", "stemgen_core"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            names |= set(re.findall(r"docs/decisions/([\w-]+\.md)", text))
            numbers |= set(re.findall(r"\bdecisions?\s+(\d{4})\b", text))

    assert not names - existing
    assert not numbers - {name[:4] for name in existing}


@pytest.mark.parametrize("document", ["paper-map.md", "architecture.md"])
def test_files_that_the_maps_name_exist(document: str) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")

    named = set(re.findall(r"`((?:stemgen_core|sessions|app|tests)/[\w./-]+)`", text))

    assert not {name for name in named if not (ROOT / name).exists()}


def test_the_readme_lists_every_setting_of_the_studio() -> None:
    settings = (ROOT / "app" / "settings.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    read = set(re.findall(r'given(?:\.get\(|, )"([A-Z_]+)"', settings))
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", readme, flags=re.MULTILINE))

    assert {"HOST", "PORT"} <= read
    assert listed == read


def test_only_the_settings_read_the_environment() -> None:
    reads = re.compile(r"os\.(getenv|environ(?!\.setdefault|\.get\(\"PATH\"))")  # a child process needs a PATH

    found = [
        str(path.relative_to(ROOT))
        for package in ("app", "sessions", "stemgen_core")
        for path in (ROOT / package).rglob("*.py")
        if reads.search(path.read_text(encoding="utf-8"))
    ]

    assert found == ["app/settings.py"]


def test_every_test_that_the_testing_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/testing.md").read_text(encoding="utf-8")))
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    defined = {name for source in sources for name in re.findall(r"^def (test_\w+)", source, flags=re.MULTILINE)}

    assert named
    assert not named - defined
