"""Sources of annotated images, opened by name: COCO files, public photos, procedural garments."""
