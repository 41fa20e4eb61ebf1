"""The studies of the SHADE chapter (Robert 2019, Chapter 2), a file each."""

from course_lib.studies.shade.binary_layers import TABLE_A_1
from course_lib.studies.shade.figure_a_1 import FIGURE_A_1, WITH_BATCH_NORM
from course_lib.studies.shade.labels_curve import FIGURE_2_7A
from course_lib.studies.shade.only_shade import FIGURE_2_7C
from course_lib.studies.shade.sizes import FIGURE_2_7B

STUDIES = (FIGURE_2_7A, FIGURE_2_7B, FIGURE_2_7C, FIGURE_A_1, WITH_BATCH_NORM, TABLE_A_1)
