"""What both trainings share: parameter groups, the poly schedule, randomness by epoch."""
