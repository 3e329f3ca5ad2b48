"""Unpacks a leg on the machine, with nothing but Python: `python3 unpack.py TARGET`. Copied there as `unpack.py`.

Parts may come on several journeys: they gather beside the target until all are there.
"""

import hashlib
import json
import shutil
import sys
import tarfile
from pathlib import Path


def unpack(source: Path, target: Path) -> str:
    """Gather the parts that lie in `source`; unpack when all are there. Return a sentence on how things stand."""
    if (target / "leg.py").exists():
        return f"{target} is there"
    gathered = target.with_name(f"{target.name}-parts")
    gathered.mkdir(parents=True, exist_ok=True)
    listed = json.loads((source / "leg.json").read_text(encoding="utf-8"))["parts"]
    missing = []
    for number, part in enumerate(listed):
        name = f"leg-{number:03d}"
        if (source / name).exists():
            shutil.copyfile(source / name, gathered / name)
        if not (gathered / name).exists() or _sha256(gathered / name) != part["sha256"]:
            missing.append(name)
    if missing:
        return f"still to come: {', '.join(missing)}"
    whole = gathered / "leg.tar.xz"
    with whole.open("wb") as file:
        for number in range(len(listed)):
            file.write((gathered / f"leg-{number:03d}").read_bytes())
    partial = target.with_name(f"{target.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(whole, "r:xz") as archive:
        archive.extractall(partial, filter="data")
    partial.rename(target)
    shutil.rmtree(gathered)
    return f"unpacked into {target}"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 unpack.py TARGET")
    sys.stdout.write(unpack(Path(__file__).resolve().parent, Path(sys.argv[1]).resolve()) + "\n")
