"""What a model is pre-trained on: a corpus, what is learnt from it, and on which labels; and the names made of that.

A corpus is one data set (``georgia``), several joined (``georgia+ningbo``), a name of the config section ``corpora``
that means some, or any of these with its labels randomly reassigned (``georgia-shuffled``). The name of a source can
end in what is learnt from it in place of labels: ``-age`` or ``-intervals`` (regression), ``-masked``
(self-supervised), or ``-untrained``, nothing.

Two of these are controls. Shuffled labels tell nothing of the recordings, but a network learns from them what signals
look like, which can help (Maennel et al. 2020, arXiv 2006.10455). Untrained weights are those that the model starts
with, so that fine-tuning them is training from scratch once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

LABELS = "labels"
"""The task of a source whose name states none."""
UNTRAINED = "untrained"
"""The task of a source on which nothing is learnt: its weights are those that a model starts with."""
OTHER_TASKS = ("age", "intervals", "masked", UNTRAINED)
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
        What is learnt: ``labels``, ``age``, ``intervals``, ``masked``, or nothing: ``untrained``.
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
    def is_control(self) -> bool:
        """Whether it shows what transfers without what its labels tell."""
        return self.shuffled or self.task == UNTRAINED

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
