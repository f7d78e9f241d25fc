"""Annotated images become samples and batches."""
