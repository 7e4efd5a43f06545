"""The page of a study: one HTML file with the answer, the figures, the tables, the methods and the limits.

The layout, and all prose about methods, is in the template `page.html.j2` next to this module.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from ecgtransfer.arms import SCRATCH, method_name_of
from ecgtransfer.compare.scores import CHALLENGE_SCORE
from ecgtransfer.config.study import Study
from ecgtransfer.exhibits.names import ANSWERED_METRIC, METRIC_NAMES
from ecgtransfer.methods import method_of
from ecgtransfer.prepare.corpora import JOINED_BY, datasets_of
from ecgtransfer.report import tables
from ecgtransfer.report.answers import answers, controls
from ecgtransfer.report.cautions import cautions
from ecgtransfer.report.inputs import DrawnRecording
from ecgtransfer.report.sections import chapters
from ecgtransfer.source import LABELS, Source
from ecgtransfer.study import (
    corpora_of,
    is_outside,
    leaks,
    named_corpora,
    patients_unknown,
    studied_datasets,
    trained_sources,
)

_DOI = re.compile(r"\bdoi:(10\.\d{4,9}/[^\s;,]+[^\s;,.])")
_TRAININGS = ("pretrain", "scratch", "finetune")
_KEPT_WEIGHTS = {
    **{
        name: f"of the epoch with the highest {METRIC_NAMES[name]} on the {{role}} recordings (the lowest loss where"
        " that is equal or undefined)"
        for name in ("macro_auroc", "weighted_f1")
    },
    "loss": "of the epoch with the lowest loss on the {role} recordings",
    "last": "of the last epoch",
    "ema": "averaged over the last tenth of all steps",
    "swa": "averaged over the second half of the epochs",
    "cross_validation": "of the epoch that is best by cross-validation over training and validation recordings",
}
_NOT_SHOWN = ("study", "mirror", "mirrors", "training")
# The title has the first, the second and third decide nothing, and the last is in each section of trainings.


@dataclass(frozen=True)
class StudyResults:
    """Everything that the page shows, read but not yet put into words."""

    study: Study
    published: Mapping[str, Mapping[str, Any]]  # data set -> its entry of config/datasets.yaml
    findings: Mapping[str, pd.DataFrame]  # its name -> table
    figures: Mapping[str, str]  # the finding that it shows -> data URI
    recordings: Mapping[str, Sequence[DrawnRecording]]  # data set -> what is drawn of it
    records: Mapping[str, pd.DataFrame]  # data set -> records table; the same order everywhere
    rejected: Mapping[str, pd.DataFrame]
    quality_figures: Mapping[str, str]  # data set -> data URI; studied data sets only
    leakage: pd.DataFrame
    notices: Sequence[str]  # what the data sets gave that is not used
    recipes: Mapping[str, Mapping[str, Any]]  # data set -> what was done to its signals; studied data sets only
    label_names: Mapping[str, str]  # abbreviation -> name
    labels: Mapping[str, pd.DataFrame]  # corpus -> labels table
    splits: Mapping[str, pd.DataFrame]
    cells: Sequence[tuple[str, str, str, float]]  # target, model, arm, fraction
    runs: Sequence[Mapping[str, Any]]  # run.json of each cell
    pretraining: Sequence[Mapping[str, Any]]  # run.json of each source and model
    versions: Mapping[str, str]  # software -> version


def render_page(template: str, results: StudyResults) -> str:
    """Return the page as HTML that loads nothing from elsewhere; its script sorts tables and can be missing.

    Parameters
    ----------
    template : text of `page.html.j2`
    results : what the study found
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["doi_links"] = doi_links
    study, findings = results.study, results.findings
    verdicts, curves = findings["verdicts"], findings["curves"]
    found = cautions(
        study, results.published, results.records, curves, verdicts, results.labels, results.splits, results.leakage
    )
    of_findings = chapters(findings)
    methods, trained = study.transfer.methods, trained_sources(study)
    pretraining = [metadata for metadata in results.pretraining if metadata["task"] != "outside"]
    return environment.from_string(template).render(
        config=study,
        targets=study.transfer.targets,
        methods=methods,
        meanings={method: method_of(method).meaning_here for method in methods},
        tasks=[task for task in dict.fromkeys(Source.of(name).task for name in trained) if task != LABELS],
        outside=[source for source in study.transfer.sources if is_outside(study, source)],
        joined=[corpus for corpus in corpora_of(study) if len(datasets_of(corpus, study.corpora)) > 1],
        named={name: joined.split(JOINED_BY) for name, joined in named_corpora(study).items()},
        headlines=answers(findings["headlines"], findings["headline_savings"], study.compare.margin),
        answers=answers(
            verdicts[verdicts["arm"].map(method_name_of) == methods[0]], findings["label_saving"], study.compare.margin
        ),
        controls=controls(verdicts),
        cautions=found,
        metric_name=METRIC_NAMES[ANSWERED_METRIC],
        leaks=leaks(study),
        by_record=study.splits.by == "record",
        validates=study.splits.has_validation,
        kept=_kept_weights(study),
        balanced=[section for section in _TRAININGS if getattr(study, section).positive_weight == "balanced"],
        figures=results.figures,
        chapters=of_findings,
        templates={
            part.template: environment.from_string(part.template)
            for chapter in of_findings
            for each in chapter.filled
            for part in each.parts
        },
        in_challenge=CHALLENGE_SCORE in set(verdicts["metric"]),
        recordings=results.recordings,
        sources=list(sources(results)),
        dataset_table=tables.dataset_table(results.published, results.records, results.rejected, results.recipes),
        patients_unknown=any(map(patients_unknown, results.published.values())),
        rejections=list(tables.rejections(results.rejected, results.recipes)),
        notices=results.notices,
        quality_figures=results.quality_figures,
        leakage_table=tables.leakage_table(results.leakage),
        role_table=tables.role_table(results.splits),
        label_table=tables.label_table(results.labels, results.splits, study.transfer.targets, results.label_names),
        budget_table=tables.budget_table(results.cells, results.runs, SCRATCH),
        settings=settings(study, list(results.recordings)),
        transferred_shares=transferred_shares(results.runs),
        time_table=tables.time_table(results.cells, results.runs, pretraining),
        devices=devices([*pretraining, *results.runs]),
        versions=results.versions,
        seeds=dict(seeds(study)),
    )


