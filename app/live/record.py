"""Makes the recorded examples of live with the bundled model: `python -m app.live.record docs/examples`.

A minute of lofi and a minute of techno, each from a groove of the machine's own, with their spectrograms. Nothing is
chosen by ear; the same bundle on the same machine plays the same again.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import soundfile

from app.live.rehearsal import Rehearsal
from app.live.room import LiveRoom, Start
from app.main import build_studio
from app.settings import Settings
from sessions.store import open_store
from stemgen_core.audio import resample
from stemgen_core.drawing import spectrogram_png

OWNER = "0" * 32
LASTS_S = 60.0
HEADROOM = 0.8  # Opus may overshoot
_COMPRESSION = 0.9  # of Opus: small files


@dataclass(frozen=True, slots=True)
class Piece:
    """One example."""

    genre: str
    tempo_bpm: int
    num_bars: int
    instruments: tuple[str, ...]
    seed: int


PIECES = (
    Piece("lofi", 80, 4, ("bass", "piano", "guitar"), 3),
    Piece("techno", 130, 4, ("bass", "synth_pad", "synth_lead"), 4),
)


def record(room: LiveRoom, piece: Piece, folder: Path) -> Path:
    """Play an example and write it as Opus, with a picture of it; return the file."""
    start = Start("groove", piece.instruments, piece.tempo_bpm, piece.num_bars, genre=piece.genre, seed=piece.seed)
    live = room.open(OWNER, start)
    live.set_recording(is_recording=True)
    num_loops = round(LASTS_S / live.clock.duration_s)
    Rehearsal(live).play_patiently(num_loops)
    take = room.render_take(OWNER, live.id)
    room.leave(OWNER, live.id)
    path = folder / f"live-{piece.genre}.ogg"
    rate_hz = 48_000  # Opus knows no 44100
    sound = resample(take, rate_hz)
    quieter = sound.samples.T.numpy() * HEADROOM
    soundfile.write(path, quieter, rate_hz, format="OGG", subtype="OPUS", compression_level=_COMPRESSION)
    path.with_suffix(".png").write_bytes(spectrogram_png(take.samples.numpy(), take.sample_rate_hz))
    return path


def main() -> int:
    """Write every example."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/examples")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        settings = Settings(data_path=Path(data), bundle_paths=Settings.from_environment().bundle_paths)
        with open_store(settings.data_path) as store:
            studio = build_studio(settings, store)
            studio.models.wait(120)
            room = LiveRoom(studio)
            try:
                for piece in PIECES:
                    sys.stderr.write(f"{record(room, piece, folder)}\n")
            finally:
                room.close()
                studio.worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
