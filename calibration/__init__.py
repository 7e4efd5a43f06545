"""How often the intervals and verdicts of the workflow are right, by simulation: `make calibrate`."""
