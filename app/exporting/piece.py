"""What sounds at a node, gathered from the store: the input of every export."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.exporting.names import file_name
from app.labels import node_labels
from app.sounds import SoundShelf, audible_sounds
from sessions.store import SessionStore
from sessions.tree import Mixer, Node, NodeKind, mix_nodes
from stemgen_core.analysis.context import analyse_context
from stemgen_core.score import Note
from stemgen_core.types import Waveform

DEFAULT_TEMPO_BPM = 120.0  # what DAWs assume where nothing is said
MIN_TEMPO_CONFIDENCE = 0.2  # below it a tempo is a guess that would mislead a DAW's grid


@dataclass(frozen=True, slots=True)
class Part:
    """One sound of a piece: its context or a stem.

    Attributes:
        node: where it comes from.
        label: what people call it.
        file_stem: its files' name without suffix; unlike every other part's.
        waveform: as it is, before its fader.
        mixer: its strip.
        notes: what the model wrote; None for audio that was brought or a model without notes.
        made_on: labels of what sounded when it was made; empty for a context.
    """

    node: Node
    label: str
    file_stem: str
    waveform: Waveform
    mixer: Mixer
    notes: tuple[Note, ...] | None
    made_on: tuple[str, ...]

    @property
    def is_generated(self) -> bool:
        """Whether a model made it."""
        return self.node.kind is NodeKind.STEM


@dataclass(frozen=True, slots=True)
class Piece:
    """Everything that sounds at one node.

    Attributes:
        title: of session and node.
        file_stem: the title as a file name without suffix.
        parts: the context first; of one rate.
        tempo_bpm: None where none could be heard.
        beats_per_bar: 4 unless the user said otherwise.
        key: such as "A minor"; None where none could be heard.
    """

    title: str
    file_stem: str
    parts: tuple[Part, ...]
    tempo_bpm: float | None
    beats_per_bar: int
    key: str | None

    @property
    def sample_rate_hz(self) -> int:
        """Audio samples per second, of every part."""
        return self.parts[0].waveform.sample_rate_hz

    @property
    def num_audio_samples(self) -> int:
        """Length of the longest part; every export has it."""
        return max(part.waveform.num_audio_samples for part in self.parts)

    @property
    def duration_s(self) -> float:
        """Length of every export, seconds."""
        return self.num_audio_samples / self.sample_rate_hz

    @property
    def grid_bpm(self) -> float:
        """Tempo of the grid in projects and MIDI files: the piece's, else the usual one."""
        return self.tempo_bpm or DEFAULT_TEMPO_BPM

    @property
    def models(self) -> tuple[str, ...]:
        """The models that made stems of it, each once."""
        return tuple(dict.fromkeys(part.node.model_id for part in self.parts if part.node.model_id))


def gather_piece(store: SessionStore, sounds: SoundShelf, token: str, node_id: str) -> Piece:
    """Read what sounds at a node.

    Args:
        store: where it is kept.
        sounds: where its audio is kept.
        token: of its owner, or of a share of its session.
        node_id: whose mix it is.

    Raises:
        NodeNotFoundError: if the token opens no such node.
        AudioNotFoundError: if a file is gone from the disk.
        InvalidRequestError: if it holds more than can be in memory at once.
    """
    lineage = store.lineage(token, node_id)
    audible_sounds(lineage)  # before any of it is read
    session = store.session(token, lineage[0].session_id)
    labels = node_labels(store.tree(token, session.id, include_deleted=True), store.turns(token, session.id))
    audible = mix_nodes(lineage)
    parts: list[Part] = []
    for number, node in enumerate(audible, start=1):
        if node.audio is None:
            continue
        notes = store.notes(token, node.id) if node.num_notes else None
        parts.append(
            Part(
                node=node,
                label=labels[node.id],
                file_stem=f"{number:02d} {file_name(labels[node.id], 'Stem')}",
                waveform=sounds.files.read(sounds.blobs.path(node.audio.sha256)),
                mixer=node.mixer,
                notes=None if notes is None else tuple(Note(*note) for note in notes),
                made_on=_labels_below(lineage, node, labels),
            )
        )
    title = " - ".join(dict.fromkeys(text for text in (session.name, labels[lineage[-1].id]) if text))
    tempo_bpm, beats_per_bar, key = _music_of(parts[0])
    return Piece(title, file_name(title, "StemGen"), tuple(parts), tempo_bpm, beats_per_bar, key)


def _labels_below(lineage: Sequence[Node], node: Node, labels: Mapping[str, str]) -> tuple[str, ...]:
    at = [step.id for step in lineage].index(node.id)
    return tuple(labels[below.id] for below in mix_nodes(lineage[:at]))


def _music_of(context: Part) -> tuple[float | None, int, str | None]:
    """Return tempo, beats per bar and key as the user put them right, else as they are heard now."""
    known = context.node.analysis
    if known is None:
        known = analyse_context(context.waveform).to_json()
        if known["tempo_confidence"] < MIN_TEMPO_CONFIDENCE:
            known["tempo_bpm"] = None
    tempo_bpm = known.get("tempo_bpm")
    return (
        float(tempo_bpm) if tempo_bpm else None,
        int(known.get("beats_per_bar") or 4),
        known.get("key"),
    )
