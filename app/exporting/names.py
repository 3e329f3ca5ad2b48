"""File names that every system takes, made of what people typed."""

import re
import unicodedata

MAX_NAME_BYTES = 120
# Windows keeps these for devices, with any suffix.
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_FORBIDDEN = str.maketrans(dict.fromkeys('/\\:|"', "-") | dict.fromkeys("<>*?", ""))


def file_name(text: str, fallback: str) -> str:
    """Return a name without its suffix: letters of every script stay, what some system can't store goes.

    Args:
        text: what a person typed; any length.
        fallback: taken when nothing usable is left; a usable name.

    Returns:
        At most `MAX_NAME_BYTES` bytes in UTF-8, never beginning with a dot, a minus or a blank nor ending in a dot or
        a blank.
    """
    composed = unicodedata.normalize("NFC", text).translate(_FORBIDDEN)
    # Control, format (also the marks that turn text around), private and unassigned characters.
    visible = "".join(" " if char.isspace() else char for char in composed if _is_visible(char))
    name = " ".join(visible.split()).strip(". ").lstrip("-. ")
    name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore").rstrip(". ")
    if not name:
        return fallback
    return f"{name}_" if _RESERVED.fullmatch(name) else name


def _is_visible(char: str) -> bool:
    return char.isspace() or not unicodedata.category(char).startswith("C")
