"""The torch engine: images, fields, network, losses, training, decoding and evaluation."""
