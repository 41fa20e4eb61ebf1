"""Small packed files and small torchvision layouts, so that the tests of real sets need no real set."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

N = {"train": 30, "test": 20}


def images(n, channels=1, size=28, seed=0):
    return np.random.default_rng([seed, n]).integers(0, 256, (n, channels, size, size), dtype=np.uint8)


def write_npz(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def write_strips(path, pictures, strip=8, **arrays):
    """A zip with meta.json, strips of lossless WebP, and .npy files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        about = {key: {"shape": list(x.shape), "strip": strip} for key, x in pictures.items()}
        archive.writestr("meta.json", json.dumps({"images": about}))
        for key, x in pictures.items():
            for i in range(0, len(x), strip):
                column = x[i : i + strip].transpose(0, 2, 3, 1).reshape(-1, x.shape[3], x.shape[1])
                file = io.BytesIO()
                Image.fromarray(column.squeeze()).save(file, "WEBP", lossless=True)
                archive.writestr(f"{key}/{i // strip:03d}.webp", file.getvalue())
        for key, values in arrays.items():
            file = io.BytesIO()
            np.save(file, values)
            archive.writestr(f"{key}.npy", file.getvalue())
    return path


def write_mnist(root, sizes=None, name="MNIST"):
    """MNIST's official files, with other images."""
    raw = Path(root, name, "raw")
    raw.mkdir(parents=True, exist_ok=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        n = (sizes or N)[split]
        head, labels = struct.pack(">4I", 2051, n, 28, 28), np.arange(n, dtype=np.uint8) % 10
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(head + images(n)[:, 0].tobytes())
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, n) + labels.tobytes())


def write_mnist_pack(root):
    arrays = {}
    for split, n in N.items():
        arrays |= {f"x_{split}": images(n), f"y_{split}": np.arange(n, dtype=np.uint8) % 10}
    return write_npz(Path(root, "mnist.npz"), **arrays)


def one_sentence(problem) -> str:
    """The message, after making sure that it is one line that ends as a sentence."""
    text = str(getattr(problem, "value", problem))
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text, text
    return text
