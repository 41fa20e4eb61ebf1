"""`course grade`: notebooks that were handed in, each run in a process of its own and judged in ours.

``notebook``   reads a file: which cells run, and where the course's own checks go
``process``    the process of one notebook, seen from outside; ``tree`` watches all that it starts
``child``      the same from inside: runs cells, observes answers; ``confine`` takes its rights away first
``one``        grades one notebook: from what its process tells to rows with points (``result``)
``hidden``     an instructor's own cases, which the notebook does not know
``many``       a whole class: at the same time, with a progress bar; ``journal`` lets a stopped run go on
"""
