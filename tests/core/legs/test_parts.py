"""A folder cut into parts that travel apart, and put together again."""

import random
from pathlib import Path

import pytest

from stemgen_core.errors import InvalidRequestError
from stemgen_core.legs.parts import PartList, choose_parts, cut_folder, find_part_lists, join_parts

NOISE = random.Random(1).randbytes(9_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "weights").write_bytes(NOISE)
    (source / "inner" / "log").write_text("a\nb\n")
    return source


def cut(folder: Path, tmp_path: Path, max_part_bytes: int = 1_000) -> PartList:
    return cut_folder(folder, tmp_path / "parts", "leg-m009", max_part_bytes=max_part_bytes)


def test_what_was_cut_is_joined_from_folders_in_any_order(folder: Path, tmp_path: Path) -> None:
    parts = cut(folder, tmp_path)
    odd, even = tmp_path / "odd", tmp_path / "even"
    for number in range(len(parts.sizes)):
        target = (even, odd)[number % 2]
        target.mkdir(exist_ok=True)
        (tmp_path / "parts" / parts.file_name(number)).rename(target / parts.file_name(number))

    join_parts([odd, even], parts, tmp_path / "joined")

    assert len(parts.sizes) > 2
    assert (tmp_path / "joined" / "weights").read_bytes() == NOISE
    assert (tmp_path / "joined" / "inner" / "log").read_text() == "a\nb\n"
    assert not list(tmp_path.glob("joined.*"))


def test_no_part_is_larger_than_allowed_and_the_whole_file_does_not_stay(folder: Path, tmp_path: Path) -> None:
    parts = cut(folder, tmp_path, 700)

    written = {path.name: path.stat().st_size for path in (tmp_path / "parts").iterdir()}

    assert max(parts.sizes) <= 700
    assert set(written) == {"leg-m009.json", *(parts.file_name(number) for number in range(len(parts.sizes)))}


def test_parts_of_an_earlier_cut_with_the_same_name_are_gone(folder: Path, tmp_path: Path) -> None:
    first = cut(folder, tmp_path, 300)

    second = cut(folder, tmp_path, 3_000)

    assert len(list((tmp_path / "parts").glob("leg-m009-*"))) == len(second.sizes) < len(first.sizes)


def test_the_list_on_disk_is_the_one_that_was_returned(folder: Path, tmp_path: Path) -> None:
    parts = cut(folder, tmp_path)

    assert find_part_lists([tmp_path / "parts"]) == {"leg-m009": parts}


def test_missing_and_damaged_parts_are_named(folder: Path, tmp_path: Path) -> None:
    parts = cut(folder, tmp_path)
    (tmp_path / "parts" / "leg-m009-000").unlink()
    (tmp_path / "parts" / "leg-m009-001").write_bytes(b"else")

    with pytest.raises(InvalidRequestError, match="Missing or damaged: leg-m009-000, leg-m009-001"):
        join_parts([tmp_path / "parts"], parts, tmp_path / "joined")

    assert not (tmp_path / "joined").exists()


def test_a_damaged_part_does_not_matter_where_a_whole_one_came_too(folder: Path, tmp_path: Path) -> None:
    parts = cut(folder, tmp_path)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "leg-m009-000").write_bytes(b"")

    join_parts([tmp_path / "torn", tmp_path / "parts"], parts, tmp_path / "joined")

    assert (tmp_path / "joined" / "weights").read_bytes() == NOISE


def test_nothing_is_joined_into_a_folder_that_holds_something(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="not empty"):
        join_parts([tmp_path / "parts"], cut(folder, tmp_path), folder)


def test_two_lists_of_one_name_that_differ_are_refused(folder: Path, tmp_path: Path) -> None:
    cut(folder, tmp_path)
    (folder / "weights").write_bytes(NOISE[::-1])
    cut_folder(folder, tmp_path / "other", "leg-m009", max_part_bytes=1_000)

    with pytest.raises(InvalidRequestError, match="other parts of leg-m009"):
        find_part_lists([tmp_path / "parts", tmp_path / "other"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "a", "parts": [{}]}'])
def test_what_is_no_list_of_parts_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(InvalidRequestError, match="no list of parts"):
        find_part_lists([tmp_path])


@pytest.mark.parametrize(
    ("first", "max_files", "max_bytes", "expected"),
    [
        (0, 8, 1_000, range(0, 5)),
        (0, 3, 1_000, range(0, 2)),
        (0, 8, 25, range(0, 2)),
        (2, 8, 25, range(2, 4)),
        (4, 8, 25, range(4, 5)),
        (5, 8, 25, range(5, 5)),
        (0, 8, 9, range(0, 0)),
    ],
)
def test_a_journey_carries_as_many_parts_as_its_limits_allow(
    first: int, max_files: int, max_bytes: int, expected: range
) -> None:
    parts = PartList("leg", (10,) * 5, ("",) * 5)

    assert choose_parts(parts, first, max_files=max_files, max_bytes=max_bytes) == expected
