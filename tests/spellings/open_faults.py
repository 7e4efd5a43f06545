"""Ways that are known to come out wrong still: tests of them, and of whatever has them in it, are expected to fail."""

from spelling import Choice

OPEN: tuple[Choice, ...] = (
    {"shape": "recordings last, samples first", "rows said": "from 1"},  # read as one sample of every patient
    {"numbers": "int16 0.1 mV"},  # zeros in coarse steps at an end are taken for padding
    {"fold": "two of one patient"},
    {"labels": "words as a list of Python"},  # the line that refuses it names neither table nor separator
    {"labels": "words by bars, said otherwise"},  # advised is '/' in place of '|'
    {"labels": "codes by bars, said otherwise"},
    {"labels": "codes by blanks, unsaid"},
)


def is_open(choice: Choice) -> bool:
    """Tell whether a spelling has one of them in it."""
    return any(fault.items() <= choice.items() for fault in OPEN)
