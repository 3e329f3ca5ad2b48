"""Sessions as files, with sounds that are looked at before they are kept, and the commands that carry them."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.commands.main import main
from app.orders import StemOrder
from app.services import Studio
from app.session_files import export_session, file_name, import_session
from sessions.errors import ArchiveError
from sessions.tree import Node, SessionInfo
from tests.app.conftest import OpenStudio
from tests.app.waiting import OWNER, finished

FRIEND = "f" * 32


@pytest.fixture
def exported(studio: Studio, context: Node, tmp_path: Path) -> Path:
    """Return the file of a session with a context and a stem."""
    turn = studio.request_stem(OWNER, context.id, StemOrder("bass", 1, "fast", 7))
    studio.pick(OWNER, finished(studio, turn.id).variations[0].id)
    export_session(studio.store, OWNER, context.session_id, tmp_path / "x.zip")
    return tmp_path / "x.zip"


def test_friend_who_imports_a_session_hears_it_and_goes_on_with_it(studio: Studio, exported: Path) -> None:
    info = import_session(studio.store, FRIEND, exported)

    (node,) = studio.snapshot(FRIEND, info.id).lineage[-1:]
    assert node.audio is not None
    assert studio.audio_path(FRIEND, node.audio.sha256).is_file()
    turn = studio.request_stem(FRIEND, node.id, StemOrder("piano", 1, "fast", 8))
    assert finished(studio, turn.id, FRIEND).state == "done"


def _change(exported: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object]) -> Path:
    """Change the record and the sounds by name of a session file."""
    with zipfile.ZipFile(exported) as source:
        entries = {name: source.read(name) for name in source.namelist()}
    record = json.loads(entries.pop("session.json"))
    change(record, entries)
    with zipfile.ZipFile(exported, "w") as target:
        target.writestr("session.json", json.dumps(record))
        for name, content in entries.items():
            target.writestr(name, content)
    return exported


def _replace_sounds(content: bytes) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    def change(record: dict[str, Any], sounds: dict[str, bytes]) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        sounds.clear()
        sounds[f"audio/{sha256}.flac"] = content
        for row in (*record["nodes"], *record["variations"]):
            row["audio_sha256"] = sha256

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace_sounds(b"<html><script>"), "it is no audio file"),
        (_replace_sounds(b""), "the file is empty"),
        (lambda r, _: r["nodes"][0].update(num_audio_samples=99), "not as long as it says"),
        (lambda r, _: r["nodes"][0].update(sample_rate_hz=8_000), "not as long as it says"),
        (lambda r, _: r["nodes"][1].update(instrument="kazoo"), "There is no instrument called 'kazoo'"),
        (lambda r, _: r["turns"][0].update(settings={"num_steps": {"a": {"b": {"c": {"d": {}}}}}}), "settings"),
        (lambda r, _: r["variations"][0].update(fit={"offset_ms": "<b>"}), "offset_ms of a sound is no number"),
        (
            lambda r, _: r["variations"][0].update(fit={"listening_score": "9"}),
            "listening_score of a sound is no number",
        ),
        (lambda r, _: r["variations"][0].update(fit={"judge": ["me"]}), "who judged a sound is no name"),
        (lambda r, _: r["variations"][0].update(fit={"words": "x" * 501}), "measures can't be read"),
    ],
)
def test_file_with_what_could_not_be_played_or_shown_is_refused(
    studio: Studio, exported: Path, change: Callable[[dict[str, Any], dict[str, bytes]], object], message: str
) -> None:
    _change(exported, change)

    with pytest.raises(ArchiveError, match=message):
        import_session(studio.store, FRIEND, exported)

    assert studio.store.sessions(FRIEND) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sunday funk", "Sunday-funk.stemgen.zip"),
        ("", "session.stemgen.zip"),
        ("../../etc/passwd\0", "etc-passwd.stemgen.zip"),
        ("<script>", "script.stemgen.zip"),
        ("日本", "session.stemgen.zip"),
        ("x" * 120, "x" * 60 + ".stemgen.zip"),
    ],
)
def test_file_is_called_what_is_a_name_everywhere(name: str, expected: str) -> None:
    assert file_name(SessionInfo("0" * 32, name, None, 0, 0, None)) == expected


# ---- from the command line -----------------------------------------------------------------------------------------


def test_operator_lists_and_exports_while_the_server_runs(
    studio: Studio, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (info,) = studio.sessions(OWNER)

    assert main(["sessions", "--data", str(tmp_path / "data"), "list"]) == 0
    listing = capsys.readouterr().out
    assert main(["sessions", "--data", str(tmp_path / "data"), "export", info.id[:12], str(tmp_path / "y.zip")]) == 0

    assert info.id[:12] in listing
    assert OWNER not in listing
    assert (tmp_path / "y.zip").read_bytes() == exported.read_bytes()
    assert studio.store.rename_session(OWNER, info.id, "goes on").name == "goes on"


def test_operator_brings_a_session_to_another_machine(
    open_studio: OpenStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_studio() as studio:
        session_id = studio.start_from_example(OWNER, "loop").session_id
        export_session(studio.store, OWNER, session_id, tmp_path / "x.zip")

    assert main(["sessions", "--data", str(tmp_path / "data"), "import", str(tmp_path / "x.zip")]) == 0

    assert capsys.readouterr().out.endswith("Loop\n")
    with open_studio() as studio:
        assert [info.name for info in studio.sessions(OWNER)] == ["Loop", "Loop"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "00", "x.zip"], "give at least 4 digits"),
        (["export", "0000000000", "x.zip"], "no session whose id begins with"),
        (["import", "nowhere.zip"], "in use by another StemGen server"),
    ],
)
def test_what_the_commands_cannot_do_they_say_in_one_line(
    studio: Studio, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["sessions", "--data", str(tmp_path / "data"), *arguments]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stemgen: ")
    assert message in line


def test_folder_without_sessions_is_named_and_nothing_is_made_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sessions", "--data", str(tmp_path / "empty"), "list"]) == 1

    assert "There are no sessions at" in capsys.readouterr().err
    assert not (tmp_path / "empty").exists()


def test_session_for_nobody_in_particular_is_not_given_to_anybody(
    open_studio: OpenStudio, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_studio() as studio:
        theirs = studio.start_from_example(FRIEND, "loop").session_id
        mine = studio.start_from_example(OWNER, "loop").session_id
        export_session(studio.store, OWNER, mine, tmp_path / "x.zip")
    command = ["sessions", "--data", str(tmp_path / "data"), "import", str(tmp_path / "x.zip")]

    assert main(command) == 1
    assert "several people have sessions here, name a session of the one who gets it" in capsys.readouterr().err
    assert main([*command, "--beside", theirs]) == 0

    with open_studio() as studio:
        assert len(studio.sessions(FRIEND)) == 2
        assert len(studio.sessions(OWNER)) == 1


def test_export_of_a_copied_data_folder_is_the_same_file(studio: Studio, exported: Path, tmp_path: Path) -> None:
    (info,) = studio.sessions(OWNER)
    shutil.copytree(tmp_path / "data", tmp_path / "copy")

    assert main(["sessions", "--data", str(tmp_path / "copy"), "export", info.id, str(tmp_path / "y.zip")]) == 0

    assert (tmp_path / "y.zip").read_bytes() == exported.read_bytes()
