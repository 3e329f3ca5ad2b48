"""A machine that is too slow for the loop is told so, and a longer one is proposed: no fake real time."""

import re
from collections.abc import Iterator

import pytest

from tests.app.browser.conftest import BROWSER_MARKS, Serve, Server, Visit
from tests.app.browser.steps import expect

pytestmark = BROWSER_MARKS

NUM_STEPS = 10  # of the model's fewest, as the planner presumes until it knows
SECONDS_PER_STEP = 0.25  # 2.5 s for a version, and the loop lasts 2 s


@pytest.fixture(scope="module")
def server(start_server: Serve) -> Iterator[Server]:
    with start_server(seconds_per_step=SECONDS_PER_STEP, num_steps=NUM_STEPS, genres=("lofi",)) as running:
        yield running


def test_a_machine_too_slow_for_the_loop_is_told_so_and_goes_on_with_a_longer_one(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    page.wait_for_function("document.body.dataset.mode === 'studio'")
    page.locator("#mode-switch [data-mode=live]").click()
    page.locator("#live input[aria-label=Tempo]").fill("120")
    page.locator("#live input[aria-label=Tempo]").press("Tab")
    page.locator("#live .bars [data-key='1']").click()
    page.locator("#live .go").click()

    notice = page.locator("#live .slow")
    expect(notice).to_contain_text("too slow for a new version every bar: most come late")
    button = notice.get_by_role("button", name=re.compile(r"Begin again with \d+ bars"))
    num_bars = int(re.findall(r"\d+", button.inner_text())[0])
    assert page.evaluate("stemLive.engine.isPlaying")  # what plays goes on
    button.click()

    # How long a loop is proposed for how slow a machine is claimed in simulated time (tests/app/live).
    assert num_bars in (2, 4, 8, 16)
    is_on = "stemLive.engine.isPlaying && stemLive.engine.loop >= 0"
    page.wait_for_function(f"stemLive.link.jam?.num_bars === {num_bars} && {is_on}")
    page.wait_for_function("(stemLive.link.jam?.score.making_s ?? null) !== null")  # it makes versions for that one
