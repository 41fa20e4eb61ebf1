"""Sets made by code: seeded, in seconds, without network. One file a set, each with ``INFO`` and ``make``."""
