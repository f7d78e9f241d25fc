"""Training data: sources become annotated images, these are split and sampled, and loaded as canvases.

Only `loader` needs torch.
"""
