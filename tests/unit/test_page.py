"""The page: its warnings follow from the study, and it is one sound HTML file."""

import base64
import copy
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from tiny_verdicts import HELPS, HURTS, METRICS, N_TRAIN, OPEN, SAME, verdict_rows

from ecgtransfer.report.embedded import png_uri, svg_uri
from ecgtransfer.report.inputs import DrawnRecording
from ecgtransfer.report.page import StudyResults, doi_links, render_page

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
    facts = {"model": "gru", "wall_seconds": 10.0, "device": "cpu", "threads": 1, "torch": "2"}
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
        config=config,
        published={name: PUBLISHED[name] for name in names if name in PUBLISHED},
        curves=curves,
        verdicts=verdicts,
        curves_figure=PIXEL,
        recordings={name: [DrawnRecording("p1", f"{name}, record p1", "atrial fibrillation", PIXEL)] for name in names},
        records={name: pd.DataFrame({"patient_id": splits["patient_id"]}) for name in names},
        rejected={
            source: pd.DataFrame({"reason": ["no '#Dx:' comment"] * 3 + ["11 leads"]}),
            target: pd.DataFrame({"reason": pd.Series(dtype=str)}),
        },
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
        runs=[facts | {"replicates": [run] * replicates} for _ in cells],
        pretraining=[facts | {"source": source}, facts | {"source": f"{source}-shuffled"}],
        versions={"Python": "3.11.9"},
    )


@pytest.fixture(scope="module")
def results():
    return make_results()


@pytest.fixture(scope="module")
def page(results):
    return render_page(TEMPLATE, results)


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
        if "style" in self.open:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_page_is_balanced_and_needs_nothing_else(page):
    reader = Reader(page)
    assert len(reader.loaded) >= 4
    assert all(address.startswith("data:") for address in reader.loaded)
    assert "<script" not in page
    for link in reader.links:
        assert link.startswith(("#", "../findings/", "../audit/", "https://doi.org/"))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert 'name="viewport"' in page
    assert page.index("<!DOCTYPE html>") == page.index("<")


def test_every_verdict_stands_on_the_page(page, results):
    rows = Reader(page).rows
    for row in results.verdicts.itertuples():
        expected = [
            *(row.target, row.model, row.source, f"{row.fraction:g}", f"{row.n_train:,}"),
            *(f"{row.scratch:.3f}", f"{row.transfer:.3f}", f"{row.delta:.3f}"),
            *(f"[{row.ci_low:.3f}, {row.ci_high:.3f}]", row.verdict),
        ]
        assert expected in rows


def test_macro_auroc_comes_before_other_metrics_and_the_answer_first(page):
    text = Reader(page).text
    places = [
        text.index(words)
        for words in (
            "gains 0.096 [0.017, 0.188] macro AUROC",
            "The figure shows macro AUROC",
            "The scores are macro AUROC",
            "Other metrics",
            "Record p1",
            "Wagner P",
            "Every target, model and fraction",
            "1 recordings of sources are in a target, too",
            "This page: Python 3.11.9",
        )
    ]
    assert places == sorted(places)


def test_data_sets_on_the_page(page):
    reader = Reader(page)
    assert ["georgia", "10,344", "404", "4", "0", "400", "400 *"] in reader.rows
    assert ["ptb-xl", "21,799", "400", "0", "2", "398", "400"] in reader.rows
    assert "georgia, 3 rejected: no '#Dx:' comment" in reader.text
    assert "ptb-xl, 2 not usable: 7 leads are flat" in reader.text
    assert "CC BY 4.0" in reader.text
    assert "https://doi.org/10.1038/s41597-020-0495-6" in reader.links
    assert ["ptb-xl", "120 (120)", "40 (40)", "240 (240)"] in reader.rows
    assert ["AF", "atrial fibrillation", "110", "110", "50"] in reader.rows
    assert ["ptb-xl", "0.1", "30", "23", "9"] in reader.rows


def test_every_setting_but_the_mirror_is_on_the_page(page, results):
    reader = Reader(page)
    for section in ("signals", "labels", "splits", "transfer", "pretrain", "scratch", "finetune", "score", "compare"):
        for key, value in results.config[section].items():
            if not isinstance(value, dict | list | bool):
                assert f"{key} {value}" in reader.text
    assert results.config["mirror"] not in page
    assert "sim-hospital" not in reader.text  # a simulated corpus that takes no part


def test_time_is_summed_over_jobs(page):
    rows = Reader(page).rows
    assert ["gru", "pre-training on georgia", "1", "10"] in rows
    assert ["gru", "from scratch", "18", "30"] in rows
    assert ["all", "", "56", "110"] in rows


