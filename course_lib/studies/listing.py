"""What `course study list` prints: each study, where it stands in its source, and how far it is measured."""

from course_lib.studies.provenance import code_digest
from course_lib.studies.registry import Study, all_studies
from course_lib.studies.result_files import recorded
from course_lib.studies.runner import missing_data
from course_lib.studies.tables import Table


def listing() -> str:
    """The studies as a table for the terminal."""
    rows = [[study.id, study.source, study.title, _state(study)] for study in all_studies()]
    return str(Table(["id", "source", "what", "measured"], rows))


def _code_now(study: Study, data: str) -> str:
    return code_digest(study.measure, named=[data])


def _state(study: Study) -> str:
    """What is recorded, and whether the code has changed since."""
    made = [
        f"{result.scale} on {result.data}, {len(result.seeds)} seeds"
        + (" (the code has changed since)" if result.code != _code_now(study, result.data) else "")
        for result in recorded(study)
    ]
    if not made:
        return "needs data" if missing_data(study) else "not yet"
    return "; ".join(made)
