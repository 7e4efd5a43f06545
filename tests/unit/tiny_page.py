"""Results of a small study for the tests of its page, and a reader of the page."""

import copy
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from tiny_verdicts import HELPS, HURTS, METRICS, N_TRAIN, OPEN, SAME, saving_rows, verdict_rows

from ecgtransfer.compare.runs import ALL_MODELS, ALL_SOURCES
from ecgtransfer.config.study import Study
from ecgtransfer.findings.asked import ROOMS
from ecgtransfer.findings.contents import FINDINGS, drawn_findings
from ecgtransfer.report.inputs import DrawnRecording
from ecgtransfer.report.page import StudyResults, render_page

ROOT = Path(__file__).parents[2]
TEMPLATE = (ROOT / "workflow_scripts/ecgtransfer/report/page.html.j2").read_text(encoding="utf-8")
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
PUBLISHED = yaml.safe_load((ROOT / "config/datasets.yaml").read_text(encoding="utf-8"))
PIXEL = "data:image/png;base64,AAAA"


def corpus(n_patients, n_test_positives, label="AF"):
    """Return labels and splits of a corpus with one record per patient; the last 60 % of the patients test."""
    record_id = [f"p{i}" for i in range(n_patients)]
    n_train, n_valid = n_patients * 3 // 10, n_patients // 10
    role = np.array(["train"] * n_train + ["valid"] * n_valid + ["test"] * (n_patients - n_train - n_valid))
    positive = np.zeros(n_patients, dtype=int)
    positive[n_train + n_valid :][:n_test_positives] = 1
    positive[: n_train // 2] = 1
    labels = pd.DataFrame({"record_id": record_id, label: positive, "NSR": np.arange(n_patients) % 2})
    return labels, pd.DataFrame({"record_id": record_id, "patient_id": record_id, "role": role})


NO_ROWS = {
    name: pd.DataFrame(columns=list(form.columns))
    for finding in FINDINGS
    for name, form in import_module(f"{ROOMS}.{finding}").TABLES.items()
}
"""Every table of findings, without rows."""


def findings_of(curves, verdicts, savings, target, source):
    """Return every table of a study, some rows in each, but none of what only leaky studies have."""
    cell = {"target": target, "source": source, "model": "gru", "arm": f"finetune-{source}", "fraction": 0.1}
    scored = {"n_train": 30, "metric": "macro_auroc"}
    interval = {"ci_low": -0.1, "ci_high": 0.2}
    rows = {
        "significance": {**cell, **scored, "delta": 0.1, **interval, "p_value": 0.04, "p_holm": 0.12, "equivalent": 0,
                         "n_resamples_valid": 999},
        "next_steps": {**cell, **scored, "delta": 0.1, **interval, "outcome": "helps", "n_replicates": 6,
                       "n_replicates_needed": 9, "seconds": 999.0, "n_test_patients": 80,
                       "n_test_patients_needed": pd.NA},
        "best": {"target": target, "choice": "source", "model": "gru", "fraction": 0.1, **scored, "candidate": source,
                 "n_cells": 1, "score": 0.8, "difference": 0.1, **interval, "standing": "best"},
        "more_labels": {**cell, **scored, "times": 2.0, "n_recordings": 60, "score": 0.83, **interval},
        "labels_needed": {**cell, **scored, "goal": "same score", "n_scratch": np.nan, "times": np.nan,
                          "relation": "more_than", "ci_low": 2.5, "ci_low_relation": "equals", "ci_high": np.nan,
                          "ci_high_relation": "more_than", "least": 0.1, "most": 10.0},
        "withheld": {**cell, **scored, "predicted": 0.79, "observed": 0.8, "difference": 0.01, **interval, "held": 1},
        "controls": {**cell, **scored, "gain": "label-specific", "control": f"{source}-shuffled", "delta": 0.1,
                     **interval},
        "convergence": {**cell, "measure": "epochs", "scratch": 8.0, "transfer": 2.0, "ratio": 0.25, **interval,
                        "n_reached": 5, "n_replicates": 6, "epochs_run": 9.5},
        "costs": {"stage": "training", **cell, "n_trainings": 6, "wall_seconds": 1234.5, "device_seconds": 99.0,
                  "joules": np.nan, "device": "cpu", "threads": 1, "processes": 1},
        "architectures": {"target": target, "source": source, "arm": cell["arm"], "fraction": 0.1, **scored,
                          "convolutional_models": "resnet1d18", "recurrent_models": "gru", "recurrent_head": "pool",
                          "convolutional_delta": 0.05, "recurrent_delta": 0.02, "difference": 0.03, **interval,
                          "convolutional_share": 0.99, "recurrent_share": 0.05},
        "per_label": {**cell, "n_train": 30, "label": "AF", "metric": "auroc", "scratch": 0.7, "transfer": 0.8,
                      "delta": 0.1, "delta_sd": 0.02, "n_replicates": 6, "n_positive_train": 7.5,
                      "prevalence_train": 0.25, "n_positive_test": 50},
        "zero_shot": {"target": target, "source": source, "model": "gru", "metric": "macro_auroc", "n_labels": 2,
                      "labels": "AF|NSR", "score": 0.75, **interval, "scratch": 0.7, "finetune": 0.8},
        "transferability": {**cell, "n_train": 30, "melep": 0.31, "delta": 0.1, "transfer_auroc": 0.8,
                            "transfer_weighted_f1": 0.6},
        "subgroups": {**cell, **scored, "attribute": "sex", "group": "F", "n_records": 60, "n_patients": 55,
                      "n_labels": 2, "score": 0.77, **interval, "gap": -0.02, "gap_low": -0.06, "gap_high": 0.02},
        "calibration": {**cell, "n_train": 30, "metric": "macro_ece", "score": 0.11, **interval},
        "claims": {"claim": "small sets", "study": "Nguyen & Do", "said": "It helps where labels are few.",
                   "measure": "mean gain", "estimate": 0.05, **interval, "n_cells": 3, "finding": "undecided"},
    }  # fmt: skip
    headline = {"model": ALL_MODELS, "source": ALL_SOURCES, "arm": f"finetune-{ALL_SOURCES}"}
    headlines = verdict_rows(HELPS, OPEN, OPEN, target=target).assign(**headline)
    tables = {name: pd.DataFrame([row]) for name, row in rows.items()}
    return {
        **NO_ROWS,
        **tables,
        **{"headlines": headlines, "headline_savings": saving_rows(headlines)},
        **{"curves": curves, "verdicts": verdicts, "label_saving": savings},
    }


def make_results(source="georgia", target="ptb-xl", replicates=6, n_patients=400, n_test_positives=50, score=0.8):
    config = copy.deepcopy(CONFIG)
    config["study"] = "trial"
    config["transfer"] |= {
        "sources": [source, f"{source}-shuffled"],
        "targets": [target],
        "models": ["gru"],
        "fractions": [0.1, 0.3, 1.0],
        "replicates": replicates,
    }
    arms = ["scratch", f"finetune-{source}", f"finetune-{source}-shuffled"]
    cells = [(target, "gru", arm, fraction) for arm in arms for fraction in N_TRAIN]
    run = {"n_train": 30, "n_train_patients": 23, "n_valid": 9, "transferred_weights": 30, "new_weights": 10}
    metadata = {"model": "gru", "wall_seconds": 10.0, "device": "cpu", "threads": 1, "versions": {"torch": "2"}}
    curves = pd.DataFrame(
        {
            "target": target,
            "source": "" if arm == "scratch" else arm.partition("-")[2],
            "model": "gru",
            "arm": arm,
            "fraction": fraction,
            "n_train": n_train,
            "n_train_patients": 23,
            "metric": metric,
            "score": score,
            "ci_low": score - 0.1,
            "ci_high": score + 0.1,
            "replicate_sd": 0.01,
            "n_replicates": replicates,
        }
        for arm in arms
        for fraction, n_train in N_TRAIN.items()
        for metric in METRICS
    )
    verdicts = pd.concat(
        verdict_rows(*intervals, source=name, target=target, metric=metric)
        for metric in METRICS
        for name, intervals in {source: (HELPS, SAME, HURTS), f"{source}-shuffled": (OPEN, OPEN, SAME)}.items()
    )
    labels, splits = corpus(n_patients, n_test_positives)
    names = [source, target]
    return StudyResults(
        study=Study.of(config),
        published={name: PUBLISHED[name] for name in names if name in PUBLISHED},
        findings=findings_of(curves, verdicts, saving_rows(verdicts), target, source),
        figures=dict.fromkeys(drawn_findings(), PIXEL),
        recordings={name: [DrawnRecording("p1", f"{name}, record p1", "atrial fibrillation", PIXEL)] for name in names},
        records={name: splits[["record_id", "patient_id"]] for name in names},
        rejected={
            source: pd.DataFrame({"reason": ["no '#Dx:' comment"] * 3 + ["11 leads"]}),
            target: pd.DataFrame({"reason": pd.Series(dtype=str)}),
        },
        notices=[f"{source}: 3 diagnostic statements less likely than 50 % are left out"],
        recipes={
            source: {"records": n_patients, "usable": n_patients, "not_usable": {}},
            target: {"records": n_patients, "usable": n_patients - 2, "not_usable": {"7 leads are flat": 2}},
        },
        quality_figures=dict.fromkeys(names, PIXEL),
        leakage=pd.DataFrame(
            [
                ("signal", "source-target", source, "r1", "train", target, "r7", "test", "a excluded from source"),
                ("signal", "roles", target, "r2", "train", target, "r3", "", "b left out"),
            ],
            columns=["kind", "scope", "dataset_a", "record_a", "role_a", "dataset_b", "record_b", "role_b", "handled"],
        ),
        label_names={"AF": "atrial fibrillation"},
        labels={source: labels, f"{source}-shuffled": labels, target: labels},
        splits={source: splits, f"{source}-shuffled": splits, target: splits},
        cells=cells,
        runs=[metadata | {"replicates": [run] * replicates} for _ in cells],
        pretraining=[metadata | {"task": "labels", "source": name} for name in (source, f"{source}-shuffled")],
        versions={"Python": "3.11.9"},
    )


class Reader(HTMLParser):
    """Collects what a page loads and links to, its table rows, its ids and its words; fails on unbalanced tags."""

    VOID = frozenset({"meta", "link", "img", "br", "hr"})

    def __init__(self, page):
        super().__init__()
        self.open, self.loaded, self.links, self.ids, self.rows, self.words = [], [], [], [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert not [name for name in attributes if name.startswith("on")]
        (self.links if tag == "a" else self.loaded).extend(
            value for name, value in attrs if name in {"src", "href", "srcset", "data", "action"}
        )
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"style", "script"} & set(self.open):
            assert not [call for call in ("url(", "@import", "fetch(", "import(", "http") if call in data]
            return
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def text_of(**changes):
    return Reader(render_page(TEMPLATE, make_results(**changes))).text


def said_of(results, **sections):
    """Return the words of the page of a study with changed keys of sections."""
    config = results.study.as_config()
    for section, keys in sections.items():
        config[section] |= keys
    return Reader(render_page(TEMPLATE, replace(results, study=Study.of(config)))).text
