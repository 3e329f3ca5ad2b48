"""Drummers with a band composed to them: the performance stays, and the band is in time with it."""

import csv
from pathlib import Path

import mido
import numpy as np
import pytest

from stemgen_core.corpus.arrangement import PERFORMED, compose_piece
from stemgen_core.corpus.clock import METERS, BeatClock
from stemgen_core.corpus.genre_table import GENRES
from stemgen_core.corpus.performed_drums import STEPS_PER_BAR, DrumPerformance, Stroke, centred
from stemgen_core.corpus.piece import Piece
from stemgen_core.corpus.sources.groove_folder import GrooveFolder
from stemgen_core.errors import InvalidRequestError

KICK, SNARE, HAT = 36, 38, 42
COLUMNS = ["style", "bpm", "beat_type", "time_signature", "midi_filename", "split"]


def played(*, swing: float = 0.5, late: float = 0.0, num_bars: int = 10, seed: int = 0) -> tuple[Stroke, ...]:
    """Return a groove with human deviations: a kick on one and the "and" of two, a snare on two and four, hats."""
    rng = np.random.default_rng(seed)
    pattern = [(0, KICK), (6, KICK), (4, SNARE), (12, SNARE), *((step, HAT) for step in range(0, 16, 2))]
    strokes = []
    for bar in range(num_bars):
        for step, key in pattern:
            swung = step + 4 * (swing - 0.5) if step % 4 == 2 else step
            position = max(0.0, bar * STEPS_PER_BAR + swung + late + 0.04 * rng.standard_normal())
            strokes.append(Stroke(position, key, int(rng.integers(40, 120))))
    return tuple(sorted(strokes, key=lambda stroke: (stroke.step, stroke.key)))


def write_performance(path: Path, strokes: tuple[Stroke, ...], bpm: float) -> None:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    now = 0
    for stroke in strokes:
        tick = round(stroke.step * 120)
        track.append(
            mido.Message("note_on", channel=9, note=stroke.key, velocity=stroke.velocity, time=max(0, tick - now))
        )
        now = max(now, tick)
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


