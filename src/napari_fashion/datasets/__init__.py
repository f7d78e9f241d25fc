"""Sources of annotated images, opened by name: COCO files, the CC0 photos, procedural garments."""
