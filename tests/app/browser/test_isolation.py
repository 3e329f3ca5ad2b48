"""Two browsers see nothing of each other, whatever one of them sends; two tabs of one lose nothing of each other's."""

import json
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import generate, pick, start_from_example

pytestmark = BROWSER_MARKS

_STATUS = "([path, key]) => fetch(path, {headers: {'X-StemGen-Browser': key}}).then((answer) => answer.status)"


def _send_instead(page: Page, own: str, foreign: str) -> list[str]:
    """Let every event of a page name something else than its user clicked; return the events that were changed."""
    changed: list[str] = []

    def forge(route: Route) -> None:
        sent: dict[str, Any] = json.loads(route.request.post_data or "{}")
        told = json.dumps(sent.get("event_data"))
        if own in told:
            changed.append(told)
            sent["event_data"] = json.loads(told.replace(own, foreign))
        route.continue_(post_data=json.dumps(sent))

    page.route("**/queue/join*", forge)
    return changed


def test_ids_of_another_browser_are_refused_by_event_by_media_and_by_export(server: Server, visit: Visit) -> None:
    owner = visit(server.url)
    start_from_example(owner)
    generate(owner, "Bass", 1)
    pick(owner, "A")
    dock = owner.evaluate("stemStage.dock")
    stem = dock["tracks"][1]
    thief = visit(server.url, is_another=True)
    start_from_example(thief)
    own_dock = thief.evaluate("stemStage.dock")

    changed = _send_instead(thief, own_dock["node_id"], stem["node_id"])
    thief.locator("#tree [role=treeitem]").first.focus()
    thief.keyboard.press("Enter")  # to go there
    expect(thief.locator("#notice [role=alert]")).to_contain_text("There is no such node")
    with thief.expect_response("**/queue/join*"):
        thief.keyboard.press("s")  # to star it
    thief.wait_for_timeout(1000)

    assert len(changed) == 2
    assert thief.locator("#tree .name .label").all_text_contents() == ["Noise loop"]
    assert owner.evaluate("stemStage.dock.tracks.length") == 2
    assert not server.studio.store.node(dock["media_key"], stem["node_id"]).is_starred
    for path in (stem["url"], f"/export/{stem['node_id']}/mix.wav"):
        assert owner.evaluate(_STATUS, [path, dock["media_key"]]) == 200
    assert _status_elsewhere(thief, server.url + stem["url"], own_dock["media_key"]) == 404
    assert _status_elsewhere(thief, f"{server.url}/export/{stem['node_id']}/mix.wav", own_dock["media_key"]) == 404


def _status_elsewhere(page: Page, url: str, key: str) -> int:
    """Ask without the page, whose console would rightly complain of the refusal."""
    return page.request.get(url, headers={"X-StemGen-Browser": key}).status


def test_two_tabs_on_one_session_lose_nothing_of_each_others(server: Server, visit: Visit) -> None:
    first = visit(server.url)
    start_from_example(first)
    generate(first, "Bass", 2)
    second = visit(server.url)
    expect(second.locator("[data-variation]")).to_have_count(2)

    pick(first, "A")
    second.keyboard.press("2")
    second.locator("#dock .transport .pick").click()
    expect(second.locator("#tree .name")).to_have_count(3)
    first.reload()

    expect(first.locator("#tree .name")).to_have_count(3)
    assert sorted(first.locator("#tree .name .label").all_text_contents()) == ["Bass A", "Bass B", "Noise loop"]
