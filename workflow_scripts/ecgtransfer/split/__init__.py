"""Who trains, who validates and who tests, by what the audit found; and what leaks from one to the other."""
