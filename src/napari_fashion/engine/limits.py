"""Limits of sizes, checked before memory is taken; free of torch."""

from __future__ import annotations

MAX_SIZE = 4096
"""Largest longer side of an image in the network's input, pixels."""
MAX_SIZES = 16
"""Largest number of sizes that multi-scale inference averages."""
