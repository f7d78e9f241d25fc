"""The network: backbones, necks and heads; `config` and `heads` need no torch."""
