"""What readers of figures and pages see in place of the names that files have."""

from ecgtransfer.arms import SCRATCH, source_of, way_of
from ecgtransfer.prepare.corpora import LABELS, is_shuffled, task_of, without_shuffling

ANSWERED_METRIC = "macro_auroc"
"""What sentences and figures speak of; the other metrics are in the tables."""
METRIC_NAMES = {
    "macro_auroc": "macro AUROC",
    "macro_auprc": "macro average precision",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1 at 0.5",
    "challenge_score": "Challenge 2021 score",
}

_TASK_NAMES = {
    "age": ", regression of age",
    "intervals": ", regression of intervals",
    "masked": ", masked patches",
}
_WAY_NAMES = {
    "finetune": "",
    "probe": ", frozen (probe)",
    "svm": ", frozen (svm)",
    "gradual": ", unfrozen from the top (gradual)",
    "discriminative": ", slower towards the input (discriminative)",
}


def series_name(arm: str) -> str:
    """Say in words how a run started: ``finetune-x`` is "pre-trained on x"."""
    if arm == SCRATCH:
        return "from scratch"
    source = source_of(arm)
    name = f"pre-trained on {without_shuffling(source)}"
    if is_shuffled(source):
        name += ", labels shuffled (control)"
    elif task_of(source) != LABELS:
        name += _TASK_NAMES[task_of(source)]
    return name + way_name(arm)


def way_name(arm: str) -> str:
    """Say in words, to end a description with, how an arm transfers; nothing where all layers are fine-tuned."""
    way, _, n_groups = way_of(arm).partition(":")
    return f", lowest {n_groups} layer groups frozen (partial)" if n_groups else _WAY_NAMES.get(way, f", {way}")
