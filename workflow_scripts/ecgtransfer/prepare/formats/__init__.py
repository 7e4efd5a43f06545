"""One module per file format of recordings, and what they share; `prepare/recordings.py` chooses among them."""
