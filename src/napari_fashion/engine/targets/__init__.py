"""Targets: what the fields of a batch should be (DESIGN section 4).

This package imports no torch by itself: recipes read `targets.options`.
"""
