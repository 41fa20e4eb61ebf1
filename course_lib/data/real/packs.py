"""Packed files: a whole image set in one file.

Three forms, all of uint8 pictures (N, C, H, W):

* ``.npz``: NumPy arrays;
* ``.zip`` with ``meta.json``: arrays as ``KEY.npy``, pictures as strips ``KEY/000.webp``, ``KEY/001.webp``
  ..., each strip holding many pictures one below the other;
* ``.zip`` of a folder of photos of any size.
"""

import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

# What a reader meets in a file that is cut off, garbled, or not what its name says.
DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, AssertionError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, pickle.UnpicklingError),
)


def read(path: Path, *keys: str) -> dict[str, np.ndarray]:
    """The arrays of a packed file that bear one of the names; those that the file lacks are left out."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {key: arrays[key] for key in keys if key in arrays.files}
    with zipfile.ZipFile(path) as archive:
        members, pictures = set(archive.namelist()), json.loads(archive.read("meta.json"))["images"]
        found = {
            key: np.lib.format.read_array(io.BytesIO(archive.read(f"{key}.npy")))
            for key in keys
            if f"{key}.npy" in members
        }
        return found | {key: _strips(archive, key, pictures[key]) for key in keys if key in pictures}


def photos(path: Path, start: str = "") -> Iterator[tuple[str, Image.Image]]:
    """Name and RGB picture of each photo of a zip whose name starts with ``start``, in order of the names."""
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith(start) and name.lower().endswith((".jpg", ".jpeg", ".png")):
                yield name, Image.open(io.BytesIO(archive.read(name))).convert("RGB")


def _strips(archive: zipfile.ZipFile, key: str, about: dict) -> np.ndarray:
    n, channels, height, width = about["shape"]
    out = np.empty((n, channels, height, width), np.uint8)
    strips = [archive.read(name) for name in sorted(archive.namelist()) if name.startswith(f"{key}/")]

    def unpack(i):  # Pillow decodes without the interpreter's lock, so threads help
        strip = Image.open(io.BytesIO(strips[i])).convert("RGB" if channels == 3 else "L")
        pictures = np.asarray(strip).reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        out[i * about["strip"] :][: about["strip"]] = pictures
        return len(pictures)

    with ThreadPoolExecutor() as threads:
        found = sum(threads.map(unpack, range(len(strips))))
    if found != n:
        raise ValueError(f"{key} holds {found} pictures where {n} belong")
    return out
