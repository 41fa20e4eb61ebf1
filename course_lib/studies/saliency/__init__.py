"""The studies of the saliency chapter (Rebuffi 2020, Chapter 8 and §2.5)."""

from course_lib.studies.saliency.birds import BIRDS
from course_lib.studies.saliency.drawings import DRAWINGS
from course_lib.studies.saliency.figure_2_4 import FIGURE_2_4
from course_lib.studies.saliency.figure_3 import FIGURE_3, FIGURE_3_PLAIN
from course_lib.studies.saliency.figure_8 import FIGURE_8
from course_lib.studies.saliency.figures_6_and_7 import FIGURE_6, FIGURE_7
from course_lib.studies.saliency.supplement_figure_6 import SUPPLEMENT_FIGURE_6
from course_lib.studies.saliency.supplement_figures import SUPPLEMENT_FIGURE_1, SUPPLEMENT_FIGURE_2
from course_lib.studies.saliency.supplement_tables import (
    SUPPLEMENT_TABLE_1,
    SUPPLEMENT_TABLE_2,
    SUPPLEMENT_TABLE_3,
)
from course_lib.studies.saliency.table_3 import TABLE_3
from course_lib.studies.saliency.weak_localisation import WEAK_LOCALISATION

__all__ = ["DRAWINGS", "STUDIES"]

STUDIES = (
    FIGURE_2_4,
    SUPPLEMENT_TABLE_1,
    TABLE_3,
    FIGURE_3,
    FIGURE_3_PLAIN,
    FIGURE_6,
    FIGURE_7,
    FIGURE_8,
    SUPPLEMENT_FIGURE_1,
    SUPPLEMENT_TABLE_2,
    SUPPLEMENT_TABLE_3,
    SUPPLEMENT_FIGURE_2,
    SUPPLEMENT_FIGURE_6,
    WEAK_LOCALISATION,
    BIRDS,
)
