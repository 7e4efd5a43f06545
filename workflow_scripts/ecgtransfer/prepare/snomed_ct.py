"""Identifiers of SNOMED CT: what one looks like, and the digit that checks it."""

import re
from functools import lru_cache

CODE = re.compile(r"[1-9][0-9]{5,17}(:[^|:]+)?")
"""A SNOMED CT code (6 to 18 digits), perhaps refined."""

_SNOMED_CT = re.compile(r"[1-9][0-9]{5,17}")


def base_code(code: str) -> str:
    """Return a code without its refinement: the published SNOMED CT code."""
    return code.partition(":")[0]


@lru_cache(maxsize=4096)
def is_snomed_ct(code: str) -> bool:
    """Return whether text is a SNOMED CT identifier: 6 to 18 digits, the last of which checks the others.

    References
    ----------
    SNOMED International, SNOMED CT Release File Specifications, section "Check-digit", by Verhoeff (1969).
    """
    if not _SNOMED_CT.fullmatch(code):
        return False
    check = 0
    for place, digit in enumerate(map(int, reversed(code))):
        for _ in range(place % 8):
            digit = _TURNED[digit]
        check = _product(check, digit)
    return check == 0


_TURNED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""The permutation of Verhoeff's scheme, applied once more at every place."""


def _product(a: int, b: int) -> int:
    """Return the product of two elements of the dihedral group of order 10: turns are 0 to 4, reflections 5 to 9."""
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)
