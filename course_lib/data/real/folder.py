"""Where real sets lie: the folder ``COURSE_DATA``."""

import os
from pathlib import Path

from course_lib.files import cache_folder


def data_folder() -> Path:
    """The folder of the real sets: ``COURSE_DATA``, else a folder in the user's cache."""
    chosen = os.environ.get("COURSE_DATA")
    return Path(chosen).expanduser() if chosen else cache_folder() / "data"


def find(packed: str) -> Path | None:
    """A packed file in the data folder, at its place (``digits/x.npz``) or at the top (``x.npz``)."""
    for path in (data_folder() / packed, data_folder() / Path(packed).name):
        if packed and path.is_file():
            return path
    return None
