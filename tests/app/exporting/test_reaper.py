"""The project opens as what the studio shows: read back by a small reader of the format."""

import io
import re
import zipfile
from collections.abc import Iterator

import pytest

from app.exporting.desk import ExportDesk
from app.exporting.reaper import quoted
from app.services import Studio
from sessions.tree import Mixer, Node
from tests.app.waiting import OWNER

Block = tuple[list[str], list]


def _words(line: str) -> list[str]:
    return [first or second or third or bare for first, second, third, bare in re.findall(
        r'"([^"]*)"|\'([^\']*)\'|`([^`]*)`|(\S+)', line
    )]  # fmt: skip


def _read(lines: Iterator[str]) -> list:
    block: list = []
    for line in lines:
        stripped = line.strip()
        if stripped == ">":
            return block
        block.append((_words(stripped[1:]), _read(lines)) if stripped.startswith("<") else _words(stripped))
    return block


def _project(desk: ExportDesk, node: Node) -> tuple[list, list[str]]:
    file = desk.export(OWNER, node.id, "package", "wav")
    with file.content:
        archive = zipfile.ZipFile(io.BytesIO(file.content.read()))
    name = next(name for name in archive.namelist() if name.endswith(".rpp"))
    ((_, project),) = _read(iter(archive.read(name).decode().splitlines()))
    return project, [member.split("/", 1)[1] for member in archive.namelist()]


def _value(block: list, key: str) -> list[str]:
    return next(line[1:] for line in block if line[0] == key)


def _blocks(block: list, key: str) -> list[list]:
    return [entry[1] for entry in block if isinstance(entry, tuple) and entry[0][0] == key]


def test_each_track_has_its_file_its_level_its_pan_and_its_mute(studio: Studio, desk: ExportDesk, piano: Node) -> None:
    context = studio.store.lineage(OWNER, piano.id)[0]
    studio.store.set_analysis(OWNER, context.id, {"tempo_bpm": 92.5})
    studio.store.set_mixer(OWNER, context.id, Mixer(gain_db=-6.0206, pan=-0.25, is_muted=True))

    project, members = _project(desk, piano)

    assert [float(word) for word in _value(project, "TEMPO")] == [92.5, 4, 4]
    assert _value(project, "SAMPLERATE")[0] == "44100"
    tracks = _blocks(project, "TRACK")
    assert [_value(track, "NAME") for track in tracks] == [["Loop"], ["Bass A"], ["Piano A"]]
    assert [float(word) for word in _value(tracks[0], "VOLPAN")[:2]] == pytest.approx([0.5, -0.25], abs=1e-5)
    assert [_value(track, "MUTESOLO")[0] for track in tracks] == ["1", "0", "0"]
    for track in tracks:
        (item,) = _blocks(track, "ITEM")
        assert [float(_value(item, key)[0]) for key in ("POSITION", "LENGTH")] == [0, pytest.approx(2.0)]
        (source,) = _blocks(item, "SOURCE")
        assert _value(source, "FILE")[0] in members


@pytest.mark.parametrize("name", ['say "hi"', "it's", "both \" and '", "all \" ' `", "two\nlines", "plain", "> <TRACK"])
def test_a_name_with_quotes_stays_one_word_on_one_line(name: str) -> None:
    told = quoted(name)

    assert "\n" not in told
    assert _words(f"NAME {told}") == [
        "NAME",
        " ".join(name.split()).replace("`", "'") if "`" in name else " ".join(name.split()),
    ]


def test_names_cannot_break_out_of_the_project(studio: Studio, desk: ExportDesk, piano: Node) -> None:
    studio.store.rename_node(OWNER, piano.id, '">\n<TRACK\n"')

    project, _ = _project(desk, piano)

    assert len(_blocks(project, "TRACK")) == 3
