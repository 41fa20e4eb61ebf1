"""The task saliency.excitation."""

from course_lib.grading.tasks.saliency.excitation_pieces import exciting

RIGHT = [exciting()]
CAUSES_OF = {"zero by zero": "finite", "one layer too far": "shape"}