def sources(results: StudyResults) -> Iterator[dict[str, str]]:
    """Yield ``name``, ``about`` and ``citation`` of each data set; what is not published has nothing to cite."""
    for name in results.recordings:
        entry = results.published.get(name)
        if entry:
            about = f"{entry['title']} {entry['version']}, licence {entry['licence']}. Patients: {entry['patients']}."
            yield {"name": name, "about": about, "citation": entry["citation"]}
        elif name in results.study.own:
            yield {
                "name": name,
                "about": "Recordings of your own, not published. Patients: as stated in their table.",
                "citation": "",
            }
        else:
            layout = results.study.simulate[name].layout
            about = f"Simulated, in the layout of {layout}; its settings are under Methods. Patients: known."
            yield {"name": name, "about": about, "citation": ""}


def settings(study: Study, shown_datasets: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Return every setting of a config as text, by section; simulated corpora that take no part are left out."""
    config = study.as_config()
    shown = {key: value for key, value in config.items() if key not in _NOT_SHOWN and key != "simulate"}
    used = {name: corpus for name, corpus in config["simulate"].items() if name in shown_datasets}
    shown |= {f"simulate.{name}": corpus for name, corpus in used.items()}
    return {key: list(_flat(value)) or [("", "nothing set")] for key, value in shown.items()}


def seeds(study: Study) -> Iterator[tuple[str, str]]:
    """Yield every seed of a config under its dotted key, simulated corpora that take no part left out."""
    studied = studied_datasets(study)
    for key, value in _flat(study.as_config()):
        unused = key.startswith("simulate.") and key.split(".")[1] not in studied
        if key.endswith("seed") and not unused:
            yield key, value


def devices(metadata: Iterable[Mapping[str, Any]]) -> str:
    """Return on what the runs were trained, most frequent first."""
    names = pd.Series(
        [f"{run['device']}, {run['threads']} threads, torch {run['versions']['torch']}" for run in metadata]
    )
    return "; ".join(f"{name} ({count} jobs)" for name, count in names.value_counts().items())


def transferred_shares(runs: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the share of each model's weights that came from a source, where one was used."""
    shares = {}
    for run in runs:
        first = run["replicates"][0]
        if "transferred_weights" in first:
            taken = first["transferred_weights"]
            shares[run["model"]] = taken / (taken + first["new_weights"])
    return shares


def doi_links(text: str) -> Markup:
    """Return the text as HTML in which every ``doi:10...`` is a link."""
    return Markup(_DOI.sub(r'<a href="https://doi.org/\1">doi:\1</a>', str(escape(text))))


def _flat(section: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted key and value in words of every setting below a section."""
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, Mapping | list):
            yield f"{before}{key}", ", ".join(map(str, value)) or "nothing set"
        else:
            yield f"{before}{key}", {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _kept_weights(study: Study) -> list[str]:
    """Return which weights of a training are kept, in words, each once."""
    role = "validation" if study.splits.has_validation else "test"
    chosen = dict.fromkeys(getattr(study, section).choose_by for section in _TRAININGS)
    return [_KEPT_WEIGHTS[choose_by].format(role=role) for choose_by in chosen]
