"""Trees that forget nothing, sessions in a list, links, and the way out of the browser."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import generate, pick, start_from_example

pytestmark = BROWSER_MARKS


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    page = visit(server.url)
    start_from_example(page)
    return page


def _tree(page: Page) -> list[str]:
    return page.locator("#tree .name .label").all_text_contents()


def _focused(page: Page) -> str | None:
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_the_tree_is_walked_changed_and_undone_with_the_keyboard_alone(page: Page) -> None:
    generate(page, "Bass", 2)
    pick(page, "A")
    generate(page, "Piano", 1)
    pick(page, "A")
    page.locator("#tree [role=treeitem][tabindex='0']").focus()
    assert page.locator("#tree [role=treeitem][tabindex='0']").count() == 1  # one stop for Tab

    page.keyboard.press("Home")
    assert _focused(page) == "Noise loop"
    page.keyboard.press("ArrowRight")
    assert _focused(page) == "Bass A"
    page.keyboard.press("ArrowLeft")  # folds
    expect(page.locator("#tree .name")).to_have_count(2)
    page.keyboard.press("ArrowRight")  # unfolds
    page.keyboard.press("End")
    assert _focused(page) == "Piano A"

    page.keyboard.press("F2")
    page.keyboard.type("Keys")
    page.keyboard.press("Enter")
    expect(page.locator("#tree .name .label").nth(2)).to_have_text("Keys")
    page.keyboard.press("s")
    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Bass A")

    page.keyboard.press("Delete")
    expect(page.locator("#tree .name")).to_have_count(1)
    expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Noise loop")
    page.keyboard.press("u")
    expect(page.locator("#tree .name")).to_have_count(3)
    assert _tree(page) == ["Noise loop", "Bass A", "Keys"]
    expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Bass A")


def test_siblings_are_stepped_through_and_tidying_spares_the_starred(page: Page) -> None:
    generate(page, "Bass", 3)
    for letter in "ABC":
        page.locator("#tree .name", has_text="Noise loop").click()
        expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Noise loop")
        pick(page, letter)
    expect(page.locator("#tree .siblings")).to_have_text("3 of 3")
    page.get_by_role("button", name="Next sibling").click()
    expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Bass A")

    page.locator('#tree [aria-label="Bass B"] > .node').hover()
    page.locator('#tree [aria-label="Bass B"] > .node .star').click()
    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    page.get_by_role("button", name="Tidy up").click()
    expect(page.locator("#tree .name")).to_have_count(3)
    assert _tree(page) == ["Noise loop", "Bass A", "Bass B"]  # where we stand, and what is loved

    page.locator("#tree .tree-trash summary").click()
    page.get_by_role("button", name="Restore Bass C").click()
    expect(page.locator("#tree .name")).to_have_count(4)


def test_a_large_tree_is_filtered_by_star_instrument_and_name(page: Page) -> None:
    generate(page, "Bass", 4)
    for letter in "ABCD":
        page.locator("#tree .name", has_text="Noise loop").click()
        expect(page.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Noise loop")
        pick(page, letter)
    generate(page, "Piano", 1)
    pick(page, "A")

    page.locator("#tree .by-text").fill("bass b")
    assert _tree(page) == ["Noise loop", "Bass B"]
    page.locator("#tree .by-text").fill("")
    page.locator("#tree .by-instrument").select_option("piano")
    assert _tree(page) == ["Noise loop", "Bass D", "Piano A"]  # with what it hangs from
    page.locator("#tree .by-instrument").select_option("")
    page.locator("#tree .only-starred").click()
    expect(page.locator("#tree .tree-root")).to_have_text("Nothing matches.")


def test_sessions_are_renamed_copied_thrown_away_and_brought_back(page: Page) -> None:
    menu = page.locator("#session-choice")
    menu.locator(".opener").click()
    menu.get_by_role("button", name="Rename Noise loop").click()
    menu.locator(".rename").fill("Sunday funk")
    page.keyboard.press("Enter")
    expect(menu.locator(".opener-name")).to_have_text("Sunday funk")

    menu.get_by_role("button", name="Duplicate Sunday funk").click()
    expect(menu.locator(".opener-name")).to_have_text("Sunday funk (copy)")
    expect(menu.locator(".session")).to_have_count(2)
    menu.get_by_role("button", name="Move Sunday funk (copy) to the trash").click()
    expect(page.locator(".example-button")).to_be_visible()
    expect(menu.locator(".session")).to_have_count(1)

    menu.locator(".trash summary").click()
    menu.get_by_role("button", name="Restore Sunday funk (copy)").click()
    expect(menu.locator(".opener-name")).to_have_text("Sunday funk (copy)")
    expect(menu.locator(".session")).to_have_count(2)


def _download(page: Page, what: str, folder: Path) -> Path:
    if not page.locator(".export-panel").is_visible():
        page.locator("#export-menu .export-opener").click()
    with page.expect_download() as waiting:
        page.locator(f"[data-export='{what}']").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_the_package_holds_stems_of_one_length_that_add_up_to_the_mix(page: Page, tmp_path: Path) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    generate(page, "Piano", 1)
    pick(page, "A")

    path = _download(page, "package.wav", tmp_path)

    assert path.name == "Noise loop - Piano A.zip"
    package = zipfile.ZipFile(path)
    files = {name.split("/", 1)[1]: package.read(name) for name in package.namelist()}
    settings = json.loads(files["settings.json"])
    assert any(name.endswith(".rpp") for name in files)
    stems = [soundfile.read(io.BytesIO(files[stem["file"]]), always_2d=True)[0] for stem in settings["stems"]]
    mix = soundfile.read(io.BytesIO(files[settings["mix"]["file"]]), always_2d=True)[0]
    assert len(stems) == 3
    assert {len(stem) for stem in stems} == {len(mix)}
    gain = 10 ** (settings["mix"]["gain_db"] / 20)
    assert np.abs(mix - gain * sum(stems)).max() < 10 ** (-90 / 20)  # mono stems on both sides of the mix
    expect(page.locator(".export-panel .status")).to_contain_text("Saved Noise loop - Piano A.zip")


def test_a_session_leaves_as_a_file_and_comes_back_as_another(page: Page, tmp_path: Path) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    path = _download(page, "session.zip", tmp_path)
    page.keyboard.press("Escape")

    menu = page.locator("#session-choice")
    menu.locator(".opener").click()
    menu.locator("input[type=file]").set_input_files(path)

    expect(menu.locator(".session")).to_have_count(2)
    assert _tree(page) == ["Noise loop", "Bass A"]


def test_a_link_lets_another_listen_and_fork_but_not_change_and_can_be_taken_back(
    server: Server, visit: Visit, page: Page
) -> None:
    generate(page, "Bass", 1)
    pick(page, "A")
    page.locator("#export-menu .share-opener").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#export-menu .link").input_value()

    guest = visit(link, is_another=True)
    expect(guest.locator("#session-choice .shared-name")).to_contain_text("Noise loop")
    assert _tree(guest) == ["Noise loop", "Bass A"]
    expect(guest.locator("#composer")).to_be_hidden()
    expect(guest.locator("#tree .tools")).to_have_count(0)
    guest.locator("#tree .name", has_text="Noise loop").click()
    expect(guest.locator("#tree [aria-selected=true]")).to_have_attribute("aria-label", "Noise loop")
    guest.locator("#dock .play").click()
    guest.wait_for_function("stemEngine.isPlaying && stemEngine.levels() > 0.001")

    guest.get_by_role("button", name="Make it my own").click()
    expect(guest.locator("#composer")).to_be_visible()
    generate(guest, "Piano", 1)
    pick(guest, "A")
    assert "Piano A" in _tree(guest)
    assert _tree(page) == ["Noise loop", "Bass A"]

    page.get_by_role("button", name="Take the link back").click()
    expect(page.get_by_role("button", name="Make a link")).to_be_visible()
    late = visit(link, is_another=True)
    expect(late.locator("#notice [role=alert]")).to_contain_text("leads nowhere")
