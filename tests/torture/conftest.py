"""Figures that a proof measures are told at the end of the run, so that docs/testing.md can quote them."""

from collections.abc import Callable

import pytest

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what notes a line of figures for the end of the run."""
    lines = request.config.stash.setdefault(_FIGURES, [])
    name = request.node.name

    def _tell(words: str) -> None:
        lines.append(f"{name}: {words}")

    return _tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_FIGURES, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
