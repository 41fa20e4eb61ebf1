"""The tasks of the saliency chapter (Rebuffi 2020, Chapter 8), in the order of the exercise."""

TASKS = ()
