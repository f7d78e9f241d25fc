"""How a model is used: the passes over images, and what runs its network."""
