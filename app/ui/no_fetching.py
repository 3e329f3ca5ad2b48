"""No address is ever opened for a visitor.

Where a file is expected, a page may also send an address, and Gradio fetches it: it looks the name up, and where that
is a public one it downloads what lies there, however large. This studio has no use for that.
"""

import gradio as gr
from gradio import processing_utils

FETCHER = "async_ssrf_protected_get"  # every download for a visitor goes through it


async def _refuse(url: str) -> None:
    raise gr.Error("Addresses are not opened here. Download the file, then upload it.", print_exception=False)


def forbid_fetching() -> None:
    """Make Gradio refuse addresses, for good.

    Raises:
        AttributeError: if this version of Gradio fetches in another way; then look for it anew.
    """
    getattr(processing_utils, FETCHER)
    setattr(processing_utils, FETCHER, _refuse)