def write_collection(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "info.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def row(name: str, **changes: str) -> dict[str, str]:
    usual = {"style": "rock", "bpm": "100", "beat_type": "beat", "time_signature": "4-4", "split": "train"}
    return usual | {"midi_filename": name} | changes


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    for number, bpm in enumerate((100, 84, 132)):
        write_performance(tmp_path / "drummer1" / f"{number}.mid", played(seed=number), bpm)
    write_collection(
        tmp_path,
        [
            row("drummer1/0.mid"),
            row("drummer1/1.mid", style="jazz/swing", bpm="84"),
            row("drummer1/2.mid", split="test", bpm="132"),
        ],
    )
    return tmp_path


def drums_of(piece: Piece) -> list[tuple[float, int]]:
    stem = next(stem for stem in piece.stems if stem.style == PERFORMED)
    return [(note.start_s, note.pitch) for note in stem.notes]


@pytest.mark.parametrize("swing", [0.5, 0.58, 0.66])
@pytest.mark.parametrize("seed", range(5))
def test_strokes_sound_where_they_were_played_whatever_the_swing(swing: float, seed: int) -> None:
    performance = DrumPerformance(played(swing=swing, seed=seed), 10, 96.0, ("rock",))

    piece = compose_piece(seed, 20.0, performance=performance)

    assert piece.tempo_bpm is not None
    assert 0.94 * 96 <= piece.tempo_bpm <= 1.06 * 96
    step_s = 15 / piece.tempo_bpm
    # Whole bars of the performance follow each other: some shift of it explains every stroke that was played.
    bar_s = STEPS_PER_BAR * step_s
    times_s = np.array([stroke.step * step_s for stroke in performance.strokes])
    repeated = np.concatenate([times_s + number * 10 * bar_s for number in range(-3, 4)])
    keys = np.tile([stroke.key for stroke in performance.strokes], 7)
    downbeat_s = piece.downbeat_times_s[0]

    def farthest(bar: int) -> float:
        shifted = repeated + downbeat_s - bar * bar_s
        # What sounded just before the audio begins is moved to its beginning.
        inside = [(start_s, key) for start_s, key in drums_of(piece) if start_s > 0]
        return max(np.abs(shifted[keys == key] - start_s).min() for start_s, key in inside)

    assert min(farthest(bar) for bar in range(10)) < 0.002


@pytest.mark.parametrize("seed", range(8))
def test_the_band_is_in_one_of_the_performances_genres_and_in_four(seed: int) -> None:
    performance = DrumPerformance(played(), 10, 140.0, ("funk", "soul"))

    piece = compose_piece(seed, 12.0, performance=performance)

    assert piece.genre in ("funk", "soul")
    assert piece.beats_per_bar == 4
    assert piece.source == "groove"
    assert len(piece.stems) >= 3


def test_swing_is_heard_in_the_off_beats_and_small_ones_count_as_straight() -> None:
    found = [DrumPerformance(played(swing=swing), 10, 100.0, ("rock",)).swing for swing in (0.5, 0.52, 0.6, 0.66)]

    assert found[:2] == [0.5, 0.5]
    assert found[2:] == pytest.approx([0.6, 0.66], abs=0.01)


@pytest.mark.parametrize("late", [-0.3, -0.1, 0.2, 0.4])
def test_a_player_who_is_late_throughout_is_put_on_the_grid(late: float) -> None:
    strokes = centred([Stroke(stroke.step + late, stroke.key, stroke.velocity) for stroke in played()[4:]])

    assert abs(np.median([stroke.step - round(stroke.step) for stroke in strokes])) < 0.02
    assert centred([]) == []


@pytest.mark.parametrize("swing", [0.5, 0.55, 0.62, 0.67])
def test_what_is_unswung_sounds_where_it_was(swing: float) -> None:
    straight = BeatClock(METERS["4/4"], 100.0)
    swung = BeatClock(METERS["4/4"], 100.0, swing=swing)

    for step in np.random.default_rng(0).uniform(-8, 64, 200):
        assert swung.time_s(swung.unswung(float(step))) == pytest.approx(straight.time_s(float(step)), abs=1e-9)


def test_splits_are_the_collections_own(collection: Path) -> None:
    source = GrooveFolder(collection)

    for seed in range(10):
        assert source.draw(seed, "heldout", 6.0).piece.title == "drummer1/2.mid"
        assert source.draw(seed, "train", 6.0).piece.title in ("drummer1/0.mid", "drummer1/1.mid")


def test_a_seed_is_a_piece(collection: Path) -> None:
    first, again, other = (GrooveFolder(collection).draw(seed, "train", 8.0).piece for seed in (5, 5, 6))

    assert first == again
    assert first != other
    assert first.genre in GENRES


def test_the_keys_of_the_electronic_kit_become_general_midi(collection: Path) -> None:
    edge_of_hats = tuple(Stroke(stroke.step, 22 if stroke.key == HAT else stroke.key, 90) for stroke in played())
    write_performance(collection / "drummer1" / "0.mid", edge_of_hats, 100)
    write_collection(collection, [row("drummer1/0.mid"), row("drummer1/2.mid", split="test")])

    keys = {key for _, key in drums_of(GrooveFolder(collection).draw(0, "train", 8.0).piece)}

    assert keys == {KICK, SNARE, HAT}


@pytest.mark.parametrize(
    "change",
    [
        {"beat_type": "fill"},
        {"time_signature": "3-4"},
        {"style": "whistling"},
        {"bpm": "fast"},
        {"bpm": "0"},
        {"midi_filename": "drummer1/short.mid"},
        {"midi_filename": "drummer1/broken.mid"},
        {"midi_filename": "drummer1/nowhere.mid"},
        {"midi_filename": "../outside.mid"},
    ],
    ids=str,
)
def test_what_is_of_no_use_is_passed_over_and_counted(collection: Path, change: dict[str, str]) -> None:
    write_performance(collection / "drummer1" / "short.mid", played(num_bars=3), 100)
    write_performance(collection.parent / "outside.mid", played(seed=9), 100)
    (collection / "drummer1" / "broken.mid").write_bytes(b"MThd and nothing more")
    write_collection(collection, [row("drummer1/0.mid"), row("drummer1/1.mid") | change])

    facts = GrooveFolder(collection).describe()

    assert (facts["num_songs"], facts["num_unusable"]) == (1, 1)


def test_copies_are_dropped(collection: Path) -> None:
    write_performance(collection / "drummer1" / "copy.mid", played(seed=0), 100)
    write_collection(collection, [row("drummer1/0.mid"), row("drummer1/copy.mid"), row("drummer1/1.mid")])

    facts = GrooveFolder(collection).describe()

    assert (facts["num_songs"], facts["num_copies"]) == (2, 1)


def test_a_folder_without_the_table_or_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be read; it should be the Groove MIDI Dataset's"):
        GrooveFolder(tmp_path)

    (tmp_path / "info.csv").write_text("style,bpm\nrock,100\n")
    with pytest.raises(InvalidRequestError, match="lacks the columns beat_type, time_signature, midi_filename, split"):
        GrooveFolder(tmp_path)


def test_a_table_that_names_nothing_of_use_is_refused(collection: Path) -> None:
    write_collection(collection, [row("drummer1/0.mid", beat_type="fill")])

    with pytest.raises(InvalidRequestError, match="nothing to learn from"):
        GrooveFolder(collection)
