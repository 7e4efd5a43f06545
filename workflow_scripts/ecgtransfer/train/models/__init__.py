"""The models, one module per family; ``docs/models.md`` lists them.

Every model is built by a function of its name that takes ``(n_leads, n_samples, n_labels)`` and options as keywords. It
returns an `ecgtransfer.train.models.base.EcgModel`, which maps float32 of shape (records, leads, samples) in normalised
units to one logit per label, (records, labels).
"""
