"""One visitor asks without end: memory stays bounded, others are told when to come back, and it is soon over."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.torture.alone import lone_server
from tests.torture.visitor import Visitor, generate_inputs


@pytest.mark.torture
@pytest.mark.parametrize("num_submits", [200, 5_000])
def test_a_flood_is_turned_away_in_words_and_leaves_nothing_behind(
    tmp_path: Path, tell: Callable[[str], None], num_submits: int
) -> None:
    with (
        lone_server(tmp_path, seconds_per_step=0.02) as server,
        Visitor(server.url) as flooder,
        Visitor(server.url) as light,
    ):
        for visitor in (flooder, light):
            visitor.open_page()
            assert visitor.call(visitor.example, [visitor.browser]).is_success
        generate = flooder.listeners["on_generate"][0]["id"]
        began_s = time.monotonic()
        assert light.call(generate, generate_inputs(light)).is_success
        usual_s = time.monotonic() - began_s
        before = server.usage()

        with ThreadPoolExecutor(16) as pool:
            answers = list(
                pool.map(lambda _: flooder.join(generate, generate_inputs(flooder)), range(num_submits)),
            )
        flooded = server.usage()
        began_s = time.monotonic()
        served = light.call(generate, generate_inputs(light))
        patience_s = max(10, 3 * usual_s)  # of a machine that has much else to do, everything takes its time
        while not served.is_success and time.monotonic() - began_s < patience_s:  # told 429: comes back
            time.sleep(0.5)
            served = light.call(generate, generate_inputs(light))
        recovery_s = time.monotonic() - began_s

        grown = flooded.resident_bytes - before.resident_bytes
        statuses = Counter(answer.status_code for answer in answers)
        tell(
            f"{num_submits} submits: {dict(statuses)}; memory +{grown / 1e6:.0f} MB; "
            f"the next visitor was served after {recovery_s:.1f} s, before it after {usual_s:.1f} s"
        )
        assert served.is_success
        assert recovery_s < patience_s
        assert grown < 100_000_000
        assert set(statuses) <= {200, 429}
        for answer in answers:
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
                assert "Try again in about" in answer.text
