"""How large a schema may be: files of strangers are checked before anything is built of them."""

MAX_LANDMARKS = 4096
"""Number of landmarks that a schema has at most."""
MAX_EDGES = 16_384
"""Number of edges that a skeleton has at most; of longer ones in COCO files the first are read."""
MAX_CATEGORIES = 10_000
"""Number of categories that a schema has at most."""
MAX_SIGMA = 10.0
"""No sigma is greater: that is ten times the square root of the garment's area."""
MAX_LETTERS = 1000
"""Number of letters that a name in a schema file has at most."""
