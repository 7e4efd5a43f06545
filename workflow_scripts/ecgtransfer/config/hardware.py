"""Config section of how training uses the machine."""

from typing import Literal

from ecgtransfer.config.keys import Section, Truth, key


class Hardware(Section):
    """The section ``hardware``."""

    precision: Literal["auto", "float32"] = key("auto")
    """`auto`: bfloat16 on GPUs that have it, float32 elsewhere; or `float32` everywhere"""
    deterministic: Truth = key(True)
    """only algorithms that reproduce the same bytes; `false` may be faster on GPUs"""
    kernels: Literal["fast", "plain"] = key("fast")
    """on CPUs, filters, recurrent layers and convolutions by this workflow's own faster code (`fast`) or by SciPy and
    PyTorch (`plain`), equal except for rounding; GPUs always compute `plain`"""
