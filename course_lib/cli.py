"""The `course` command: reads the arguments, calls the room that does the work, prints what it says.

Exit codes: 0 all is well; 1 the answer is no (points missing, a broken set, a page that is not current);
2 it could not be done, and one sentence says why.
"""

import argparse
import sys

from course_lib import __version__
from course_lib.runtime import SCALES, CourseError

DESCRIPTION = """\
Learned representations: what a ConvNet keeps, and what it lets go.

  course doctor                      can this machine run the course?
  course grade my.ipynb              grade notebooks
  course progress                    what you have done so far
  course data list                   the image sets, and which of them are here
  course study list                  the papers' tables and figures that can be measured here
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        return options.call(options)
    except (CourseError, ValueError) as problem:
        print(f"course: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncourse: stopped by you; what was finished is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `course ... | head` closed our output
        sys.stderr.close()
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="course", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"course {__version__}")
    verbs = top.add_subparsers(metavar="COMMAND", required=True)
    add_doctor(verbs)
    add_grade(verbs)
    add_convert(verbs)
    add_progress(verbs)
    add_data(verbs)
    add_study(verbs)
    return top


def leaf(verbs, name: str, call, help: str) -> argparse.ArgumentParser:
    """A command that does something, with its one-line help also as its description."""
    made = verbs.add_parser(name, help=help, description=help)
    made.set_defaults(call=call)
    return made


# --- course doctor ---------------------------------------------------------------------------


def add_doctor(verbs) -> None:
    leaf(verbs, "doctor", doctor, "Say whether this machine can run the course, and what to do if not.")


def doctor(options) -> int:
    from course_lib.doctor import examine, report

    findings = examine()
    print(report(findings))
    return int(any(finding.state == "problem" for finding in findings))


# --- course grade ----------------------------------------------------------------------------


def add_grade(verbs) -> None:
    made = leaf(verbs, "grade", grade, "Grade notebooks, each in a fresh process.")
    made.add_argument(
        "files", nargs="+", metavar="FILE", help="notebooks of the exercises, or folders of them"
    )
    made.add_argument("--json", metavar="OUT", help="also write the report to this file")
    made.add_argument("--csv", metavar="OUT", help="also write one row a notebook, for a spreadsheet")
    made.add_argument("--feedback", metavar="FOLDER", help="also write a page for each notebook to hand back")
    made.add_argument(
        "--timeout", type=float, default=120.0, metavar="S", help="seconds a notebook may take (120)"
    )
    made.add_argument("--hidden", metavar="CASES.py", help="try the answers on your own cases as well")
    made.add_argument("--jobs", type=int, metavar="N", help="notebooks at the same time (one for each core)")
    made.add_argument("--brief", action="store_true", help="print one line a notebook")
    made.add_argument("--anew", action="store_true", help="begin again where a stopped run would go on")
    made.epilog = "Exit code: 0 all points reached, 1 not all, 2 could not grade."


def grade(options) -> int:
    from course_lib.grading import grade_files

    return grade_files(
        options.files,
        timeout=options.timeout,
        json_out=options.json,
        csv_out=options.csv,
        feedback=options.feedback,
        hidden=options.hidden,
        jobs=options.jobs,
        brief=options.brief,
        anew=options.anew,
    )


# --- course convert --------------------------------------------------------------------------


def add_convert(verbs) -> None:
    made = leaf(verbs, "convert", convert, "Write a report of `course grade --json` in another format.")
    made.add_argument("format", metavar="FORMAT", help="csv, html, junit, gradescope or classroom50")
    made.add_argument("report", metavar="REPORT.json", help="what `course grade --json` has written")
    made.add_argument("out", metavar="OUT", help="the file to write")
    made.add_argument("--file", metavar="NAME", help="only this notebook of the report")


def convert(options) -> int:
    from course_lib.files import write_atomically
    from course_lib.grading import exports

    report = exports.read_report(options.report)
    write_atomically(options.out, exports.convert(report, options.format, options.file))
    print(f"wrote {options.out}")
    return 0


# --- course progress -------------------------------------------------------------------------


def add_progress(verbs) -> None:
    made = leaf(verbs, "progress", progress, "Show what you have done; it is kept on this machine only.")
    made.add_argument("chapters", nargs="*", metavar="CHAPTER", help="none: every chapter")
    made.add_argument("--page", metavar="OUT.html", help="write it as a page")
    made.add_argument("--export", metavar="OUT", help="write it for a program, as .json or .csv")
    made.add_argument("--forget", metavar="NAME", help="begin a chapter or a task again; a backup is kept")


def progress(options) -> int:
    from course_lib.files import write_atomically
    from course_lib.grading import overview

    if options.forget:
        kept = overview.forget(options.forget)
        print(
            f"{options.forget} is forgotten; the record so far is in {kept}."
            if kept
            else "Nothing to forget."
        )
    elif options.export:
        overview.export(options.export)
        print(f"wrote {options.export}")
    elif options.page:
        write_atomically(options.page, overview.page())
        print(f"wrote {options.page}")
    else:
        print(overview.summary(options.chapters or None))
    return 0


# --- course data -----------------------------------------------------------------------------


def add_data(verbs) -> None:
    group = verbs.add_parser("data", help="List, fetch and verify the image sets.").add_subparsers(
        metavar="list | fetch | verify", required=True
    )
    leaf(group, "list", data_list, "List the image sets, and which of them are here.")
    made = leaf(group, "fetch", data_fetch, "Download a real image set into COURSE_DATA, and verify it.")
    made.add_argument("names", nargs="+", metavar="NAME")
    made = leaf(group, "verify", data_verify, "Compare image sets with their recorded checksums.")
    made.add_argument("names", nargs="*", metavar="NAME", help="the sets to verify; none: all that are here")


def data_list(options) -> int:
    from course_lib import data

    print(data.listing())
    return 0


def data_fetch(options) -> int:
    from course_lib import data

    for name in options.names:
        print(f"{name}: {data.fetch(name)}")
    return 0


def data_verify(options) -> int:
    from course_lib import data

    chosen = options.names or [name for name in data.names() if data.available(name)]
    results = [(name, data.verify(name)) for name in chosen]
    for name, result in results:
        print(f"{result.state:<8} {name:<20} {result.says}")
    return int(any(result.state in ("broken", "missing") for _, result in results))


# --- course study ----------------------------------------------------------------------------


def add_study(verbs) -> None:
    group = verbs.add_parser("study", help="Measure the papers' tables and figures.").add_subparsers(
        metavar="list | run | report", required=True
    )
    leaf(group, "list", study_list, "List the studies: which table or figure of which source each answers.")
    made = leaf(group, "run", study_run, "Measure a study; a stopped run continues where it was.")
    made.add_argument("id", metavar="ID", help="a study's id, such as shade.figure_2_7a")
    made.add_argument(
        "--scale", choices=SCALES, help="smoke: seconds; cpu: as in the book; gpu: as in the paper"
    )
    made.add_argument("--seeds", type=int, metavar="N", help="how many seeds to measure")
    made.add_argument("--data", metavar="NAME", help="another image set than the study's own")
    made.add_argument(
        "--share", choices=("seeds", "batches"), default="seeds", help="what the processes of torchrun share"
    )
    made = leaf(group, "report", study_report, "Write the page Paper and here from the recorded results.")
    made.add_argument("--check", action="store_true", help="only say whether the page is current")


def study_list(options) -> int:
    from course_lib import studies

    print(studies.listing())
    return 0


def study_run(options) -> int:
    from course_lib import studies
    from course_lib.training import processes

    result = studies.run(
        options.id,
        scale=options.scale,
        seeds=options.seeds,
        data=options.data,
        save=True,
        share=options.share,
    )
    if processes.rank() == 0:
        print(result)
    return 0


def study_report(options) -> int:
    from course_lib import studies

    return studies.report(check=options.check)


if __name__ == "__main__":
    sys.exit(main())
