"""What the outputs of a chapter depend on, as one hash: its code, the library, the results, the scale."""

import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path

from course_lib.runtime import scale
from tools.project import ROOT

SETTINGS = ("COURSE_DATA", "COURSE_DATASET", "COURSE_DEVICE")  # environment variables a chapter reads


def environment_key(root: Path = ROOT) -> str:
    """The part of the key that all chapters share.

    It changes with any file of course_lib, any recorded result of a study, and any version.
    """
    facts = hashlib.sha256()
    for path in [*sorted((root / "course_lib").rglob("*")), *sorted((root / "results").glob("*.json"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            facts.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = sorted(f"{d.metadata['Name']} {d.version}" for d in importlib.metadata.distributions())
    machine = [platform.python_version(), platform.machine(), platform.system()]
    settings = [scale(), *(os.environ.get(name, "") for name in SETTINGS)]
    facts.update(json.dumps([versions, machine, settings]).encode())
    return facts.hexdigest()


def chapter_key(notebook: dict, environment: str) -> str:
    """The key of one chapter: its code cells, in order, and the environment; its prose does not count."""
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps([code, environment]).encode()).hexdigest()[:32]
