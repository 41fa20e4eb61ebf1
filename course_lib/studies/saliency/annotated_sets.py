"""The sets of photographs that say where each class is, by their names."""

from course_lib.studies.saliency import coco, voc
from course_lib.studies.saliency.annotation import Annotated

SETS = {"voc2007": voc.annotated, "coco2014": coco.annotated}
CLASSES = {"voc2007": 20, "coco2014": 80}


def annotated(data: str, split: str) -> Annotated:
    """A split of a set that the user has.

    Args:
        data: ``voc2007`` or ``coco2014``.
        split: ``train`` or ``test``.

    Raises:
        ValueError: there is no such set or split.
        CourseError: the user does not have it.
    """
    if data not in SETS:
        raise ValueError(
            f"data is {data!r}, but where each class is in an image is known of {' and '.join(SETS)} only."
        )
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}, possible are train and test.")
    return SETS[data](split)
