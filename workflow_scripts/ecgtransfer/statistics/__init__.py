"""Metrics on many resamples at once, bootstrap intervals, and the verdict on a difference.

`metrics` gives one value per resample, `resampling` draws patients and replicates, `inference` makes intervals,
p-values and verdicts of them. Nothing here knows files, models or studies; `ecgtransfer.compare` applies it to runs.
"""
