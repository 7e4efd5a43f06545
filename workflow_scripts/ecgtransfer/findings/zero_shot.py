"""Zero-shot: the model of a source, unchanged, on the test records of a target, for the labels that both have."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ecgtransfer.arms import FINETUNE, SCRATCH, Cell, arm_of
from ecgtransfer.compare.draws import Draws
from ecgtransfer.compare.predictions import Arrays, Meeting
from ecgtransfer.compare.tables import TableForm, sorted_table
from ecgtransfer.compare.tested import Tested, tested
from ecgtransfer.errors import InputError
from ecgtransfer.exhibits.page_parts import Part, exhibit
from ecgtransfer.exhibits.style import (
    LINE_HEIGHT,
    SMALL,
    WIDTH,
    answered,
    legend_below,
    new_figure,
    nothing_to_show,
    title_panel,
)
from ecgtransfer.exhibits.tables import Columns, count, interval, named_rows, value, word
from ecgtransfer.statistics.metrics import auroc, macro
from ecgtransfer.statistics.resampling import patients_of_rarer_class

ZERO_SHOT_COLUMNS = [
    *("target", "source", "model", "metric", "n_labels", "labels"),
    *("score", "ci_low", "ci_high", "scratch", "finetune"),
]
METRIC = "macro_auroc"
BETWEEN_LABELS = "|"
TABLES = {
    "zero_shot": TableForm(
        ZERO_SHOT_COLUMNS,
        "models of the sources, unchanged, on the targets",
        "One row per target, source and model: the source's own model, not trained further (of several pre-trainings"
        " the first).",
        {
            "target, source, model": "what is combined",
            "metric": "`macro_auroc`",
            "n_labels, labels": "the labels that both have and enough test patients have, joined by `|`",
            "score, ci_low, ci_high": "macro AUROC over these labels, with interval over test patients",
            "scratch, finetune": "of the same labels by the cells of the largest fraction",
        },
    )
}
CAPTION = """
How well the model of a source does on the test recordings of a target without any training there, over the labels that
both have, next to the same labels by models from scratch at the largest fraction. The numbers, with intervals, are in
``findings/zero_shot.csv``.
"""


def compute(
    source_predictions: Mapping[Meeting, Arrays],
    predictions_at_largest: Mapping[Cell, Arrays],
    labels: Mapping[str, pd.DataFrame],
    splits: Mapping[str, pd.DataFrame],
    draws: Draws,
    min_positives: int,
) -> dict[str, pd.DataFrame]:
    """Return the table with a row of `zero_shot` wherever a source meets a target."""
    cells = {(cell.target, cell.model, cell.arm): cell for cell in predictions_at_largest}
    rows = []
    for (target, model, source), predictions in source_predictions.items():
        trained = (cells.get((target, model, arm)) for arm in (SCRATCH, arm_of(FINETUNE, source)))
        beside = (predictions_at_largest[cell] if cell else None for cell in trained)
        tables = labels[target], splits[target]
        rows.append(zero_shot(target, source, model, predictions, *tables, draws, min_positives, *beside))
    return {"zero_shot": zero_shot_table(rows)}


def zero_shot(
    target: str,
    source: str,
    model: str,
    source_predictions: Arrays,
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    draws: Draws,
    min_positives: int,
    scratch: Arrays | None = None,
    finetune: Arrays | None = None,
) -> dict[str, object]:
    """Return how well the model of a source does on a target that it was not trained on.

    Parameters
    ----------
    target, source, model
        What meets.
    source_predictions
        What the model of the source predicts with its own head: ``record_id`` (N,), ``labels`` (L,), ``probability``
        (N, L) of all records of the target.
    labels, splits
        The tables of the target.
    draws
        Of the interval, which covers test patients alone: there is one model.
    min_positives
        A label counts if at least this many test patients have it, and as many do not.
    scratch, finetune
        The arrays of ``predictions.npz`` of the cells at the largest fraction, where there are such cells.

    Returns
    -------
    dict
        A row for `zero_shot_table`: `ZERO_SHOT_COLUMNS`, those left out that are empty.

        ``n_labels``, ``labels``
            The labels of the source that the target has, too, and that count; joined by ``|``.
        ``score``, ``ci_low``, ``ci_high``
            Macro AUROC over these labels; empty where there are none.
        ``scratch``, ``finetune``
            The same of models trained on the target, mean over replicates; empty where they are not given.

    Raises
    ------
    InputError
        If a test record is missing from the predictions or from the labels.
    """
    run = _of_source(source_predictions, labels, splits)
    n_patients = patients_of_rarer_class(run.positive, run.known, run.patients)
    columns = np.flatnonzero(n_patients >= min_positives).tolist()
    names = [run.labels[column] for column in columns]
    row: dict[str, object] = {"target": target, "source": source, "model": model, "metric": METRIC}
    row |= {"n_labels": len(names), "labels": BETWEEN_LABELS.join(names)}
    if names:
        values = macro(run.values(auroc, np.arange(len(run.record_id)), columns, draws.weights_of(run.patients))[0])
        ends = np.clip(draws.interval_of(values[None]), 0, 1)
        row |= dict(zip(("score", "ci_low", "ci_high"), ends, strict=True))
        trained = {"scratch": scratch, "finetune": finetune}
        row |= {
            arm: _score(tested(predictions, labels, splits), names)
            for arm, predictions in trained.items()
            if predictions is not None
        }
    return row


def zero_shot_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return the rows of `zero_shot` as a table, columns `ZERO_SHOT_COLUMNS`."""
    return sorted_table(list(rows), ZERO_SHOT_COLUMNS, ["target", "source", "model"])


