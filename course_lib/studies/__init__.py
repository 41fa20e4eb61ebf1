"""The papers' tables and figures as studies that anybody can measure: the paper's value beside ours.

A study is declared in the room of its chapter (``studies/shade/``), measured with ``run`` or
``course study run``, recorded in ``results/`` and shown on the book's page *Paper and here*.
"""

from course_lib.studies.listing import listing
from course_lib.studies.paper_and_here import report
from course_lib.studies.products import make_once
from course_lib.studies.registry import Claim, Study, all_studies, get
from course_lib.studies.result_files import look_up, recorded
from course_lib.studies.results import Result
from course_lib.studies.runner import run

__all__ = [
    "Claim",
    "Result",
    "Study",
    "all_studies",
    "get",
    "listing",
    "look_up",
    "make_once",
    "recorded",
    "report",
    "run",
]
