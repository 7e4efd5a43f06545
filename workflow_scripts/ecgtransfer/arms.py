"""What an arm of a study is called: ``scratch``, or a way to transfer and its source, ``probe-georgia``."""

SCRATCH = "scratch"
FINETUNE = "finetune"
_BETWEEN = "-"  # the first one of a name: ways have none


def arm_of(way: str, source: str) -> str:
    """Return the name of the arm that starts from a source in some way."""
    return f"{way}{_BETWEEN}{source}"


def way_of(arm: str) -> str:
    """Return how an arm transfers, such as ``finetune`` or ``partial:2``; empty for the one from scratch."""
    return "" if arm == SCRATCH else arm.partition(_BETWEEN)[0]


def source_of(arm: str) -> str:
    """Return what an arm starts from, empty for the one from scratch."""
    return "" if arm == SCRATCH else arm.partition(_BETWEEN)[2]
