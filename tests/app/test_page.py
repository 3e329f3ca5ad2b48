"""The page and its handlers, without a browser."""

import os
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from app.errors import SettingsError
from app.main import browser_secret
from app.model_shelf import ModelShelf
from app.services import Studio
from app.settings import Settings
from app.ui.feed_handlers import FeedHandlers as Handlers
from app.ui.handlers import READABLE_SEEDS, SHOWN, notice, read_order
from app.ui.layout import build_page
from app.ui.theme import build_theme, page_style
from sessions.tree import MAX_SEED, Node
from stemgen_core.errors import CheckpointError, InvalidRequestError
from stemgen_core.instruments import INSTRUMENTS
from tests.app.waiting import OWNER
from tests.generators import PLAYED, EchoGenerator

BROWSER = {"token": OWNER}


def _event(**data: object) -> gr.EventData:
    return gr.EventData(None, data)


def _shown(values: tuple) -> SimpleNamespace:
    return SimpleNamespace(**dict(zip(SHOWN, values, strict=True)))


def test_the_page_builds_and_shows_no_listener_to_the_public(studio: Studio) -> None:
    page = build_page(studio, browser_secret="s")

    assert page.get_api_info()["named_endpoints"] == {}
    assert page.get_api_info()["unnamed_endpoints"] == {}


def test_the_theme_asks_no_other_host_for_anything() -> None:
    for style in (build_theme()._get_theme_css(), page_style()):
        assert re.search(r"""(url\(|@import)\s*["']?(https?:)?//""", style) is None
    assert build_theme()._stylesheets == []


def test_each_instrument_has_a_colour_of_its_own_in_light_and_dark() -> None:
    for instrument in INSTRUMENTS:
        assert page_style().count(f"--studio-hue-{instrument.index}:") == 2


@pytest.mark.parametrize("browser", [None, {}, {"token": "x"}, {"token": OWNER, "session_id": "not there"}])
def test_a_new_or_confused_browser_gets_the_three_doors(studio: Studio, browser: dict | None) -> None:
    shown = _shown(Handlers(studio).on_load(browser))

    assert shown.start["visible"]
    assert not shown.workspace["visible"]
    assert len(shown.browser["token"]) == 32


def test_a_browser_that_comes_back_finds_its_session_at_the_node_it_left(studio: Studio, context: Node) -> None:
    shown = _shown(Handlers(studio).on_load(BROWSER | {"session_id": context.session_id}))

    assert shown.workspace["visible"]
    assert shown.page == {"session_id": context.session_id, "node_id": context.id}
    assert shown.dock["tracks"][0]["track_id"] == context.id


def test_another_browser_with_that_session_id_finds_nothing(studio: Studio, context: Node) -> None:
    shown = _shown(Handlers(studio).on_load({"token": "f" * 32, "session_id": context.session_id}))

    assert shown.feed["turns"] == []
    assert shown.start["visible"]


def test_an_expected_error_is_said_on_the_page_and_changes_nothing_else(studio: Studio, context: Node) -> None:
    page = {"session_id": context.session_id, "node_id": context.id}

    values = Handlers(studio).on_generate(page, BROWSER, "kazoo", 2, "fast", 1, 1.0, 1.0, 1.0, "any", "any", None)

    assert "Choose an instrument" in values[-1]
    assert all(value == gr.skip() for value in values[:-1])


def test_generating_asks_for_stems_on_the_node_the_page_stands_on(studio: Studio, context: Node) -> None:
    page = {"session_id": context.session_id, "node_id": context.id}

    shown = _shown(Handlers(studio).on_generate(page, BROWSER, "bass", 3, "fast", 5.0, 0.9, 1.0, 1.0, None, None, None))

    turn = shown.feed["turns"][0]
    assert (turn["title"], turn["parent_id"], len(turn["variations"])) == ("Bass", context.id, 3)


def test_what_people_type_never_becomes_markup(studio: Studio, context: Node) -> None:
    page = {"session_id": context.session_id, "node_id": context.id}
    evil = "<img src=x onerror=alert(1)>"

    shown = _shown(Handlers(studio).on_rename(page, BROWSER, _event(node_id=context.id, name=evil)))

    assert "<img" not in shown.adding_to
    assert "&lt;img" in shown.adding_to
    assert "<img" not in notice(evil)


def test_ids_from_the_page_are_taken_for_what_they_are(studio: Studio, context: Node) -> None:
    page = {"session_id": context.session_id, "node_id": context.id}

    for event in (_event(node_id="nonsense"), _event(), gr.EventData(None, "not a dict")):
        assert "There is no such node" in Handlers(studio).on_go(page, BROWSER, event)[-1]


