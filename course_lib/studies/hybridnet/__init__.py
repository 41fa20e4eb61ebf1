"""The studies of the HybridNet chapter (Robert 2019, Chapter 3), a file each."""

from course_lib.studies.hybridnet.drawings import DRAWINGS
from course_lib.studies.hybridnet.figure_3_8 import FIGURE_3_8
from course_lib.studies.hybridnet.figure_3_10 import FIGURE_3_10
from course_lib.studies.hybridnet.figure_3_11 import FIGURE_3_11
from course_lib.studies.hybridnet.table_3_2 import TABLE_3_2
from course_lib.studies.hybridnet.table_3_4 import TABLE_3_4
from course_lib.studies.hybridnet.table_3_4_photographs import TABLE_3_4_PHOTOGRAPHS
from course_lib.studies.hybridnet.table_3_5 import TABLE_3_5, TABLE_3_5_STL
from course_lib.studies.hybridnet.table_3_6 import TABLE_3_6

__all__ = ["DRAWINGS", "STUDIES"]

STUDIES = (
    TABLE_3_2,
    FIGURE_3_8,
    TABLE_3_4,
    TABLE_3_4_PHOTOGRAPHS,
    TABLE_3_5,
    TABLE_3_5_STL,
    FIGURE_3_10,
    FIGURE_3_11,
    TABLE_3_6,
)
