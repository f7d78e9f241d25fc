"""Evaluation: metrics in plain NumPy, the protocols that compare a model with the truth, the report.

The metrics share their words: N garments, K landmarks, C categories; visibility is COCO's (0 not labelled,
1 hidden, 2 visible). An undefined metric is None, never NaN.
"""
