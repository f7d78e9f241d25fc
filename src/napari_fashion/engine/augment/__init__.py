"""Augmentation of whole batches: one matrix and one resampling, then colour; on any device.

This package imports no torch by itself: recipes read `augment.options`.
"""
