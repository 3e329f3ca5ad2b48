"""A session as one file: there and back unchanged, and nothing of a file that means harm."""

import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions import record as record_module
from sessions.archive import ArchiveLimits, open_archive, write_archive
from sessions.errors import ArchiveError, AudioNotFoundError, SessionNotFoundError
from sessions.store import SessionStore, open_store
from sessions.tree import AudioRef, Mixer, SessionInfo, WorkState
from tests.sessions.scene import OWNER, Scene, on_sqlite_only

Record = dict[str, Any]


def _rich_session(scene: Scene) -> str:
    """Make a session in which every column has something to say."""
    store = scene.store
    context = scene.context()
    bass = scene.stem(context, "bass")
    drums = scene.stem(bass, "drums")
    store.star_node(OWNER, bass.id, True)
    store.rename_node(OWNER, drums.id, "Trömmeln 🥁 <b>")
    store.set_mixer(OWNER, bass.id, Mixer(-3.5, 0.25, True, False, 12.0))
    without = store.remove_stem(OWNER, drums.id, bass.id)
    store.delete_node(OWNER, scene.stem(without, "piano").id)
    turn = scene.turn(bass, (1, 2, 3))
    store.start_turn(OWNER, turn.id)
    scene.finish(turn.variations[0], b"one")
    store.fail_variation(OWNER, turn.variations[1].id, "Nothing came of it.")
    store.set_current_node(OWNER, context.session_id, bass.id)
    return context.session_id


def _export(store: SessionStore, session_id: str, path: Path) -> Path:
    assert write_archive(store.session_record(OWNER, session_id), store.blobs, path) == ()
    return path


def _import(store: SessionStore, path: Path, owner: str = OWNER, **limits: int) -> SessionInfo:
    accept: Callable[..., object] = lambda *_: None  # noqa: E731
    with open_archive(path, limits=ArchiveLimits(**limits), check_audio=accept, check_record=accept) as archive:
        return store.add_session(owner, archive.record, archive.sounds)


def test_session_travels_to_another_machine_and_back_unchanged(
    store: SessionStore, scene: Scene, tmp_path: Path
) -> None:
    out = _export(store, _rich_session(scene), tmp_path / "out.zip")
    with open_store(tmp_path / "other") as other:
        there = _import(other, out)
        back = _export(other, there.id, tmp_path / "back.zip")
        assert other.session(OWNER, there.id).name == "Sunday funk"

    again = _import(store, back)

    assert back.read_bytes() == out.read_bytes()
    assert _export(store, again.id, tmp_path / "third.zip").read_bytes() == out.read_bytes()


