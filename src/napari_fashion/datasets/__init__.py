"""Sources of annotated images, opened by name."""
