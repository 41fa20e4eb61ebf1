"""What a run over many notebooks has finished, kept so that a stopped run goes on where it was."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from course_lib.files import cache_folder, sha256
from course_lib.grading.hand_ins.result import Grade

LIBRARY = Path(__file__).resolve().parents[2]


class Journal:
    """One line a graded notebook, in a file of this run: the same notebooks with the same settings.

    A notebook counts as done while its content is what was graded.  A place that cannot be written to costs
    the continuing, not the grades.

    Args:
        files: the notebooks.
        settings: all that the grades depend on besides the notebooks and this library.
        folder: where journals are kept; None means the user's cache.
    """

    def __init__(self, files: Sequence[str], settings: object, folder: Path | None = None):
        names = [os.path.abspath(file) for file in files]
        key = hashlib.sha256(json.dumps([names, settings, library_digest()]).encode()).hexdigest()[:24]
        self.path = (folder or cache_folder() / "grade") / f"{key}.jsonl"
        self.done = self._read()

    def _read(self) -> dict[str, tuple[str, Grade]]:
        found = {}
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return {}
        for line in lines:
            try:
                entry = json.loads(line)
                found[entry["grade"]["file"]] = entry["sha256"], Grade.from_data(entry["grade"])
            except (ValueError, KeyError, TypeError):  # the line that was being written when the run stopped
                continue
        return found

    def grade_of(self, file: str) -> Grade | None:
        """The grade of a notebook that is done and has not changed since."""
        digest, grade = self.done.get(file, (None, None))
        return grade if digest is not None and digest == digest_of(file) else None

    def add(self, grade: Grade, digest: str | None) -> None:
        """Keep a grade; ``digest`` is that of the content that was graded."""
        if digest is None:
            return
        line = json.dumps({"sha256": digest, "grade": grade.to_data()}, ensure_ascii=False)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(f"\n{line}\n" if file.tell() else f"{line}\n")
        except OSError:
            pass

    def remove(self) -> None:
        """Forget this run, because it is complete."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def digest_of(file: str) -> str | None:
    """The digest of a notebook's content; None where it cannot be read."""
    try:
        return sha256(file)
    except OSError:
        return None


def library_digest() -> str:
    """A digest of the grading room: other graders may give other grades."""
    digest = hashlib.sha256()
    for path in sorted((LIBRARY / "grading").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
