"""Graded exercises: ``check`` and ``hint`` in the notebook, ``course grade`` for a whole class.

How an answer travels:

``tasks``        a folder a chapter: the tasks as data (``task``), their inputs drawn by ``draws``
``observe``      tries an answer on every case and writes down what it does (``observation``, ``values``):
                 called within limits by ``calling``, watched by ``borrowing``
``judge``        compares that with the oracle: the first cause, and whose misconception it is (``outcome``)
``engine``       ``check``, ``hint`` and ``passed``; ``report`` shows them
``overview``     ``progress``: what the journal (``store``, ``records``) says of each task
``hand_ins``     ``course grade``: runs each notebook in a process of its own and judges in ours
``exports``      the report in other formats, and pages to hand back
"""

import importlib

_HOMES = {
    "check": "engine",
    "hint": "engine",
    "passed": "engine",
    "progress": "overview",
    "grade_files": "hand_ins.many",
}

__all__ = ["check", "grade_files", "hint", "passed", "progress"]


def __getattr__(name: str):
    """Import what is asked for: `course grade` starts its processes before it loads torch itself."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
