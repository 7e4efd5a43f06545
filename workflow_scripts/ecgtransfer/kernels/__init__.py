"""Hand-derived code that computes on CPUs what a library computes slower, with the library's form next to it.

========================  ======================  ===========================================
fast                      plain, the reference    where
========================  ======================  ===========================================
`block_filters.block_filter` `filters`: scipy        preparation of signals
`images.AsImage`          `torch.nn.Conv1d`, ...  convolutional networks, as their modules say
`layers.FastRecurrent`    `layers.Recurrent`      recurrent networks
`layers.WideLinear`       `torch.nn.Linear`       their flattened heads
`layers.FastMeanMax`      `MeanMaxOverTime`       their pooled heads
========================  ======================  ===========================================

Both give the same numbers except for rounding. ``hardware.kernels`` of the config chooses; GPUs always compute the
plain form. Other code knows no more of this package than the names above. Nothing here imports a stage.
"""
