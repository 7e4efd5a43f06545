"""Models, pre-training, and training on a target with and without it."""
