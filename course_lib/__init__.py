"""The library behind *Learned representations: what a ConvNet keeps, and what it lets go*.

Rooms, from the ground up; imports point only downwards:

``runtime``, ``files``   scale, device, seeds; safe files and the cache folder
``data``                 image sets, label splits, batches on the device
``nets``                 backbones
``metrics``              accuracy and its intervals
``training``             the one training loop, averages, schedules
``plots``, ``players``   figures and interactive players
``methods``              one file per method of the sources
``studies``              the papers' tables and figures, measured
``grading``              the check engine and ``course grade``
``cli``                  the ``course`` command
"""

__version__ = "0.1.0"
