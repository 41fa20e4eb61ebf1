"""A folder of notebooks as a class may hand them in, and some that nobody should, with what must come out.

``ANSWERS`` says, for each file: the points of shade.penalty, its state, and a text that its message or notes
must hold.  The other tasks of the chapter are missing from most of them.
"""

import json
import os
from pathlib import Path

from tests.grading.hand_ins.hand_in import ANSWER, CHECK, WRONG, code, notebook

ROOT = Path(__file__).resolve().parents[3]
MARKED = code(CHECK, "shade-penalty-check")

ANSWERS = {
    # right, in several ways
    "right": ([ANSWER, MARKED], 2, "passed", ""),
    "right_loops": (
        [
            """\
import math, torch
def shade_penalty(h, mu):
    rows = []
    for d in range(h.shape[1]):
        total = 0
        for x in h[:, d]:
            q = 1 / (1 + torch.exp(-x))
            total = total + (1 - q) * (x - mu[0, d]) ** 2 + q * (x - mu[1, d]) ** 2
        rows.append(total / len(h))
    return torch.stack(rows)""",
            MARKED,
        ],
        2,
        "passed",
        "",
    ),
    "right_below_its_check": ([MARKED, ANSWER], 2, "passed", ""),
    "right_after_a_broken_cell": (["def broken(:", ANSWER, MARKED], 2, "passed", "SyntaxError"),
    "right_with_magics": (["%matplotlib inline\n!true\n%time 1", ANSWER, MARKED], 2, "passed", ""),
    # wrong, and told so
    "stub": (
        ["def shade_penalty(h, mu):\n    raise NotImplementedError", MARKED],
        0,
        "not attempted",
        "Write your answer into shade_penalty",
    ),
    "no_answer": ([MARKED], 0, "missing", "defines no shade_penalty"),
    "wrong": ([WRONG, MARKED], 0, "not yet", "This is the sum over the samples."),
    "wrong_no_gradient": (
        [ANSWER.replace(".mean(0)", ".mean(0).detach()"), MARKED],
        0,
        "not yet",
        "no gradient reaches h",
    ),
    "wrong_random": (
        [ANSWER.replace(".mean(0)", ".mean(0) + torch.rand(())"), MARKED],
        0,
        "not yet",
        "should be",
    ),
    # what does not end
    "endless_cell": (["while True:\n    pass", ANSWER, MARKED], 2, "passed", "ran longer than"),
    "endless_answer": (
        ["def shade_penalty(h, mu):\n    while True:\n        pass", MARKED],
        0,
        "not yet",
        "did not end",
    ),
    "sleeping_answer": (
        ["import time\ndef shade_penalty(h, mu):\n    time.sleep(1000)", MARKED],
        0,
        "not yet",
        "did not end",
    ),
    "deaf_cell": (
        [
            ANSWER.replace("shade_penalty", "another"),
            "import signal, time\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\ntime.sleep(1000)",
            MARKED,
        ],
        0,
        "stopped",
        "was stopped after 40 s, in code cell 2",
    ),
    # what ends too soon
    "exit_now": (["import os\nos._exit(0)", ANSWER, MARKED], 0, "stopped", "exit code 0"),
    "system_exit": (["raise SystemExit", ANSWER, MARKED], 2, "passed", "SystemExit"),
    "exit_in_the_answer": (
        ["import os\ndef shade_penalty(h, mu):\n    os._exit(0)", MARKED],
        0,
        "stopped",
        "while shade.penalty was tried",
    ),
    "kills_its_kernel": (
        [ANSWER, MARKED, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"],
        2,
        "passed",
        "exit code -9",
    ),
    "kills_the_grader": (
        ["import os, signal\nos.kill(os.getppid(), signal.SIGKILL)", ANSWER, MARKED],
        2,
        "passed",
        "PermissionError",
    ),
    # what takes too much
    "100_gigabytes": (
        ["import torch\nx = torch.ones(25_000_000_000)", ANSWER, MARKED],
        2,
        "passed",
        "RuntimeError",
    ),
    "100_gigabytes_in_the_answer": (
        ["import torch\ndef shade_penalty(h, mu):\n    return torch.ones(25_000_000_000)", MARKED],
        0,
        "not yet",
        "RuntimeError",
    ),
    "50_processes": (
        ["import subprocess\na = [subprocess.Popen(['sleep', '600']) for _ in range(50)]", ANSWER, MARKED],
        2,
        "passed",
        "at most 32 processes",
    ),
    "50_hidden_processes": (
        [
            "import subprocess\n"
            "a = [subprocess.Popen(['sleep', '600'], start_new_session=True) for _ in range(50)]",
            ANSWER,
            MARKED,
        ],
        2,
        "passed",
        "at most 32 processes",
    ),
    "50_processes_of_another": (
        [
            ANSWER,
            MARKED,
            "import os, time\nos.system('for n in $(seq 50); do setsid sleep 600 & done')\ntime.sleep(5)",
        ],
        2,
        "passed",
        "more than 32 processes",
    ),
    "60_megabytes_of_output": (["print('x' * 60_000_000)", ANSWER, MARKED], 2, "passed", ""),
    "a_huge_file": (
        ["f = open('big', 'wb')\nfor _ in range(1000):\n    f.write(bytes(2**20))", ANSWER, MARKED],
        2,
        "passed",
        "OSError",
    ),
    "many_large_files": (
        [
            "import time\n"
            "for n in range(4):\n    open(f'big{n}', 'wb').write(bytes(400 * 2**20))\ntime.sleep(3)",
            ANSWER,
            MARKED,
        ],
        0,
        "stopped",
        "to the disk",
    ),
    # what cheats
    "deleted_checks": ([WRONG], 0, "not yet", "This is the sum over the samples."),
    "edited_checks": (
        [WRONG, code("print('✓ passed')", "shade-penalty-check")],
        0,
        "not yet",
        "This is the sum",
    ),
    "redefined_check": (
        [WRONG, "def check(*a):\n    return 'passed'", MARKED],
        0,
        "not yet",
        "This is the sum",
    ),
    "monkeypatched_course": (
        [
            WRONG,
            "import torch\nfrom course_lib.grading import engine, judge, observe, tasks, values\n"
            "judge.first_fault = lambda *a: None\nobserve.observe = lambda *a, **k: None\n"
            "tasks.of_chapter = lambda *a: ()\nvalues.same = lambda *a: True\n"
            "torch.equal = torch.allclose = lambda *a, **k: True",
            MARKED,
        ],
        0,
        "not yet",
        "This is the sum",
    ),
    "printed_report": (
        [
            WRONG,
            "import os\n"
            'text = \'{"kind": "task", "task": "shade.penalty", "seen": {}, "hidden": null}\'\n'
            "print('shade.penalty   2 / 2   passed')\nprint(text, flush=True)\n"
            "for n in range(3, 30):\n    try:\n        os.write(n, (text + chr(10)).encode())\n"
            "    except OSError:\n        pass",
            MARKED,
        ],
        0,
        "not yet",
        "This is the sum",
    ),
    "writes_outside": (
        ["open('{outside}/written', 'w').write('x')", "open('{outside}/kept').read()", ANSWER, MARKED],
        2,
        "passed",
        "PermissionError",
    ),
    "deletes_outside": (
        ["import os\nos.remove('{outside}/kept')", ANSWER, MARKED],
        2,
        "passed",
        "PermissionError",
    ),
    "asks_the_network": (
        ["import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=5)", ANSWER, MARKED],
        2,
        "passed",
        "code cell 1 failed",
    ),
    "the_librarys_own": (
        ["from course_lib.methods.shade import shade_penalty", MARKED],
        0,
        "not yet",
        "earns no points",
    ),
    "calls_the_librarys": (
        [
            "from course_lib.methods import shade\n"
            "def shade_penalty(h, mu):\n    return shade.shade_penalty(h, mu)",
            MARKED,
        ],
        0,
        "not yet",
        "earns no points",
    ),
    "asks_the_oracle": (
        [
            "from course_lib.grading import tasks\n"
            "def shade_penalty(h, mu):\n    return tasks.get('shade.penalty').oracle(h, mu)",
            MARKED,
        ],
        0,
        "not yet",
        "earns no points",
    ),
    "reads_the_solution": (
        [
            "import course_lib, pathlib\n"
            "exec((pathlib.Path(course_lib.__file__).parents[1] / 'solutions/01_shade.py').read_text())",
            MARKED,
        ],
        0,
        "missing",
        "PermissionError",
    ),
}

UNREADABLE = {
    "not_json": (b"this is no notebook {", "it holds no JSON"),
    "empty": (b"", "the file is empty"),
    "binary": (os.urandom(4096) + b"\x00\xff", "it holds no JSON"),
    "a_list": (b"[1, 2]", "it has no list of cells"),
    "another_chapter": (
        notebook(code('check("nothing.here", answer)', "nothing-here-check")).encode(),
        "holds no task of this course",
    ),
}


def write(folder: Path, outside: Path, port: int) -> None:
    """Write the whole folder.

    Args:
        folder: where the notebooks go.
        outside: a folder that none of them may change.
        port: of a server that none of them may reach.
    """
    for name, (cells, *_) in ANSWERS.items():
        text = notebook(*cells)
        text = text.replace("{outside}", outside.as_posix()).replace("{port}", str(port))
        (folder / f"{name}.ipynb").write_text(text)
    for name, (content, _) in UNREADABLE.items():
        (folder / f"{name}.ipynb").write_bytes(content)
    solution = json.loads((ROOT / "solutions" / "01_shade.ipynb").read_text())
    (folder / "the_solution.ipynb").write_text(json.dumps(solution))
    (folder / "as_shipped.ipynb").write_bytes((ROOT / "exercises" / "01_shade.ipynb").read_bytes())
