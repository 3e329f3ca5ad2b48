"""What visitors bring: what is taken, what is refused, and in which words."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.app.browser.conftest import BROWSER_MARKS, LOOP_S, Serve, Server, Visit
from tests.app.browser.steps import generate, play
from tests.app.fakes import write_clip

pytestmark = BROWSER_MARKS


@pytest.fixture(scope="module")
def server(start_server: Serve) -> Iterator[Server]:
    with start_server(max_upload_mb=6, seconds_per_step=0.01) as running:
        yield running


def _bring(page: Page, path: Path) -> None:
    page.locator("#start input[type=file]").first.set_input_files(path)


def _write_ten_minutes(path: Path) -> Path:
    noise = 0.1 * np.random.default_rng(0).standard_normal(600 * 8000)
    soundfile.write(path, noise, 8000, subtype="PCM_U8")
    return path


def test_what_is_too_big_too_long_too_short_or_no_sound_is_refused_in_words_and_the_page_goes_on(
    server: Server, visit: Visit, tmp_path: Path
) -> None:
    page = visit(server.url)
    notice = page.locator("#notice [role=alert]")
    fake = tmp_path / "fake.wav"
    fake.write_text("this is no audio")
    big = write_clip(tmp_path / "big.wav", seconds=80)
    assert big.stat().st_size > 6 * 2**20

    _bring(page, fake)
    expect(notice).to_contain_text("fake.wav")
    _bring(page, write_clip(tmp_path / "short.wav", seconds=0.2))
    expect(notice).to_contain_text("lasts only 0.20 seconds")
    _bring(page, _write_ten_minutes(tmp_path / "long.wav"))
    expect(notice).to_contain_text("long.wav")
    expect(notice).to_contain_text("120 seconds")
    _bring(page, big)
    expect(page.get_by_text("exceed the maximum allowed size of 6").first).to_be_visible()
    sent: dict[str, Any] = {"files": {"name": "big.wav", "mimeType": "audio/wav", "buffer": big.read_bytes()}}
    # A page that does not count beforehand is told by the server.
    answer = page.request.post(server.url + "/gradio_api/upload", multipart=sent)
    assert answer.status == 413
    assert "larger than 6 MB" in answer.text()

    _bring(page, write_clip(tmp_path / "my groove.wav", sample_rate_hz=22_050))
    expect(page.locator("#adding-to")).to_contain_text("groove")
    expect(notice).to_have_count(0)
    play(page)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed: apt-get install ffmpeg.")
def test_an_mp3_is_taken_and_stems_made_on_it_have_its_length(server: Server, visit: Visit, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "loop.wav", seconds=LOOP_S)
    encode = ["ffmpeg", "-loglevel", "error", "-i", str(clip), "-b:a", "192k", str(tmp_path / "tape.mp3")]
    subprocess.run(encode, check=True, timeout=60)
    page = visit(server.url)
    _bring(page, tmp_path / "tape.mp3")
    expect(page.locator("#adding-to")).to_contain_text("tape")

    generate(page, "Bass", 4)

    sounds = _sounds(page)
    lengths = {_samples(server.studio.sounds.blobs.path(sha256)) for sha256 in sounds}
    assert len(lengths) == 1
    assert lengths.pop() == pytest.approx(LOOP_S * 44_100, abs=0.06 * 44_100)  # MP3 pads with silence


def _sounds(page: Page) -> list[str]:
    urls = page.evaluate(
        "[stemStage.dock.tracks[0].url, ...stemStage.feed.turns.flatMap((t) => t.variations.map((v) => v.url))]"
    )
    assert len(urls) == 5
    return [url.rsplit("/", 1)[1].removesuffix(".flac") for url in urls]


def _samples(path: Path) -> int:
    samples = soundfile.read(path)[0]
    assert np.abs(samples).max() > 0.01
    return len(samples)
