"""Write every generated file anew, or with ``--check`` say which ones are not what the sources give."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from course_lib.files import write_atomically
from course_lib.runtime import CourseError
from course_lib.studies import paper_and_here
from tools import chapter_notebooks, data_page, exercise_notebooks
from tools.mutation import page as graders_page
from tools.notebook_common import write_safely
from tools.plain.parse import NotPlain
from tools.project import ROOT

FOLDERS = ("notebooks", "exercises", "solutions")  # where every notebook is a generated one


def outputs() -> Iterator[tuple[Path, str]]:
    """Every generated file: its path and its whole text; the pages first, since chapters refer to them."""
    yield from data_page.outputs()
    yield from graders_page.outputs()
    yield paper_and_here.PAGE, paper_and_here.page()
    yield from chapter_notebooks.outputs()
    yield from exercise_notebooks.outputs()


def differences(made: Iterable[tuple[Path, str]], root: Path = ROOT) -> list[str]:
    """One sentence for each file that is missing, is not current, or has no source any more."""
    found, known = [], set()
    for path, text in made:
        known.add(path)
        name = path.relative_to(root).as_posix()
        if not path.exists():
            found.append(f"{name} is missing.")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{name} is not what its source gives.")
    for folder in FOLDERS:
        for path in sorted((root / folder).glob("*.ipynb")):
            if path not in known:
                found.append(f"{path.relative_to(root).as_posix()} has no source.")
    return found


def write(made: Iterable[tuple[Path, str]], root: Path = ROOT) -> None:
    """Write the files that differ; a notebook that somebody edited stays, and the new one goes beside it."""
    for path, text in made:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        place = write_safely(path, text) if path.suffix == ".ipynb" else write_atomically(path, text)
        note = "" if place == path else f" ({path.name} was edited by hand and stays as it is)"
        print(f"wrote {place.relative_to(root).as_posix()}{note}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 on a difference")
    check = parser.parse_args().check
    try:
        found = differences(outputs()) if check else write(outputs())
    except (NotPlain, CourseError) as problem:
        sys.exit(str(problem))
    if found:
        print(*found, sep="\n")
        print(
            "./run generate makes them anew; edit the sources (book/*.md, solutions/*.py), not these files."
        )
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