def test_everything_that_can_be_read_of_a_session_arrives(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    session_id = _rich_session(scene)
    copy_id = _import(store, _export(store, session_id, tmp_path / "x.zip")).id

    def readable(one: str) -> list[object]:
        nodes = store.tree(OWNER, one, include_deleted=True)
        turns = store.turns(OWNER, one)
        places = {node.id: at for at, node in enumerate(nodes)}
        return [
            [
                (n.kind, n.name, n.is_starred, n.audio, n.instrument, n.seed, n.settings, n.model_id, n.fit)
                for n in nodes
            ],
            [(n.analysis, n.mixer, n.created_ms, n.deleted_ms, n.num_notes) for n in nodes],
            [(places.get(n.parent_id or ""), places.get(n.removed_node_id or "")) for n in nodes],
            [store.notes(OWNER, n.id) for n in nodes],
            [(places[t.node_id], t.instrument, t.preset, t.settings, t.model_id, t.first_seed) for t in turns],
            [(v.seed, v.is_starred, v.audio, v.fit, v.error, v.mixer) for t in turns for v in t.variations],
            [places.get(v.picked_node_id or "") for t in turns for v in t.variations],
            [store.variation_notes(OWNER, v.id) for t in turns for v in t.variations],
            places.get(store.session(OWNER, one).current_node_id or ""),
        ]

    assert readable(copy_id) == readable(session_id)


def test_work_that_is_not_finished_arrives_as_cancelled(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    session_id = _rich_session(scene)

    copy = _import(store, _export(store, session_id, tmp_path / "x.zip"))

    turn = store.turns(OWNER, copy.id)[-1]
    assert turn.state is WorkState.CANCELLED
    assert [v.state for v in turn.variations] == [WorkState.DONE, WorkState.FAILED, WorkState.CANCELLED]
    assert store.turns(OWNER, session_id)[-1].state is WorkState.RUNNING  # the original is left alone


def test_file_holds_no_id_and_no_owner(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    session_id = _rich_session(scene)
    path = _export(store, session_id, tmp_path / "x.zip")
    text = zipfile.ZipFile(path).read("session.json").decode()

    ids = {session_id, OWNER, store.server_id}
    ids |= {node.id for node in store.tree(OWNER, session_id, include_deleted=True)}
    ids |= {turn.id for turn in store.turns(OWNER, session_id)}

    assert not {one for one in ids if one in text}


def test_nobody_exports_a_session_of_somebody_else(store: SessionStore, scene: Scene) -> None:
    session_id = _rich_session(scene)

    with pytest.raises(SessionNotFoundError, match="There is no such session"):
        store.session_record("somebody else", session_id)


def test_missing_and_damaged_sounds_stay_behind_and_are_named(
    store: SessionStore, scene: Scene, tmp_path: Path
) -> None:
    session_id = _rich_session(scene)
    nodes = store.tree(OWNER, session_id)
    sha256 = nodes[1].audio.sha256 if nodes[1].audio else ""
    store.blobs.path(sha256).unlink()
    path = tmp_path / "x.zip"

    assert write_archive(store.session_record(OWNER, session_id), store.blobs, path) == (sha256,)
    copy = _import(store, path)

    arrived = store.tree(OWNER, copy.id)[1].audio
    assert arrived is not None
    assert arrived.sha256 != sha256
    with pytest.raises(AudioNotFoundError):
        store.blobs.path(arrived.sha256)


def test_row_cannot_come_to_name_a_sound_of_somebody_else_by_its_hash(
    store: SessionStore, scene: Scene, tmp_path: Path
) -> None:
    secret = scene.audio(b"somebody's secret")
    session = store.create_session("somebody else")
    store.add_context("somebody else", session.id, secret)
    path = _forge(scene, tmp_path, lambda record: record["nodes"][0].update(audio_sha256=secret.sha256), drop="first")

    _import(store, path)

    with pytest.raises(AudioNotFoundError):
        store.find_audio(OWNER, secret.sha256)


# ---- files that mean harm ------------------------------------------------------------------------------------------


def _forge(scene: Scene, tmp_path: Path, change: Callable[[Record], object], *, drop: str | None = None) -> Path:
    """Export a session and change its record; `drop` leaves the sound of its first node out."""
    whole = _export(scene.store, _rich_session(scene), tmp_path / "whole.zip")
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(forged, "w") as target:
        record = json.loads(source.read("session.json"))
        left_out = f"audio/{record['nodes'][0]['audio_sha256']}.flac" if drop else ""
        change(record)
        for name in source.namelist():
            if name == "session.json":
                target.writestr(name, json.dumps(record))
            elif name != left_out:
                target.writestr(name, source.read(name))
    return forged


FORGERIES: dict[str, tuple[Callable[[Record], object], str]] = {
    "another format": (lambda r: r.update(format="stemgen session 99"), "of a newer version"),
    "no nodes": (lambda r: r.pop("nodes"), "no list of nodes"),
    "nodes of another type": (lambda r: r.update(nodes={"0": {}}), "no list of nodes"),
    "rows that are no objects": (lambda r: r["nodes"].append(3), "no list of nodes"),
    "an unknown column": (lambda r: r["nodes"][0].update(mood="calm"), "newer StemGen"),
    "a column of another table": (lambda r: r["nodes"][0].update(owner_sha256="0" * 64), "newer StemGen"),
    "an id": (lambda r: r["nodes"][0].update(id="0" * 32), "newer StemGen"),
    "a ring of parents": (lambda r: r["nodes"][1].update(parent_id=1), "leads nowhere"),
    "a child before its parent": (lambda r: r["nodes"][1].update(parent_id=3), "leads nowhere"),
    "a negative place": (lambda r: r["turns"][0].update(node_id=-1), "leads nowhere"),
    "a place beyond the end": (lambda r: r["variations"][0].update(turn_id=99), "leads nowhere"),
    "a place that is true": (lambda r: r["variations"][0].update(turn_id=True), "leads nowhere"),
    "a turn of nothing": (lambda r: r["turns"][0].update(node_id=None), "contradicts itself"),
    "two nodes of one variation": (
        lambda r: r["nodes"][2].update(variation_id=r["nodes"][1]["variation_id"]),
        "contra",
    ),
    "two variations in one place": (lambda r: r["variations"].append(r["variations"][0]), "contradicts itself"),
    "a context with a parent": (lambda r: r["nodes"][1].update(kind="context"), "contradicts itself"),
    "an unknown kind": (lambda r: r["nodes"][1].update(kind="bomb"), "contradicts itself"),
    "a turn at work": (lambda r: r["turns"][0].update(state="running"), "turns.0..state"),
    "done without a sound": (lambda r: r["variations"][0].update(audio_sha256=None), "contradicts itself"),
    "a path for a hash": (lambda r: r["nodes"][0].update(audio_sha256="../../../etc/passwd"), "audio_sha256"),
    "a hash that is a number": (lambda r: r["nodes"][0].update(audio_sha256=3), "sound has no shape"),
    "a name that is too long": (lambda r: r["nodes"][0].update(name="x" * 121), "nodes.0..name"),
    "a name with NUL": (lambda r: r["nodes"][0].update(name="a\0b"), "nodes.0..name"),
    "half a character": (lambda r: r["nodes"][0].update(name="\ud800"), "nodes.0..name"),
    "a name that is a list": (lambda r: r["nodes"][0].update(name=["x"]), "nodes.0..name"),
    "a number for yes": (lambda r: r["nodes"][0].update(is_starred=1), "is_starred"),
    "a seed beyond all seeds": (lambda r: r["nodes"][1].update(seed=2**31), "nodes.1..seed"),
    "a time beyond all time": (lambda r: r["nodes"][0].update(created_ms=2**63), "created_ms"),
    "no time": (lambda r: r["nodes"][0].update(created_ms=None), "created_ms is missing"),
    "an infinite number": (lambda r: r["nodes"][0].update(analysis={"tempo_bpm": float("inf")}), "analysis"),
    "a mixer that is none": (lambda r: r["nodes"][0].update(mixer={"volume": 1.0}), "mixer"),
    "a mixer of texts": (lambda r: r["nodes"][0].update(mixer={"gain_db": "loud"}), "mixer"),
    "a note that is none": (lambda r: r["nodes"][1].update(notes=[[0.0, 40]]), "notes"),
    "a note beyond the keyboard": (lambda r: r["nodes"][1].update(notes=[[0.0, 400, 1.0, 90]]), "notes"),
    "seventeen variations": (lambda r: r["variations"][0].update(position=16), "position"),
    "channels": (lambda r: r["nodes"][0].update(num_channels=1024), "num_channels"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_record_is_refused_and_nothing_of_it_is_kept(
    store: SessionStore, scene: Scene, tmp_path: Path, name: str
) -> None:
    change, message = FORGERIES[name]
    path = _forge(scene, tmp_path, change)
    before = store.sessions(OWNER, include_deleted=True)

    with pytest.raises(ArchiveError, match=message):
        _import(store, path)

    assert store.sessions(OWNER, include_deleted=True) == before


def _zip(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


EMPTY = b'{"format": "stemgen session 1", "session": {}, "nodes": [], "turns": [], "variations": []}'
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no session of StemGen"),
    "a text": (b"hello" * 100, "no session of StemGen"),
    "an empty zip": (_zip({}), "there is no session.json"),
    "another zip": (_zip({"word/document.xml": b"<x/>"}), "there is no session.json"),
    "a path upwards": (_zip({"session.json": EMPTY, "../../evil.flac": b"x"}), "holds '../../evil.flac'"),
    "a path upwards among sounds": (_zip({"session.json": EMPTY, "audio/../x.flac": b"x"}), "holds 'audio/../x.flac'"),
    "an absolute path": (_zip({"session.json": EMPTY, "/etc/passwd": b"x"}), "holds '/etc/passwd'"),
    "a folder": (_zip({"session.json": EMPTY, "audio/": b""}), "holds 'audio/'"),
    "another file": (_zip({"session.json": EMPTY, "run.py": b"x"}), "holds 'run.py'"),
    "a sound of another hash": (_zip({"session.json": EMPTY, f"audio/{'0' * 64}.flac": b"x"}), "not what it was"),
    "a record that bursts": (_zip({"session.json": b" " * 3_000_000}), "unpacks to more than 1 MB"),
    "a sound that bursts": (_zip({"session.json": EMPTY, f"audio/{'0' * 64}.flac": bytes(3_000_000)}), "more than 1"),
    "another way of packing": (_zip({"session.json": EMPTY}, zipfile.ZIP_LZMA), "packed in a way"),
    "many entries": (_zip({f"{n}": b"" for n in range(99)} | {"session.json": EMPTY}), "has 100 entries"),
    "no JSON": (_zip({"session.json": b"{"}), "can't be read"),
    "no object": (_zip({"session.json": b"[]"}), "is no object"),
    "brackets without end": (_zip({"session.json": b"[" * 200_000}), "can't be read"),
    "a number without end": (_zip({"session.json": b"[" + b"9" * 9_000 + b"]"}), "can't be read"),
    "bytes that are no text": (_zip({"session.json": b"\xff\xfe\xfa"}), "can't be read"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@on_sqlite_only
def test_file_that_is_no_session_is_refused_in_a_sentence(store: SessionStore, tmp_path: Path, name: str) -> None:
    content, message = BAD_FILES[name]
    (tmp_path / "x.zip").write_bytes(content)

    with pytest.raises(ArchiveError, match=message):
        _import(store, tmp_path / "x.zip", max_record_bytes=1_000_000, max_audio_bytes=1_000_000, max_entries=50)

    assert store.sessions(OWNER) == ()
    assert not [path for path in (tmp_path / "data").rglob("*.flac")]
    assert not [path for path in tmp_path.parent.rglob("evil*")]


@on_sqlite_only
def test_file_that_is_too_large_is_refused_before_it_is_opened(store: SessionStore, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(bytes(2_000))

    with pytest.raises(ArchiveError, match="larger than"):
        _import(store, tmp_path / "x.zip", max_file_bytes=1_000)


@on_sqlite_only
def test_sounds_together_may_not_burst_either(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    path = _export(store, _rich_session(scene), tmp_path / "x.zip")

    with pytest.raises(ArchiveError, match="unpacks to more than"):
        _import(store, path, max_total_bytes=20)


@on_sqlite_only
def test_sound_that_nothing_uses_is_refused(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    path = _forge(scene, tmp_path, lambda record: record["variations"][-3].update(audio_sha256="1" * 64))

    with pytest.raises(ArchiveError, match="nothing in it uses the sound"):
        _import(store, path)


def test_sound_or_record_that_the_caller_refuses_is_not_kept(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    path = _export(store, _rich_session(scene), tmp_path / "x.zip")
    seen: list[AudioRef] = []

    def refuse(_: Record) -> None:
        raise ArchiveError("not this one")

    with (
        pytest.raises(ArchiveError, match="not this one"),
        open_archive(
            path, limits=ArchiveLimits(), check_audio=lambda _, audio: seen.append(audio), check_record=refuse
        ),
    ):
        pass

    assert len(seen) == 4  # each sound once: context and drums have the same, bass, piano, one
    assert len(store.sessions(OWNER)) == 1


@pytest.mark.parametrize("seed", range(60))
@on_sqlite_only
def test_damage_anywhere_in_the_file_is_an_error_of_ours_or_harmless(
    store: SessionStore, scene: Scene, tmp_path: Path, seed: int
) -> None:
    content = bytearray(_export(store, _rich_session(scene), tmp_path / "x.zip").read_bytes())
    rng = random.Random(seed)
    if seed % 3 == 0:
        del content[rng.randrange(len(content)) :]
    else:
        for _ in range(1 + seed % 7):
            content[rng.randrange(len(content))] = rng.randrange(256)
    (tmp_path / "x.zip").write_bytes(content)

    try:
        copy = _import(store, tmp_path / "x.zip")
    except ArchiveError:
        assert len(store.sessions(OWNER)) == 1
    else:
        for node in store.tree(OWNER, copy.id):
            assert node.audio is None or store.blobs.path(node.audio.sha256).is_file()


@on_sqlite_only
def test_export_that_fails_leaves_no_file(
    store: SessionStore, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store.session_record(OWNER, _rich_session(scene))
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(store.blobs, "path", lambda _: (_ for _ in ()).throw(OSError("disk is gone")))

    with pytest.raises(OSError, match="disk is gone"):
        write_archive(record, store.blobs, out / "x.zip")

    assert list(out.iterdir()) == []


def test_every_reference_between_rows_is_known_to_the_record() -> None:
    for model in record_module._REFERENCES:
        references = {name for name in model.__mapper__.columns.keys() if name.endswith("_id")}  # noqa: SIM118
        known = set(record_module._REFERENCES[model]) | record_module._LEFT_BEHIND[model] | {"model_id"}
        assert references <= known, f"{model.__name__}: say in sessions.record where {references - known} lead"


@on_sqlite_only
def test_shutil_is_not_needed_to_move_it(store: SessionStore, scene: Scene, tmp_path: Path) -> None:
    path = _export(store, _rich_session(scene), tmp_path / "a b ü.zip")
    moved = shutil.copy(path, tmp_path / "elsewhere.bin")

    assert _import(store, Path(moved)).name == "Sunday funk"
