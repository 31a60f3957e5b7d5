"""Training: the curriculum, the fine-tuning of the head, checkpoints."""
