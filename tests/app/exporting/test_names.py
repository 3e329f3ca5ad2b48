"""File names that every system takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exporting.names import MAX_NAME_BYTES, file_name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Sunday funk", "Sunday funk"),
        ("Bässe für Ümläute", "Bässe für Ümläute"),
        ("日曜日のファンク", "日曜日のファンク"),
        ("café", "café"),
        ("AC/DC: live?", "AC-DC- live"),
        ("../../etc/passwd", "-..-etc-passwd".lstrip("-.")),
        ("C:\\Windows", "C--Windows"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("ends with a dot.", "ends with a dot"),
        ("two\nlines\tand\x00nothing", "two lines andnothing"),
        ("turned\u202egpj.exe", "turnedgpj.exe"),
        ("CON", "CON_"),
        ("lpt1.wav", "lpt1.wav_"),
        ('<"quoted">', "-quoted-"[1:]),
        ("", "Stem"),
        ("  ...  ", "Stem"),
        ("///", "Stem"),
    ],
)
def test_names_stay_what_people_typed_as_far_as_every_system_takes_them(typed: str, name: str) -> None:
    assert file_name(typed, "Stem") == name


def test_a_long_name_is_cut_between_letters() -> None:
    assert file_name("é" * 500, "Stem") == "é" * (MAX_NAME_BYTES // 2)


@given(st.text())
def test_whatever_is_typed_a_name_comes_out_that_can_be_stored_and_reached(typed: str) -> None:
    name = file_name(typed, "Stem")

    assert name
    assert len(name.encode()) <= MAX_NAME_BYTES + 1
    assert not set(name) & set('/\\:*?"<>|\x00\n')
    assert name[0] not in ".- "
    assert name[-1] not in ". "
    assert file_name(name, "Stem") in (name, f"{name}_")
