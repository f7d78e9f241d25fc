"""Losses (DESIGN section 4): confidence, vectors with spread, sizes and category.

This package imports no torch by itself: recipes read `losses.options`.
"""
