"""Bundles on disk: what is written is read again, and what was damaged is named."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stemgen_core.checkpoint import (
    MANIFEST_NAME,
    WEIGHTS_NAME,
    BundleManifest,
    add_file,
    load_bundle,
    read_manifest,
    save_bundle,
)
from stemgen_core.codec import context_features
from stemgen_core.errors import CheckpointError
from stemgen_core.generator import StemGenerator
from tests.core.tiny_models import OFFERED, random_codes, random_features, toy_config, toy_model, write_score_bundle

EXTRA = "notes.txt"


def toy_manifest() -> BundleManifest:
    return BundleManifest("score", toy_config(), 100, OFFERED, {"steps": 7, "corpus": {"seed": 1}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / EXTRA).write_text("of the family")
    save_bundle(tmp_path, toy_manifest(), toy_model())
    return tmp_path


def test_a_bundle_comes_back_as_it_was(folder: Path) -> None:
    bundle = load_bundle(folder)

    expected = toy_manifest()
    assert bundle.manifest.config == expected.config
    assert bundle.manifest.instruments == OFFERED
    assert bundle.manifest.training == expected.training
    assert (bundle.manifest.family, bundle.manifest.window_frames) == ("score", 100)
    assert not bundle.model.training
    assert {parameter.dtype for parameter in bundle.model.parameters()} == {torch.float32}


def test_weights_lose_no_more_than_half_precision_costs(folder: Path) -> None:
    loaded = load_bundle(folder).model.state_dict()

    for name, value in toy_model().state_dict().items():
        assert (loaded[name] - value).abs().max() <= value.abs().max() * 2**-11


@pytest.mark.parametrize("seed", range(10))
def test_a_loaded_model_says_what_the_saved_one_said(seed: int, folder: Path) -> None:
    inputs = random_features(seed), random_codes(seed), {"instrument": torch.tensor([0, 1])}, torch.ones(2).bool()

    with torch.no_grad():
        before, after = toy_model()(*inputs), load_bundle(folder).model(*inputs)

    assert (before - after).abs().max() < 0.01


def test_a_loaded_model_saved_again_keeps_its_id(folder: Path, tmp_path: Path) -> None:
    first = load_bundle(folder)
    second = save_bundle(tmp_path / "again", first.manifest, first.model)

    assert second.model_id == first.manifest.model_id


def test_the_id_names_the_content(tmp_path: Path) -> None:
    ids = [
        save_bundle(tmp_path / "a", toy_manifest(), toy_model(0)).model_id,
        save_bundle(tmp_path / "b", toy_manifest(), toy_model(0)).model_id,
        save_bundle(tmp_path / "c", toy_manifest(), toy_model(1)).model_id,
    ]

    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("score-")


def test_the_id_changes_with_the_shape_and_not_with_what_is_told_about_the_training(tmp_path: Path) -> None:
    plain = save_bundle(tmp_path / "a", toy_manifest(), toy_model())
    codes = toy_config(num_features=None)
    other_shape = BundleManifest("score", codes, 100, OFFERED)
    other_story = BundleManifest("score", toy_config(), 100, OFFERED, {"steps": 8})

    assert save_bundle(tmp_path / "b", other_shape, toy_model(0, codes)).model_id != plain.model_id
    assert save_bundle(tmp_path / "c", other_story, toy_model()).model_id == plain.model_id


def test_the_manifest_states_its_id_and_the_hash_of_every_file(folder: Path) -> None:
    content = json.loads((folder / MANIFEST_NAME).read_text())

    assert content["model_id"] == read_manifest(folder).model_id
    assert set(content["files"]) == {WEIGHTS_NAME, EXTRA}


def test_files_of_the_family_are_found(folder: Path) -> None:
    assert load_bundle(folder).file(EXTRA).read_text() == "of the family"


def test_a_file_that_the_manifest_does_not_name_is_not_used(folder: Path) -> None:
    bundle = load_bundle(folder)
    (folder / "stranger.txt").write_text("new")

    with pytest.raises(CheckpointError, match=r"lacks its file stranger\.txt"):
        bundle.file("stranger.txt")


def test_a_file_that_is_added_is_the_only_thing_that_changes(folder: Path) -> None:
    before = (folder / MANIFEST_NAME).read_text()

    manifest = add_file(folder, "more.txt", b"more")

    assert load_bundle(folder).file("more.txt").read_bytes() == b"more"
    assert manifest == read_manifest(folder)
    after = json.loads((folder / MANIFEST_NAME).read_text())
    assert after["files"].pop("more.txt")
    assert json.dumps(after, indent=1) + "\n" == before
    assert {path.name for path in folder.iterdir()} == {MANIFEST_NAME, WEIGHTS_NAME, EXTRA, "more.txt"}


@pytest.mark.parametrize("num_writes", range(4))
def test_a_bundle_can_be_loaded_wherever_adding_a_file_was_interrupted(
    num_writes: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_file(folder, "more.txt", b"old")
    replace, writes = Path.replace, iter(range(num_writes))

    def interrupted(path: Path, target: Path) -> Path:
        if next(writes, None) is None:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with contextlib.suppress(KeyboardInterrupt):
        add_file(folder, "more.txt", b"new")

    bundle = load_bundle(folder)
    assert ("more.txt" in bundle.manifest.files) == (num_writes in (0, 3))
    if "more.txt" in bundle.manifest.files:
        assert bundle.file("more.txt").read_bytes() == (b"new" if num_writes == 3 else b"old")


@pytest.mark.parametrize("name", [MANIFEST_NAME, WEIGHTS_NAME])
def test_what_makes_the_model_is_not_added_to_it(name: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=f"{name} is no file beside the model"):
        add_file(folder, name, b"")


def test_nothing_is_added_to_what_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no model at"):
        add_file(tmp_path, "more.txt", b"")
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_manifest_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"There is no model at .*: bundle\.json is missing"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, EXTRA])
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()

    with pytest.raises(CheckpointError, match=f"lacks its file {name}"):
        load_bundle(folder).file(name)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, EXTRA])
def test_a_changed_file_is_named(name: str, folder: Path) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)

    with pytest.raises(CheckpointError, match=f"{name} is not the file that bundle.json names"):
        load_bundle(folder).file(name)


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / MANIFEST_NAME).read_text())
    edit(content)
    (folder / MANIFEST_NAME).write_text(json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"score"', '{"format": 99}', "{}"])
def test_a_manifest_that_is_none_is_refused(text: str, folder: Path) -> None:
    (folder / MANIFEST_NAME).write_text(text)

    with pytest.raises(CheckpointError, match=r"bundle\.json is not (readable JSON|of format 1)"):
        load_bundle(folder)


def test_a_manifest_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / MANIFEST_NAME).write_bytes(b"\xff\xfe\x00{")

    with pytest.raises(CheckpointError, match="not readable JSON"):
        load_bundle(folder)


@pytest.mark.parametrize("field", ["family", "config", "window_frames", "instruments", "training", "files"])
def test_a_manifest_that_lacks_a_field_is_refused(field: str, folder: Path) -> None:
    change(folder, lambda content: content.pop(field))

    with pytest.raises(CheckpointError, match="lacks something or does not fit together"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content["config"].pop("dim"),
        lambda content: content["config"].update(num_heads=3),
        lambda content: content["config"].update(colour="red"),
        lambda content: content["config"]["spec"].pop("codebook_size"),
        lambda content: content["config"].update(fields=[{"nome": "x"}]),
        lambda content: content.update(instruments=7),
        lambda content: content.update(files=["a", "b"]),
        lambda content: content.update(training=3),
    ],
    ids=["no dim", "odd heads", "stranger", "no size", "odd field", "no list", "no hashes", "no facts"],
)
def test_a_manifest_that_does_not_fit_together_is_refused(edit: Callable[[Any], object], folder: Path) -> None:
    change(folder, edit)

    with pytest.raises(CheckpointError, match="lacks something or does not fit together"):
        load_bundle(folder)


@pytest.mark.parametrize("field", ["dim", "num_layers", "feed_forward_dim"])
def test_weights_of_another_size_are_refused(field: str, folder: Path) -> None:
    change(folder, lambda content: content["config"].update({field: 2 * content["config"][field]}))

    with pytest.raises(CheckpointError, match=r"does not fit the sizes in bundle\.json"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.update(family="midi"), "no family 'midi'"),
        (
            lambda content: content["config"].update(context_codec="bands-v9"),
            f"was trained on bands-v9, not on {context_features.NAME}",
        ),
        (lambda content: content["config"]["spec"].update(name="score-v9"), "was trained on .*score-v9"),
        (lambda content: content.update(instruments=["kazoo"]), "was trained on .* this version .*'kazoo'"),
    ],
    ids=["family", "context", "tokens", "instrument"],
)
def test_a_model_of_another_version_is_refused(edit: Callable[[Any], object], message: str, tmp_path: Path) -> None:
    write_score_bundle(tmp_path)
    change(tmp_path, edit)

    with pytest.raises(CheckpointError, match=message):
        StemGenerator.load(tmp_path)


def test_a_score_bundle_without_its_sounds_is_refused(tmp_path: Path) -> None:
    write_score_bundle(tmp_path)
    (tmp_path / "sounds.sf3").unlink()

    with pytest.raises(CheckpointError, match=r"lacks its file sounds\.sf3"):
        StemGenerator.load(tmp_path)
