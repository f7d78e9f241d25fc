"""The napari side: the editing model, layers, docks and background jobs."""
