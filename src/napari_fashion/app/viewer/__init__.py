"""The napari side of a window: layers, what a gesture on them does, and what the manifest names."""
