"""The torch engine: pictures, fields, network, losses, training, decoding and evaluation."""
