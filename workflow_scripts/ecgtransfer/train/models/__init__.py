"""The models, one module per family.

Every model is built by a function of its name that takes ``(n_leads, n_samples, n_labels)``. It maps float32 of shape
(records, leads, samples) in normalised units to one logit per label, shape (records, labels). Its last layer, the only
one that depends on the labels, is the attribute ``head``.
"""
