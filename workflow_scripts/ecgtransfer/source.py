"""What a model is pre-trained on: a corpus, what is learnt from it, and on which labels; and the names made of that.

A corpus is one data set (``georgia``), several joined (``georgia+ningbo``), a name of the config section ``corpora``
that means some, or any of these with its labels randomly reassigned (``georgia-shuffled``): the control, from
which nothing about the labels can be learnt. The name of a source can end in what is learnt from it in place of labels:
``-age`` or ``-intervals`` (regression), or ``-masked`` (self-supervised).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

LABELS = "labels"
"""The task of a source whose name states none."""
OTHER_TASKS = ("age", "intervals", "masked")
_SHUFFLED_SUFFIX = "-shuffled"
SUFFIXES = (_SHUFFLED_SUFFIX, *(f"-{task}" for task in OTHER_TASKS))
"""What the names of data sets must not end in, because it has a meaning for a corpus."""


@dataclass(frozen=True)
class Source:
    """What a model is pre-trained on; targets are written in the same way and have no task.

    Attributes
    ----------
    joined
        The data sets, as the config names them: joined by ``+``, or by a name of ``corpora``. Empty from scratch.
    task
        What is learnt: ``labels``, ``age``, ``intervals`` or ``masked``.
    shuffled
        Whether its labels are randomly reassigned.
    """

    joined: str
    task: str = LABELS
    shuffled: bool = False

    @classmethod
    def of(cls, name: str) -> Source:
        """Return the source of a name, as configs, paths and tables have it."""
        return _source_of(name)

    @property
    def corpus(self) -> str:
        """The corpus whose labels and splits it has: its name without a task."""
        return self.joined + _SHUFFLED_SUFFIX * self.shuffled


@cache
def _source_of(name: str) -> Source:
    task = next((task for task in OTHER_TASKS if name.endswith(f"-{task}")), LABELS)
    corpus = name if task == LABELS else name.removesuffix(f"-{task}")
    return Source(corpus.removesuffix(_SHUFFLED_SUFFIX), task, corpus.endswith(_SHUFFLED_SUFFIX))


PRETRAINING = r"|@[1-9][0-9]*"
"""Pattern of a pre-training's number in paths: nothing for the first, then ``@1``, ``@2``, ..."""


def pretraining_tag(number: int) -> str:
    """Return the number of a pre-training, counted from 0, as in paths."""
    return f"@{number}" if number else ""


def pretraining_number(tag: str) -> int:
    """Return the number of the pre-training of whose path a tag is part."""
    return int(tag.removeprefix("@") or 0)
