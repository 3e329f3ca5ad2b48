"""A piece to export: a context, a bass with notes and a piano, their strips all different."""

from dataclasses import replace

import pytest

from app.exporting.desk import ExportDesk
from app.orders import StemOrder
from app.services import Studio
from sessions.tree import Mixer, Node
from stemgen_core.generator import GenerationRequest, GenerationResult
from stemgen_core.score import Note
from stemgen_core.types import Waveform
from tests.app.conftest import OpenStudio
from tests.app.fakes import NoiseBurstGenerator
from tests.app.waiting import OWNER, finished
from tests.generators import Caller

NOTES = (Note(0.0, 40, 0.5, 100), Note(0.5, 43, 0.25, 90))
STRIPS = (Mixer(gain_db=-3.0), Mixer(gain_db=-7.5, pan=-0.4, nudge_ms=2.0), Mixer(gain_db=1.0, pan=1.0))


class NotingGenerator(NoiseBurstGenerator):
    """Plays noise bursts; of bass and drums it has notes, too."""

    def play(self, context: Waveform, request: GenerationRequest, caller: Caller) -> GenerationResult:
        result = super().play(context, request, caller)
        return replace(result, notes=NOTES if request.instrument in ("bass", "drums") else None)


def add_stem(studio: Studio, node: Node, instrument: str = "bass", seed: int = 7) -> Node:
    """Generate and pick one stem on top of a node."""
    turn = studio.request_stem(OWNER, node.id, StemOrder(instrument, 1, "fast", seed))
    return studio.pick(OWNER, finished(studio, turn.id).variations[0].id)


@pytest.fixture
def studio(open_studio: OpenStudio):  # noqa: ANN201
    with open_studio(NotingGenerator(seconds_per_step=0, num_steps=1)) as opened:
        yield opened


@pytest.fixture
def desk(studio: Studio) -> ExportDesk:
    return ExportDesk(studio.store, studio.sounds)


@pytest.fixture
def piano(studio: Studio, context: Node) -> Node:
    """The node at the end of context, bass, piano."""
    bass = add_stem(studio, context)
    piano = add_stem(studio, bass, "piano", 8)
    for node, strip in zip((context, bass, piano), STRIPS, strict=True):
        studio.store.set_mixer(OWNER, node.id, strip)
    return piano
