"""What the views of all components share. Pure functions.

The feed's views are in `feed_view.py`, the dock's in `dock_views.py`, those of tree, sessions and exports in
`shelf_views.py`. `hue` is the index of an instrument category (None for a context); theme.py gives each its colour.
"""

from collections.abc import Mapping
from typing import Any

from app.labels import node_labels as labels_of
from app.services import Snapshot
from sessions.blobs import BlobState
from sessions.tree import AudioRef
from stemgen_core.instruments import find_instrument

Json = dict[str, Any]


def media_url(audio: AudioRef) -> str:
    """Return the address of a sound; the page must send its key along (see app.ui.routes)."""
    return f"/media/{audio.sha256}.flac"


def node_labels(snapshot: Snapshot) -> Mapping[str, str]:
    """Return what each node of a snapshot is called."""
    return labels_of(snapshot.nodes, snapshot.turns)


def loss_of(audio: AudioRef | None, lost_audio: Mapping[str, BlobState]) -> str:
    """Return the words for a sound whose file is missing or damaged; nothing for any other."""
    state = None if audio is None else lost_audio.get(audio.sha256)
    return "" if state is None else f" (file {state.value} on the server)"


def hue_of(name: str | None) -> int | None:
    """Return the colour of an instrument's category; None for a context."""
    return None if name is None else find_instrument(name).index
