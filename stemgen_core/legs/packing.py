"""`stemgen legs pack`: everything a leg needs, for a machine that has Python, PyTorch and NumPy and no network.

The packed folder, once unpacked:

    leg.py               starts `stemgen ...` with what was carried
    plan.json            of the leg
    stemgen_core/        the code
    start/               where an earlier leg stopped, if this one goes on from it
    carried/fonts/       soundfonts, compressed
    carried/lib/         FluidSynth and the libraries it needs
    carried/site/        Python packages
"""

import ctypes.util
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from stemgen_core.corpus.offline_synth import HELDOUT_FONTS, TRAINING_FONTS
from stemgen_core.errors import MissingDependencyError
from stemgen_core.legs.driver import BEFORE_DECAY, BUNDLE, CODEC
from stemgen_core.legs.parts import PartList, cut_folder
from stemgen_core.legs.plan import LegPlan
from stemgen_core.sound.carried import FONTS, LIBRARIES, LIBRARY_ORDER, PACKAGES
from stemgen_core.sound.packing import pack_font

PYTHON_VERSION = "3.12"
# Rendering, and what audiocraft's EnCodec imports; NumPy, SciPy, safetensors, tqdm, einops, PyYAML and cloudpickle are
# expected beside PyTorch.
COMPILED = ("pedalboard",)
PURE = (
    "pyfluidsynth",
    "audiocraft",
    "flashy",
    "dora_search",
    "submitit",
    "omegaconf",
    "colorlog",
    "retrying",
    "treetable",
    "mido",
    "packaging",
)
# The C library and the compiler's belong to the machine; everything else may be missing there.
_MACHINES_OWN = ("ld-linux", "linux-vdso", "libc.", "libm.", "libpthread.", "libdl.", "librt.", "libgcc_s", "libstdc++")
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_PACKAGE_ROOT = Path(__file__).resolve().parents[1]
_LAUNCHER = _PACKAGE_ROOT / "cli" / "leg_launcher.py"
_UNPACKER = Path(__file__).with_name("unpacker.py")


def pack_leg(
    out_folder: Path,
    plan: LegPlan,
    *,
    max_part_bytes: int,
    start_folder: Path | None = None,
    python_version: str = PYTHON_VERSION,
    font_cache: Path | None = None,
) -> PartList:
    """Write a leg as parts, beside a small program that unpacks them.

    Args:
        out_folder: gets `leg.json`, `leg-000`, ... and `unpack.py`.
        plan: of the leg.
        max_part_bytes: of what one journey carries.
        start_folder: what `stemgen legs join` made of an earlier leg, to go on from.
        python_version: of the machine, such as 3.12.
        font_cache: where compressed fonts are kept; None = made anew.

    Raises:
        MissingDependencyError: if FluidSynth, a font or a package is not installed here, or can't be fetched.
    """
    with tempfile.TemporaryDirectory() as scrap:
        root = Path(scrap) / "leg"
        carried = root / "carried"
        shutil.copytree(_PACKAGE_ROOT, root / _PACKAGE_ROOT.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copyfile(_LAUNCHER, root / "leg.py")
        plan.save(root / "plan.json")
        if start_folder is not None:
            _carry_start(start_folder, root / "start")
        _carry_fonts(carried / FONTS, font_cache, has_all=plan.has_all_fonts)
        _carry_libraries(carried / LIBRARIES)
        _carry_packages(carried / PACKAGES, python_version)
        parts = cut_folder(root, out_folder, "leg", max_part_bytes=max_part_bytes)
    shutil.copyfile(_UNPACKER, out_folder / "unpack.py")
    return parts


def _carry_start(joined: Path, folder: Path) -> None:
    """Copy what a leg goes on from: the codec, and the weights before the decay or, failing them, those after it."""
    weights = [name for name in (BEFORE_DECAY, BUNDLE) if (joined / name).exists()][:1]
    for name in (CODEC, *weights):
        if (joined / name).exists():
            shutil.copytree(joined / name, folder / name)


def _carry_fonts(folder: Path, cache: Path | None, *, has_all: bool) -> None:
    folder.mkdir(parents=True)
    for source in (*list(TRAINING_FONTS.values())[: None if has_all else 1], *HELDOUT_FONTS.values()):
        packed = (cache or folder) / f"{source.stem}.sf3"
        if not packed.exists():
            packed.parent.mkdir(parents=True, exist_ok=True)
            pack_font(source, packed)
        if cache is not None:
            shutil.copyfile(packed, folder / packed.name)


def _carry_libraries(folder: Path) -> None:
    """Copy FluidSynth with all it needs, and write down an order in which they can be loaded."""
    name = ctypes.util.find_library("fluidsynth")
    if name is None:
        raise MissingDependencyError("Packing needs the FluidSynth library. Install it with `make corpus-tools`.")
    folder.mkdir(parents=True)
    found = _locate(name)
    paths = {needed: path for needed, path in _linked(found).items() if not needed.startswith(_MACHINES_OWN)}
    # Whatever needs a library needs all that this one needs and itself too: fewer needs first is an order to load in.
    order = [*sorted(paths, key=lambda needed: len(_linked(paths[needed]))), name]
    for file_name in order:
        shutil.copyfile(paths.get(file_name, found), folder / file_name)
    (folder / LIBRARY_ORDER).write_text("\n".join(order) + "\n", encoding="utf-8")


def _linked(path: Path) -> dict[str, Path]:
    """Return where the loader finds everything that a library needs, directly or not."""
    pairs = [line.split(" => ") for line in _output_of("ldd", str(path)).splitlines() if " => /" in line]
    return {name.strip(): Path(place.split()[0]) for name, place in pairs}


def _locate(name: str) -> Path:
    lines = [line for line in _output_of("/sbin/ldconfig", "-p").splitlines() if line.strip().startswith(f"{name} ")]
    if not lines:
        raise MissingDependencyError(f"{name} is not where ldconfig knows it. Install it with `make corpus-tools`.")
    return Path(lines[0].split(" => ")[1])


def _output_of(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingDependencyError(f"Packing needs the program {command[0]}: {error}") from error


def _carry_packages(folder: Path, python_version: str) -> None:
    """Copy pure packages from this environment; compiled ones too if the machine's Python is this one's version."""
    folder.mkdir(parents=True)
    is_same = python_version == f"{sys.version_info.major}.{sys.version_info.minor}"
    _copy_installed((*PURE, *COMPILED) if is_same else PURE, folder)
    if not is_same:
        _fetch_wheels(COMPILED, python_version, folder)


def _copy_installed(names: Iterable[str], folder: Path) -> None:
    for name in names:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingDependencyError(f"Packing needs {name}. Run `make install-dev`.") from error
        for file in distribution.files or ():
            is_outside = ".." in file.parts or file.is_absolute()
            if is_outside or "__pycache__" in file.parts or file.name == "direct_url.json":
                continue
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(distribution.locate_file(file)), target)


def _fetch_wheels(names: Iterable[str], python_version: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as wheels:
        wanted = [f"{name}=={importlib.metadata.version(name)}" for name in names]
        options = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python_version]
        options += [part for platform in _PLATFORMS for part in ("--platform", platform)]
        _output_of(sys.executable, "-m", "pip", "download", "-q", *options, "-d", wheels, *wanted)
        for wheel in sorted(Path(wheels).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
