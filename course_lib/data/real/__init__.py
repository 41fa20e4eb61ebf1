"""Sets that are read from files: torchvision's layouts, or packed files, in the folder ``COURSE_DATA``.

``folder`` knows where they lie, ``torchvision_sets`` and ``packed_sets`` read the two forms, ``downloaded``
and ``packed_only`` declare every set, ``source`` chooses, reads and verifies, ``fetch`` downloads.
"""
