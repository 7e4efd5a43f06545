"""Bring recordings here: downloads that are verified, and simulated corpora in native file layouts."""
