"""What is asked for in the moment in which the server ends its stream of answers is answered all the same."""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, Server, Visit
from tests.app.browser.steps import start_from_example
from tests.app.waiting import wait_for

pytestmark = BROWSER_MARKS

# A network that, once `holdTheEnd()` was called, keeps the word that ends the stream until `letItEnd()` is called, and
# after `holdTheName()` that of the next event that is asked for, until `letItBeKnown()`.
SLOW_NETWORK = """
(() => {
  const network = window.fetch.bind(window);
  let mayEnd = Promise.resolve();
  window.endsHeld = 0;
  window.completed = 0; // events whose answers the network has brought
  window.holdTheEnd = () => { mayEnd = new Promise((resolve) => { window.letItEnd = resolve; }); };
  let mayBeKnown = null;
  window.holdTheName = () => { mayBeKnown = new Promise((resolve) => { window.letItBeKnown = resolve; }); };
  let numBusy = 0; // questions on their way, and streams
  let changedMs = 0;
  const busy = (by) => { numBusy += by; changedMs = performance.now(); };
  window.isQuiet = () => numBusy === 0 && performance.now() - changedMs > 1000;
  window.fetch = async (input, init) => {
    const isQuestion = String(input.url || input).includes("/queue/join");
    if (isQuestion) busy(1);
    const answer = await network(input, init).finally(() => isQuestion && busy(-1));
    if (isQuestion && mayBeKnown) {
      const known = mayBeKnown;
      mayBeKnown = null;
      await known;
    }
    if (!String(input.url || input).includes("/queue/data")) return answer;
    busy(1);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async start(listener) {
        try {
          for (;;) {
            const { value, done } = await reader.read();
            if (done) return listener.close();
            window.completed += value.split('data: {"msg":"process_completed"').length - 1;
            const at = value.indexOf('data: {"msg":"close_stream"');
            if (at < 0) { listener.enqueue(encoder.encode(value)); continue; }
            if (at > 0) listener.enqueue(encoder.encode(value.slice(0, at)));
            window.endsHeld += 1;
            await mayEnd;
            listener.enqueue(encoder.encode(value.slice(at)));
          }
        } finally {
          busy(-1);
        }
      },
      cancel: (why) => reader.cancel(why),
    });
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
})();
"""


@pytest.fixture(scope="module", autouse=True)
def _slow_network(usual_context: BrowserContext) -> None:
    usual_context.add_init_script(SLOW_NETWORK)


def test_what_is_done_while_the_stream_is_ending_is_shown(server: Server, visit: Visit) -> None:
    page = visit(server.url)
    start_from_example(page)
    page.wait_for_function("isQuiet()")  # the end that is held is that of the star's stream, of no earlier one
    page.evaluate("endsHeld = 0; holdTheEnd()")
    page.locator("#tree [role=treeitem]").press("s")
    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(1)
    page.wait_for_function("endsHeld > 0")

    with page.expect_response("**/gradio_api/queue/join*") as asked:
        page.locator("#tree [role=treeitem]").press("s")
    asked.value.finished()
    page.evaluate("letItEnd()")

    expect(page.locator('#tree .star[aria-pressed="true"]')).to_have_count(0)


def test_an_answer_that_came_before_its_events_name_is_not_applied_over_newer_ones(
    server: Server, visit: Visit
) -> None:
    page = visit(server.url)
    start_from_example(page)
    token = page.evaluate("stemEngine.mediaKey")
    node_id = page.evaluate("stemStage.feed.contexts[0].node_id")
    page.wait_for_function("isQuiet()")
    page.evaluate("completed = 0; holdTheName()")
    _call(page, "Older")
    wait_for(lambda: server.studio.store.node(token, node_id).name == "Older")
    _call(page, "Newer")
    page.wait_for_function("completed >= 2")

    page.evaluate("letItBeKnown()")

    expect(page.locator("#tree .name")).to_have_text("Newer")
    page.wait_for_timeout(500)  # what is wrong would be shown by now; what is right stays
    expect(page.locator("#tree .name")).to_have_text("Newer")


def _call(page: Page, name: str) -> None:
    """Give the only node a name, without waiting for it to be shown."""
    page.locator("#tree [role=treeitem]").press("F2")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(name)
    page.keyboard.press("Enter")
