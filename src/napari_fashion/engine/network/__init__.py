"""The network: backbones, necks and heads."""
