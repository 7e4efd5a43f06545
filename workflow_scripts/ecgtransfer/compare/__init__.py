"""From predictions to scores, and from scores to findings."""
