"""From recordings as published to signals and labels."""
