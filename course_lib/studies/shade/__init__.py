"""The studies of the SHADE chapter (Robert 2019, Chapter 2), a file each."""

from course_lib.studies.shade.ablations import ABLATIONS
from course_lib.studies.shade.binary_layers import TABLE_A_1
from course_lib.studies.shade.drawings import DRAWINGS
from course_lib.studies.shade.few_labels import FEW_LABELS
from course_lib.studies.shade.figure_2_5 import FIGURE_2_5
from course_lib.studies.shade.figure_2_6 import FIGURE_2_6
from course_lib.studies.shade.figure_a_1 import FIGURE_A_1, WITH_BATCH_NORM
from course_lib.studies.shade.figure_a_2 import FIGURE_A_2
from course_lib.studies.shade.labels_curve import FIGURE_2_7A
from course_lib.studies.shade.only_shade import FIGURE_2_7C
from course_lib.studies.shade.sizes import FIGURE_2_7B
from course_lib.studies.shade.table_2_1 import TABLE_2_1
from course_lib.studies.shade.table_2_2 import PHOTOGRAPHS, TABLE_2_2
from course_lib.studies.shade.table_2_3 import TABLE_2_3

__all__ = ["DRAWINGS", "STUDIES"]

STUDIES = (
    TABLE_2_1,
    TABLE_2_2,
    PHOTOGRAPHS,
    TABLE_2_3,
    FIGURE_2_5,
    FIGURE_2_6,
    FIGURE_2_7A,
    FEW_LABELS,
    FIGURE_2_7B,
    FIGURE_2_7C,
    FIGURE_A_1,
    WITH_BATCH_NORM,
    FIGURE_A_2,
    TABLE_A_1,
    ABLATIONS,
)
