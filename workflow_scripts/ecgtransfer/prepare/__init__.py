"""From recordings as published to signals, labels and splits."""
