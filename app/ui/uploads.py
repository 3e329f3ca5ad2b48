"""Files that visitors sent through Gradio's upload: only those are taken, whatever path an event names."""

import os
from pathlib import Path

from gradio.components import UploadButton
from gradio.data_classes import FileData, ListFiles

from stemgen_core.errors import InvalidRequestError


def upload_folder() -> Path:
    """Return where Gradio keeps what visitors send."""
    from gradio.utils import get_upload_folder

    return Path(get_upload_folder()).resolve()


def uploaded_bytes() -> int:
    """Return how much of what visitors sent lies on the disk."""
    found = 0
    for folder, _, names in os.walk(upload_folder()):
        for name in names:
            try:
                found += os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
            except FileNotFoundError:  # used, or swept, in this moment
                continue
    return found


def uploaded_path(path: object) -> Path:
    """Return the file of an upload.

    Args:
        path: as a page or a program names it, so it may be anything.

    Raises:
        InvalidRequestError: if it is no file in the folder of uploads.
    """
    try:
        found = Path(str(path)).resolve(strict=True)
    except (OSError, ValueError) as error:
        raise InvalidRequestError("This file did not arrive. Send it again.") from error
    if not found.is_file() or not found.is_relative_to(upload_folder()):
        raise InvalidRequestError("This file did not arrive. Send it again.")
    return found


def leaves_nothing_behind(button: UploadButton) -> UploadButton:
    """Return a button whose handlers are given the path of the upload, without Gradio's empty file beside each.

    Gradio 6.31 makes that file for a name and forgets it, until the server's temporary folder is emptied.
    """
    button.preprocess = _path_of
    return button


def _path_of(payload: ListFiles | FileData | None) -> str | None:
    return payload.path if isinstance(payload, FileData) else None
