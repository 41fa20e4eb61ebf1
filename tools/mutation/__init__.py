"""How well the graders grade: every reference solution is changed in every small way, and each changed one
must be refused.

``operators``   the small ways to change a piece of code
``references``  the solutions, taken from ``solutions/NN_topic.py``
``survey``      changes them all, asks the graders, records the result
``equivalent``  changed solutions that are still right (``equivalent.toml``), each with its reason
``page``        the page of the book that shows the result

And how well the tests of the library's methods do, in the same way (``python -m tools.mutation.methods``):

``definitions``         the mutants of a file, one function after the other
``methods``             runs the tests of a file on each of them, records the result in ``results/mutants/``
``equivalent_methods``  changes that leave a method right (``equivalent_methods.toml``), each with its reason
"""