def _of_source(predictions: Arrays, labels: pd.DataFrame, splits: pd.DataFrame) -> Tested:
    """Return the predictions for the test records on labels that the target has, too, as a run with one replicate."""
    test_ids = splits.loc[splits["role"] == "test", "record_id"].astype(str).to_numpy()
    places = pd.Index(predictions["record_id"].astype(str)).get_indexer(pd.Index(test_ids))
    if (places < 0).any():
        absent = test_ids[places < 0]
        raise InputError(
            f"predictions of the source: test record {absent[0]} missing ({len(absent)} in all); predict them again"
        )
    shared = [column for column, name in enumerate(predictions["labels"].astype(str)) if name in labels.columns]
    as_a_run = {
        "labels": predictions["labels"][shared],
        "test_record_id": test_ids,
        "test_probability": predictions["probability"][None, places][:, :, shared],
    }
    return tested(as_a_run, labels, splits)


def _score(run: Tested, names: list[str]) -> float:
    """Return the macro AUROC over some labels, mean over replicates."""
    columns = [run.labels.index(name) for name in names]
    whole = np.ones((1, len(run.record_id)), dtype=np.int32)
    by_label = run.values(auroc, np.arange(len(run.record_id)), columns, whole)
    return float(by_label.mean())


_CELL_WIDTH, _CELL_HEIGHT = 0.92, 0.58  # inches
_COLOURS = "cividis"  # from dark to light, also in grey
_SCALE = Normalize(0.5, 1, clip=True)
_NAME_LENGTH = 12  # characters in a line
_NOTE = (
    "Macro AUROC on the target's test recordings over the labels that both have, without any training on the target;"
    " below it the same labels from scratch at the largest fraction."
)


def draw(zero_shot: pd.DataFrame) -> Figure:
    """Return the figure from the table of `zero_shot`; every cell holds its numbers."""
    table = answered(zero_shot)
    table = table[table["score"].notna()]
    if table.empty:
        return nothing_to_show("No scores without training: no source and target have labels in common.")
    targets, sources = sorted(table["target"].unique()), sorted(table["source"].unique())
    models = sorted(table["model"].unique())
    panel_width = 1.2 + _CELL_WIDTH * len(targets)
    n_columns = min(len(models), max(1, int((WIDTH - 0.7) / panel_width)))
    n_bands = -(-len(models) // n_columns)
    row_height = max(_CELL_HEIGHT, _most_lines(sources) * LINE_HEIGHT)
    figure = new_figure(n_bands * (len(sources) * row_height + _most_lines(targets) * LINE_HEIGHT + 0.9))
    grid = figure.add_gridspec(n_bands, n_columns)
    colours = ScalarMappable(_SCALE, _COLOURS)
    panels = []
    for number, model in enumerate(models):
        axes = figure.add_subplot(grid[divmod(number, n_columns)])
        title_panel(axes, [model], panel_width)
        _draw_model(axes, table[table["model"] == model], targets, sources, colours)
        panels.append(axes)
    bar = figure.colorbar(colours, ax=panels, fraction=0.03, aspect=12 * n_bands, pad=0.02)
    bar.ax.tick_params(labelsize=SMALL)
    legend_below(figure, [], [], _NOTE)
    return figure


def _draw_model(
    axes: Axes, table: pd.DataFrame, targets: list[str], sources: list[str], colours: ScalarMappable
) -> None:
    cells = {(row.source, row.target): row for row in named_rows(table)}
    scores = table.pivot(index="source", columns="target", values="score").reindex(index=sources, columns=targets)
    axes.imshow(np.ma.masked_invalid(scores.to_numpy(dtype=float)), cmap=colours.cmap, norm=_SCALE, aspect="auto")
    for row, source in enumerate(sources):
        for column, target in enumerate(targets):
            ink, text = "0.3", "no label\nin common"
            if cell := cells.get((source, target)):
                red, green, blue, _ = colours.to_rgba(cell.score)
                ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
                scratch = "–" if pd.isna(cell.scratch) else f"{cell.scratch:.3f}"
                text = f"{cell.score:.3f}\nscratch {scratch}\n{cell.n_labels:.0f} labels"
            axes.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=ink, linespacing=1.05)
    axes.set_xticks(range(len(targets)), list(map(_lines, targets)), fontsize=SMALL)
    axes.set_yticks(range(len(sources)), list(map(_lines, sources)), fontsize=SMALL)
    axes.tick_params(length=0)
    axes.set_xlabel("target", fontsize=SMALL)
    axes.set_ylabel("source", fontsize=SMALL)
    axes.spines[:].set_visible(False)


def _most_lines(names: list[str]) -> int:
    return max(_lines(name).count("\n") + 1 for name in names)


def _lines(name: str, length: int = _NAME_LENGTH) -> str:
    """Return a name in lines of a length: broken behind ``-``, ``+`` and ``_`` where possible."""
    lines = [""]
    for part in name.replace("-", "-\0").replace("+", "+\0").replace("_", "_\0").split("\0"):
        if lines[-1] and len(lines[-1] + part) > length:
            lines.append("")
        lines[-1] += part
    pieces = [line[start : start + length] for line in lines for start in range(0, len(line), length)]
    return "\n".join(pieces)


def on_page(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Return the figure with its numbers."""
    columns: Columns = {
        "target": word("target"),
        "model": word("model"),
        "source": word("source"),
        "labels": count("n_labels"),
        "unchanged": value("score"),
        "interval": interval,
        "from scratch": value("scratch"),
        "fine-tuned": value("finetune"),
    }
    caption = "Macro AUROC of the models of the sources, unchanged, on the targets."
    return exhibit(tables["zero_shot"], "zero_shot", caption, columns)
