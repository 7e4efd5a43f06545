"""Finding recordings and patients that occur twice: within a corpus, or in both source and target of a transfer."""
