"""What visitors leave behind when they go."""

import gc
import tracemalloc
from pathlib import Path

import gradio as gr
import torch
from gradio.data_classes import FileData

from app.orders import StemOrder
from app.services import Studio
from app.ui.layout import build_page
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER, finished
from tests.generators import EchoGenerator

MAX_BYTES_PER_SESSION = 40_000  # its way back: what it did, to be undone. A second of sound would be 176,400


def _use(studio: Studio, number: int) -> None:
    """Start, generate, pick, branch, rename, remove, undo, and delete."""
    context = studio.start_from_example(OWNER, "loop")
    node = context
    for seed in (1, 2):
        order = StemOrder(instrument="bass", num_variations=1, preset="fast", first_seed=seed)
        turn = finished(studio, studio.request_stem(OWNER, context.id, order).id)
        node = studio.editing.pick(OWNER, turn.variations[0].id)
        studio.snapshot(OWNER, context.session_id)
    studio.editing.rename(OWNER, node.id, f"take {number}")
    studio.editing.remove_stem(OWNER, node.id, node.id)
    studio.editing.undo(OWNER, context.session_id)
    studio.store.delete_session(OWNER, context.session_id)


def _measure() -> int:
    """Return the bytes that Python and tensors hold."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]  # their memory is not Python's
    return tracemalloc.get_traced_memory()[0] + sum(tensor.nbytes for tensor in tensors)


def test_a_session_that_was_left_keeps_no_sound_in_memory(open_studio: OpenStudio) -> None:
    with open_studio(EchoGenerator(num_remembered=1)) as studio:
        tracemalloc.start()
        try:
            for number in range(3):
                _use(studio, number)
            before = _measure()
            for number in range(5):
                _use(studio, number)
            grown = _measure() - before
        finally:
            tracemalloc.stop()

    assert grown < 5 * MAX_BYTES_PER_SESSION


def test_an_upload_leaves_no_file_beside_its_own(studio: Studio, tmp_path: Path) -> None:
    page = build_page(studio, browser_secret="s")
    button = next(block for block in page.blocks.values() if isinstance(block, gr.UploadButton))
    (tmp_path / "uploads").mkdir()
    button.GRADIO_CACHE = str(tmp_path / "uploads")

    assert button.preprocess(FileData(path="loop.wav")) == "loop.wav"

    assert list((tmp_path / "uploads").iterdir()) == []
