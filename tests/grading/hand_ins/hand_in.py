"""Making notebooks as students hand them in."""

import json

ANSWER = """\
import torch
def shade_penalty(h, mu):
    q = torch.sigmoid(h)
    return ((1 - q) * (h - mu[0]) ** 2 + q * (h - mu[1]) ** 2).mean(0)
"""
WRONG = ANSWER.replace(".mean(0)", ".sum(0)")
CHECK = 'from course_lib.grading import check\ncheck("shade.penalty", shade_penalty)'


def code(source, marker=None):
    marks = {"nbgrader": {"grade_id": marker}} if marker else {}
    return {"cell_type": "code", "metadata": marks, "source": source}


def notebook(*cells):
    """The text of a notebook of code cells, given as sources or as made by ``code``."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made})


def hand_in(folder, *cells, name="01_shade.ipynb", last="check"):
    """A notebook file; its last cell is the locked check cell unless that was deleted."""
    check = [code(CHECK, "shade-penalty-check")] if last == "check" else []
    path = folder / name
    path.write_text(notebook(*cells, *check))
    return path
