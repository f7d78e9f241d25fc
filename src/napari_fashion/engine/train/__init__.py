"""Training: recipes, runs and the trainer."""
