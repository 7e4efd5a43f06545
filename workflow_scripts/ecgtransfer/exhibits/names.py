"""What readers of figures and pages see in place of the names that files have."""

from ecgtransfer.arms import SCRATCH, method_name_of, source_of
from ecgtransfer.errors import printable
from ecgtransfer.methods import method_of
from ecgtransfer.source import UNTRAINED, Source

ANSWERED_METRIC = "macro_auroc"
"""What sentences and figures speak of; the other metrics are in the tables."""
METRIC_NAMES = {
    "macro_auroc": "macro AUROC",
    "macro_auprc": "macro average precision",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1 at 0.5",
    "challenge_score": "Challenge 2021 score",
}

_LONGEST_ID = 40  # characters

_TASK_NAMES = {
    "age": ", regression of age",
    "intervals": ", regression of intervals",
    "masked": ", masked patches",
}
"""What is learnt from a source in place of labels."""


def series_name(arm: str) -> str:
    """Return in words how a run started: ``finetune-x`` is "pre-trained on x"."""
    if arm == SCRATCH:
        return "from scratch"
    source = Source.of(source_of(arm))
    if source.task == UNTRAINED:
        return f"untrained (control of {source.joined})" + method_words(arm)
    learnt = ", labels shuffled (control)" if source.shuffled else _TASK_NAMES.get(source.task, "")
    return f"pre-trained on {source.joined}{learnt}" + method_words(arm)


def method_words(arm: str) -> str:
    """Return in words, to end a description with, how an arm transfers; nothing where all layers are fine-tuned."""
    words = method_of(method_name_of(arm)).in_figures_here if arm != SCRATCH else ""
    return words and f", {words}"


def one_line(text: str, length: int) -> str:
    """Return text in one line of at most `length` characters, none of which is invisible; cut where it is longer."""
    shown = printable(" ".join(text.split()))
    return shown if len(shown) <= length else shown[: length - 2].rstrip() + " …"


def short_id(record_id: str) -> str:
    """Return the id of a record in one line, without the middle of a long one: ids often differ at the end alone."""
    shown = printable(" ".join(record_id.split()))
    half = _LONGEST_ID // 2 - 1
    return shown if len(shown) <= _LONGEST_ID else f"{shown[:half]}…{shown[-half:]}"
