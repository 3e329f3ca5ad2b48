"""What rendering needs, found beside the code where it was packed for a machine that has none of it installed.

A packed leg (`stemgen_core.legs`) holds fonts and libraries in `carried/`. An ordinary checkout has no such folder, and
then everything is where Debian puts it.
"""

import ctypes
import ctypes.util
import threading
from pathlib import Path
from types import ModuleType

CARRIED_FOLDER = Path(__file__).resolve().parents[2] / "carried"
FONTS, LIBRARIES, PACKAGES = "fonts", "lib", "site"
LIBRARY_ORDER = "order.txt"  # file names, what is needed before what needs it; FluidSynth is the last

_lock = threading.Lock()


def find_font(installed: Path, carried_folder: Path = CARRIED_FOLDER) -> Path:
    """Return where a font is: the carried one of that name if there is one, else where it would be installed."""
    carried = carried_folder / FONTS / f"{installed.stem}.sf3"
    return carried if carried.exists() else installed


def fonts_at_hand(fonts: dict[str, Path], carried_folder: Path = CARRIED_FOLDER) -> dict[str, Path]:
    """Return fonts by name; where something is carried, but not one of them, the first that is plays for it, too.

    So a leg with fewer fonts renders the same notes, instruments and effects.
    """
    carried = [path for path in fonts.values() if find_font(path, carried_folder) != path]
    if not carried:
        return fonts
    return {name: path if path in carried else carried[0] for name, path in fonts.items()}


def import_fluidsynth(carried_folder: Path = CARRIED_FOLDER) -> ModuleType:
    """Import pyfluidsynth, with the carried FluidSynth library where there is one.

    The library and all it needs are loaded by their paths, so that no search path, linker or `ldconfig` of the machine
    is asked.

    Raises:
        ImportError: if the package or the library is not there.
    """
    order = carried_folder / LIBRARIES / LIBRARY_ORDER
    with _lock:
        if not order.exists():
            import fluidsynth

            return fluidsynth
        paths = [order.parent / name for name in order.read_text(encoding="utf-8").split()]
        for path in paths:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        usual = ctypes.util.find_library
        ctypes.util.find_library = lambda name: str(paths[-1]) if name == "fluidsynth" else usual(name)
        try:
            import fluidsynth
        finally:
            ctypes.util.find_library = usual
        return fluidsynth
