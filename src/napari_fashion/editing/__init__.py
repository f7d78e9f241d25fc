"""The editing model: edits, undo, the journal, merging and saving; no Qt, no napari."""