def text_of(**changes):
    return Reader(render_page(TEMPLATE, make_results(**changes))).text


ONE_REPLICATE = "Every cell was trained once (transfer.replicates: 1)"
FEW_REPLICATES = "So few replicates say little"
FEW_PATIENTS = "ptb-xl has only 90 test patients. Its numbers mean little."
FEW_POSITIVES = "ptb-xl: fewer than 10 test recordings have AF (9)"
NO_POSITIVES = "ptb-xl: no test recording has AF, so macro scores leave it out."
SIMULATED = "no evidence about real patients"
NEAR_CHANCE = "gru hardly learns on ptb-xl"
NO_PATIENTS = "Georgia: no patients are published"


@pytest.mark.parametrize(
    ("warning", "warned", "sound"),
    [
        (ONE_REPLICATE, {"replicates": 1}, {"replicates": 2}),
        (FEW_REPLICATES, {"replicates": 4}, {"replicates": 5}),
        (FEW_PATIENTS, {"n_patients": 150}, {"n_patients": 168}),
        (FEW_POSITIVES, {"n_test_positives": 9}, {"n_test_positives": 10}),
        (NO_POSITIVES, {"n_test_positives": 0}, {"n_test_positives": 1}),
        (SIMULATED, {"target": "sim-clinic"}, {}),
        (NEAR_CHANCE, {"score": 0.59}, {"score": 0.61}),
        (NO_PATIENTS, {}, {"source": "ludb"}),
    ],
)
def test_warnings_appear_where_they_must_and_nowhere_else(warning, warned, sound):
    assert warning in text_of(**warned)
    assert warning not in text_of(**sound)


def test_severe_warnings_stand_beside_the_answer():
    text = text_of(replicates=1)
    assert text.index(ONE_REPLICATE) < text.index("The figure shows")
    assert text.count(ONE_REPLICATE) == 2
    assert "intervals do not contain it" in text


def test_sound_study_has_no_severe_warning():
    text = text_of()
    assert "Before you use this" not in text
    assert "The intervals do not contain the variance of pre-training" in text


def test_validation_budget_is_said(results):
    assert "(transfer.validation: budget)" in text_of()
    config = copy.deepcopy(results.config)
    config["transfer"]["validation"] = "full"
    text = Reader(render_page(TEMPLATE, replace(results, config=config))).text
    assert "scores at small fractions are too good" in text


def test_failed_control_is_marked(results):
    failing = verdict_rows(HELPS, OPEN, OPEN, source="georgia-shuffled", target="ptb-xl")
    verdicts = pd.concat([results.verdicts[results.verdicts["source"] == "georgia"], failing])
    page = render_page(TEMPLATE, replace(results, verdicts=verdicts))
    assert 'class="control failed"' in page
    assert "WARNING, control: gru" in page


def test_names_are_escaped(results):
    nasty = "<script>alert('x')</script> & co"
    rejected = results.rejected | {"georgia": pd.DataFrame({"reason": [nasty]})}
    named = replace(results, rejected=rejected, versions={nasty: "1"}, label_names={"AF": nasty})
    page = render_page(TEMPLATE, named)
    assert "<script" not in page
    assert Reader(page).text.count(nasty) >= 3


def test_same_results_give_the_same_page(page):
    assert render_page(TEMPLATE, make_results()) == page


def test_doi_links_leave_the_rest_alone():
    linked = doi_links("A & B 2020. doi:10.1000/x.y; and doi:10.1/z")
    assert linked == 'A &amp; B 2020. <a href="https://doi.org/10.1000/x.y">doi:10.1000/x.y</a>; and doi:10.1/z'


def test_figures_become_data_uris(tmp_path):
    svg = tmp_path / "a.svg"
    svg.write_text('<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x"\n "y">\n<svg><metadata>m</metadata><g/></svg>\n')
    assert base64.b64decode(svg_uri(svg).partition(",")[2]) == b"<svg><g/></svg>"
    png = tmp_path / "a.png"
    pixels = np.zeros((40, 60, 4), dtype=np.uint8)
    pixels[..., 3], pixels[10:20, :, 0] = 255, 250
    Image.fromarray(pixels).save(png)
    with Image.open(BytesIO(base64.b64decode(png_uri(png).partition(",")[2]))) as packed:
        assert packed.mode == "P"
        np.testing.assert_array_equal(np.asarray(packed.convert("RGB")), pixels[..., :3])
