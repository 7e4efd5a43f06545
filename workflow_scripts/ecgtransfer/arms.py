"""The cells of a study, and what their arms are called: ``scratch``, or a method of transfer and its source."""

from dataclasses import dataclass

SCRATCH = "scratch"
FINETUNE = "finetune"
_BETWEEN = "-"  # the first one of a name: methods have none


def arm_of(method: str, source: str) -> str:
    """Return the name of the arm that starts from a source by a method."""
    return f"{method}{_BETWEEN}{source}"


def method_name_of(arm: str) -> str:
    """Return how an arm transfers, such as ``finetune`` or ``partial:2``; empty for the one from scratch."""
    return "" if arm == SCRATCH else arm.partition(_BETWEEN)[0]


def source_of(arm: str) -> str:
    """Return what an arm starts from, empty for the one from scratch."""
    return "" if arm == SCRATCH else arm.partition(_BETWEEN)[2]


@dataclass(frozen=True)
class Cell:
    """One training job: all replicates of a target, model, arm and fraction."""

    target: str
    model: str
    arm: str  # see `ecgtransfer.arms`
    fraction: float  # of the training patients, in (0, 1]

    @property
    def name(self) -> str:
        """In words, for messages."""
        return f"{self.target}/{self.model}/{self.arm}/{self.fraction:g}"

    @property
    def method(self) -> str:
        """How it transfers, such as ``finetune`` or ``partial:2``; empty from scratch."""
        return method_name_of(self.arm)

    @property
    def source(self) -> str:
        """What it starts from, as `transfer.sources` names it; empty from scratch."""
        return source_of(self.arm)