@pytest.mark.parametrize(
    "composer",
    [
        ("bass", None, "fast", 1, 1.0, 1.0, 1.0, "any", "any", None),
        ("bass", 2, "fast", None, 1.0, 1.0, 1.0, "any", "any", None),
        ("bass", 2, "fast", "seven", 1.0, 1.0, 1.0, "any", "any", None),
        ("bass", 2, "fast", 1, "hot", 1.0, 1.0, "any", "any", None),
        ("bass", 2, "fast", float("inf"), 1.0, 1.0, 1.0, "any", "any", None),
    ],
)
def test_a_composer_without_numbers_is_refused(composer: tuple) -> None:
    with pytest.raises(InvalidRequestError, match="Fill in every field"):
        read_order(*composer)


def test_a_locked_seed_stays_and_an_open_one_changes(studio: Studio) -> None:
    handlers = Handlers(studio)

    assert handlers.on_next_seed(41.0, True) == 41
    assert handlers.on_next_seed(None, True) == 0
    assert handlers.on_next_seed(MAX_SEED, True) == MAX_SEED
    for number in (1e308, -1.0, MAX_SEED + 1):  # can't be answered with, or be a seed
        assert 0 <= handlers.on_next_seed(number, True) < READABLE_SEEDS
    assert len({handlers.on_next_seed(41.0, False) for _ in range(20)}) > 1


def test_the_browser_secret_outlives_a_restart_and_only_the_server_reads_it(tmp_path: Path) -> None:
    first = browser_secret(tmp_path)

    assert browser_secret(tmp_path) == first
    assert len(bytes.fromhex(first)) == 16
    assert (tmp_path / "browser.secret").stat().st_mode & 0o077 == 0


def test_a_start_that_was_cut_short_leaves_no_secret_that_everybody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as power:
        power.setattr(os, "fsync", cut_short)
        with pytest.raises(KeyboardInterrupt):
            browser_secret(tmp_path)
    assert not (tmp_path / "browser.secret").exists()
    assert len(browser_secret(tmp_path)) == 32

    (tmp_path / "browser.secret").write_text("")

    assert len(browser_secret(tmp_path)) == 32
    assert [path.name for path in tmp_path.iterdir()] == ["browser.secret"]


def test_settings_come_from_the_environment_and_empty_ones_keep_the_default() -> None:
    settings = Settings.from_environment({"PORT": "8000", "HOST": "", "STEMGEN_DATA": "/srv/stemgen"})

    assert (settings.port, settings.host, settings.data_path) == (8000, "127.0.0.1", Path("/srv/stemgen"))


def test_several_models_are_named_one_after_the_other() -> None:
    given = {"STEMGEN_BUNDLE": f"/one{os.pathsep} /two {os.pathsep}"}

    assert Settings.from_environment(given).bundle_paths == (Path("/one"), Path("/two"))
    assert Settings.from_environment(given).bundle_path == Path("/one")
    assert Settings.from_environment({"STEMGEN_BUNDLE": ""}).bundle_paths == Settings().bundle_paths


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "7.5", "²"])
def test_a_port_that_is_none_is_refused_by_name(port: str) -> None:
    with pytest.raises(SettingsError, match="PORT must be a whole number from 1 to 65535"):
        Settings.from_environment({"PORT": port})


def test_without_a_model_the_page_says_why_nothing_can_be_generated(studio: Studio) -> None:
    def load() -> EchoGenerator:
        raise CheckpointError("There is no model at /here.")

    without = replace(studio, models=ModelShelf(load))

    _, instruments, _, _, generate, words = Handlers(without).on_model()

    assert (instruments["choices"], generate["interactive"]) == ([], False)
    assert "There is no model to generate with." in words
    assert "/here" not in words


def test_the_instruments_offered_are_those_the_model_plays(studio: Studio) -> None:
    _, instruments, _, _, generate, words = Handlers(studio).on_model()

    assert [name for _, name in instruments["choices"]] == [instrument.name for instrument in PLAYED]
    assert (instruments["value"], generate["interactive"], words) == ("bass", True, "")


def test_another_model_offers_what_it_plays_and_keeps_the_instrument_that_both_play(studio: Studio) -> None:
    other = EchoGenerator("audio-2", instruments=tuple(each for each in PLAYED if each.name != "bass"))
    models = ModelShelf(lambda: EchoGenerator("score-1"), load_more=[lambda: other])
    handlers = Handlers(replace(studio, models=models))

    model, instruments, *_ = handlers.on_model()
    assert (model["visible"], model["value"], instruments["value"]) == (True, "score-1", "bass")
    assert [words for words, _ in model["choices"]] == ["Notes 1", "Sound 2"]

    assert handlers.on_other_model("audio-2", "piano")[0]["value"] == "piano"
    assert handlers.on_other_model("audio-2", "bass")[0]["value"] == other.instruments[0].name
    assert [update.get("choices") for update in handlers.on_other_model("nonsense", "bass")] == [None] * 3


def test_the_choice_of_a_model_is_not_shown_where_there_is_one(studio: Studio) -> None:
    assert Handlers(studio).on_model()[0]["visible"] is False
