"""ECG preparation, transfer training and statistics: everything that the workflow computes.

Packages follow the stages, in this order: ``acquire`` (bring or simulate recordings), ``prepare`` (signals, labels,
splits), ``train`` (pre-training, fine-tuning, from scratch), ``compare`` (scores and findings), ``report`` (figures
and the page). A later stage may import an earlier one, never the other way round. ``kernels`` holds the code that is
derived by hand for speed, and imports no stage. Nothing here imports Snakemake or
knows where a study keeps its files.
"""
