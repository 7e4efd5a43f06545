"""Which findings there are, in the order of the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from ecgtransfer.findings.asked import asked


@dataclass(frozen=True)
class Section:
    """A section of the page: a question, and the findings that answer it, in their order.

    Attributes
    ----------
    anchor, short
        Its name in links, and in the list of sections.
    title, text
        Shown above the findings; the text may be empty.
    findings
        Their modules.
    """

    anchor: str
    short: str
    title: str
    text: str
    findings: tuple[str, ...]


GAINS = (
    Section("answer", "Answer", "Does pre-training help?", "", ("headlines",)),  # written by the page itself
    Section("curves", "Learning curves", "How good is it with how many labels?", "", ("curves",)),
    Section("verdicts", "Verdicts", "Where does it help, and where not?", "", ("verdicts",)),
    Section(
        "best",
        "Best choice",
        "Which source, model and method is the best?",
        "Of several that are equally good one comes first, too. So intervals hold for all candidates at once, and those"
        " tie that no other one is shown to be better than. Whether the best is better than training from scratch"
        " stands in the verdicts.",
        ("best",),
    ),
    Section(
        "label-saving",
        "Labels saved",
        "How many labels does it save?",
        "How many times the labelled recordings training from scratch needs to reach the same score, read off its"
        " learning curve. Beyond the ends of that curve nothing is known: there it says more than (>) or less than (<)"
        " the end.",
        ("label_saving",),
    ),
    Section(
        "controls",
        "Controls",
        "What is a gain owed to?",
        "Pre-training on shuffled labels learns what signals look like, and can help by that. What a source gains over"
        " it is owed to its labels; what it gains over untrained weights itself is owed to its signals.",
        ("controls",),
    ),
    Section(
        "convergence",
        "Speed",
        "Is it faster?",
        "Time until a training first reaches 99 % of the best validation score of its partner from scratch; a ratio"
        " below 1 means that transfer is faster. catch_up: the epoch in which scratch reached the best score of"
        " transfer.",
        ("convergence",),
    ),
    Section(
        "architectures",
        "Kinds of models",
        "Do convolutional models gain more than recurrent ones?",
        "The gain of the one family minus that of the other. A recurrent model whose head reads every time step takes"
        " over only a small share of its weights, which can be the reason: the share is shown next to it.",
        ("architectures",),
    ),
    Section(
        "labels",
        "Single labels",
        "Which labels gain?",
        "AUROC of single labels with the fewest labelled recordings. Spearman's correlation of gain and"
        " frequency, in the file prevalence.csv, shows whether rare labels gain more. Single labels have few test"
        " recordings: see how many before you trust one.",
        ("per_label",),
    ),
    Section(
        "sources",
        "Sources",
        "Which source fits which target?",
        "The model of a source on a target without any training there, on the labels that both have; and a score that"
        " should predict, before fine-tuning, how well it will go (MELEP, arXiv 2311.04224; lower is better).",
        ("zero_shot", "transferability"),
    ),
    Section(
        "patients",
        "Patients",
        "Does it hold for everybody, and can the probabilities be trusted?",
        "Macro AUROC by sex and by age; the gap is against all other test recordings, on the labels that are frequent"
        " enough in both. Calibration: how far predicted probabilities lie from the shares that were observed.",
        ("subgroups", "calibration"),
    ),
    Section(
        "claims", "What was claimed", "What was claimed, and what is found here", "", ("claims", "optimism", "parity")
    ),
)
"""What pre-training brings, on the page after what there is to train on."""
NEEDS = (
    Section(
        "next-steps",
        "What would decide",
        "What would decide the rest?",
        "Replicates narrow what trainings differ by; what test patients leave, only more of them narrow.",
        ("next_steps",),
    ),
    Section(
        "more-labels",
        "More labels",
        "How many more labels?",
        "Learning curves, continued as inverse power laws (Figueroa et al. 2012). Intervals hold for curves that go on"
        " as they are; the largest fraction, predicted by the others, shows whether they did so far.",
        ("more_labels",),
    ),
    Section(
        "costs",
        "Cost",
        "What does it cost?",
        "Pre-training has paid for itself after as many targets as its cost is of what each of them saves.",
        ("costs",),
    ),
)
"""What it takes, or would take to know more; at the end of the results."""
SECTIONS = (*GAINS, *NEEDS)
FINDINGS = tuple(finding for section in SECTIONS for finding in section.findings)


def tables_of_findings(findings: Iterable[str] = FINDINGS) -> tuple[str, ...]:
    """Return the names of the tables of some findings, in their order."""
    return tuple(table for finding in findings for table in asked(finding).tables)


def drawn_findings(findings: Iterable[str] = FINDINGS) -> tuple[str, ...]:
    """Return those of some findings that have a figure."""
    return tuple(finding for finding in findings if asked(finding).drawn_from)
