"""The page: its warnings follow from the study, and it is one sound HTML file."""

import base64
from dataclasses import replace
from io import BytesIO
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tiny_page import TEMPLATE, Reader, make_results, said_of, text_of
from tiny_verdicts import HELPS, HURTS, METRICS, OPEN, verdict_rows

from ecgtransfer.config.study import Study
from ecgtransfer.report.embedded import image_uri, svg_uri
from ecgtransfer.report.inputs import drawn_recordings
from ecgtransfer.report.page import doi_links, render_page


@pytest.fixture(scope="module")
def results():
    return make_results()


@pytest.fixture(scope="module")
def page(results):
    return render_page(TEMPLATE, results)


def test_page_is_balanced_and_needs_nothing_else(page):
    reader = Reader(page)
    assert len(reader.loaded) >= 4
    assert all(address.startswith("data:") for address in reader.loaded)
    for link in reader.links:
        assert link.startswith(("#", "../findings/", "../audit/", "https://doi.org/"))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert 'name="viewport"' in page
    assert page.index("<!DOCTYPE html>") == page.index("<")


def test_every_verdict_stands_on_the_page(page, results):
    rows = Reader(page).rows
    for row in results.findings["verdicts"].itertuples():
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
            "What you have Data sets and labels",
            "Wagner P",
            "Record p1",
            "What you gain How good",
            "The figure shows macro AUROC",
            "The scores are macro AUROC",
            "Other metrics",
            "What you would need What would decide the rest?",
            "How this was found Methods Every target",
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
        for key, value in results.study.as_config()[section].items():
            if not isinstance(value, dict | list | bool):
                assert f"{key} {value}" in reader.text
    assert results.study.as_config()["mirror"] not in page
    assert "sim-hospital" not in reader.text  # a simulated corpus that takes no part


def test_time_is_summed_over_jobs(page):
    rows = Reader(page).rows
    assert ["gru", "pre-training on georgia", "1", "10"] in rows
    assert ["gru", "from scratch", "18", "30"] in rows
    assert ["all", "", "56", "110"] in rows


def test_validation_budget_is_said(results):
    assert "(transfer.validation: budget)" in text_of()
    config = results.study.as_config()
    config["transfer"]["validation"] = "full"
    text = Reader(render_page(TEMPLATE, replace(results, study=Study.of(config)))).text
    assert "scores at small fractions are too good" in text


def test_failed_control_is_marked(results):
    failing = verdict_rows(HELPS, OPEN, OPEN, source="georgia-untrained", target="ptb-xl")
    verdicts = pd.concat([results.findings["verdicts"][results.findings["verdicts"]["source"] == "georgia"], failing])
    page = render_page(TEMPLATE, replace(results, findings=results.findings | {"verdicts": verdicts}))
    assert 'class="control failed"' in page
    assert "WARNING, control: gru" in page


def with_several_methods(results):
    """Return results with two more methods: a probe that hurts at first and a support vector machine."""
    config = results.study.as_config()
    config["transfer"]["methods"] = ["finetune", "probe", "svm"]
    more = [
        verdict_rows(*intervals, source=source, target="ptb-xl", metric=metric, method=method)
        for metric in METRICS
        for method, intervals in {"probe": (HURTS, OPEN, OPEN), "svm": (OPEN, OPEN, OPEN)}.items()
        for source in ("georgia", "georgia-shuffled")
    ]
    verdicts = pd.concat([results.findings["verdicts"], *more])
    return replace(results, study=Study.of(config), findings=results.findings | {"verdicts": verdicts})


def test_answers_are_about_the_first_method_and_verdicts_about_all(results):
    reader = Reader(render_page(TEMPLATE, with_several_methods(results)))
    opening, _, _ = reader.text.partition("The figure shows")
    assert opening.count("labelled recordings of ptb-xl") == 1
    assert "gains 0.096" in opening
    assert "The sentences report what finetune brings; for probe, svm see Verdicts" in opening
    assert opening.count("Control: gru") == 3  # they are shown for every method
    named = {row[2] for row in reader.rows if row[:2] == ["ptb-xl", "gru"]}
    assert {"georgia", "georgia (probe)", "georgia-shuffled (svm)"} <= named
    assert "probe: the weights taken over stay as they are" in reader.text
    assert "are trained further, lower layers" not in reader.text


def test_one_method_needs_no_hint_at_others(page):
    text = Reader(page).text
    assert "The sentences report" not in text
    assert "finetune: all weights are trained further." in text
    assert "weights from outside" not in text


def test_partial_says_how_many_groups_are_frozen(results):
    config = results.study.as_config()
    config["transfer"]["methods"] = ["finetune", "partial:3"]
    text = Reader(render_page(TEMPLATE, replace(results, study=Study.of(config)))).text
    assert "partial:3: the lowest 3 groups of layers stay as they are, all others are trained further." in text


def test_weights_from_outside_are_named_and_cost_no_training(results):
    config = results.study.as_config()
    config["outside_weights"]["theirs"] = {"trained_on": ["code-15"], "files": {"gru": "/archive/gru.pt"}}
    config["transfer"]["sources"].append("theirs")
    imported = {"task": "outside", "model": "gru", "trained_on": ["code-15"], "file": "gru.pt"}
    page = render_page(TEMPLATE, replace(results, study=Study.of(config), pretraining=[*results.pretraining, imported]))
    reader = Reader(page)
    assert "theirs is weights from outside. That they were trained on code-15 is as stated in the config" in reader.text
    assert "theirs: weights from outside, not trained here." in reader.text
    assert ["all", "", "56", "110"] in reader.rows


def test_tasks_are_explained(results):
    config = results.study.as_config()
    config["transfer"]["sources"] = ["georgia-age", "georgia-masked"]
    text = Reader(render_page(TEMPLATE, replace(results, study=Study.of(config)))).text
    assert "end in -age, models learn the patient's age" in text
    assert "end in -masked, they learn to fill in" in text
    assert "end in -intervals" not in text


def test_labels_of_which_some_records_say_nothing(results):
    labels = results.labels["ptb-xl"].copy()
    n_test_positives = 7
    labels["AF"] = labels["AF"].astype(float)
    labels.loc[160 + n_test_positives : 300, "AF"] = np.nan
    labels.loc[labels.index > 300, "AF"] = 0.0
    config = results.study.as_config()
    config["transfer"]["sources"] = ["georgia+ningbo"]
    page = render_page(TEMPLATE, replace(results, study=Study.of(config), labels=results.labels | {"ptb-xl": labels}))
    reader = Reader(page)
    assert ["AF", "atrial fibrillation", "110", "67", "7"] in reader.rows
    assert "ptb-xl: fewer than 10 test patients have, or lack, AF (7)." in reader.text
    assert "In georgia+ningbo, a data set in which no recording has a label is taken as silent on it" in reader.text
    assert "is taken as silent on it" not in Reader(render_page(TEMPLATE, results)).text


def test_names_are_escaped(results):
    nasty = "<script>alert('x')</script> & co"
    rejected = results.rejected | {"georgia": pd.DataFrame({"reason": [nasty]})}
    named = replace(results, rejected=rejected, versions={nasty: "1"}, label_names={"AF": nasty})
    page = render_page(TEMPLATE, named)
    assert Reader(page).text.count(nasty) >= 3


def test_ids_and_reasons_may_hold_any_character(results, tmp_path):
    odd = "a$b$<b>&\"'\x00\u202e\udc80"
    shown = "a$b$<b>&\"'\\x00\\u202e\\udc80"
    Image.new("RGB", (4, 4)).save(tmp_path / "1.png")
    records = {"georgia": pd.DataFrame({"record_id": [odd], "codes": [""], "age_years": [61.0], "sex": ["F"]})}
    snomed = pd.DataFrame({"snomed_ct": ["1"], "abbreviation": ["AF"], "name": ["atrial fibrillation"]})
    drawn = drawn_recordings(records, snomed, [tmp_path / "1.png"])
    rejected = results.rejected | {"georgia": pd.DataFrame({"reason": [odd]})}
    page = render_page(TEMPLATE, replace(results, recordings=results.recordings | drawn, rejected=rejected))
    text = Reader(page.encode().decode()).text
    assert f"Record {shown}: no diagnosis" in text
    assert f"georgia, 1 rejected: {shown}" in text


def test_same_results_give_the_same_page(page):
    assert render_page(TEMPLATE, make_results()) == page


def test_doi_links_leave_the_rest_alone():
    linked = doi_links("A & B 2020. doi:10.1000/x.y; and doi:10.1/z")
    assert linked == 'A &amp; B 2020. <a href="https://doi.org/10.1000/x.y">doi:10.1000/x.y</a>; and doi:10.1/z'


def test_figures_become_data_uris(tmp_path):
    svg = tmp_path / "a.svg"
    svg.write_text('<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x"\n "y">\n<svg><metadata>m</metadata><g/></svg>\n')
    assert unquote(svg_uri(svg).partition(",")[2]) == "<svg><g/></svg>"
    png = tmp_path / "a.png"
    pixels = np.zeros((40, 60, 4), dtype=np.uint8)
    pixels[..., 3], pixels[10:20, :, 0] = 255, 250
    Image.fromarray(pixels).save(png)
    with Image.open(BytesIO(base64.b64decode(image_uri(png).partition(",")[2]))) as packed:
        np.testing.assert_array_equal(np.asarray(packed.convert("RGB")), pixels[..., :3])


def test_every_finding_has_a_section_with_its_figure_its_numbers_and_its_file(page):
    reader = Reader(page)
    for anchor in ("claims", "label-saving", "convergence", "architectures", "labels", "sources", "patients"):
        assert anchor in reader.ids
    for finding in ("convergence", "costs", "break_even", "zero_shot", "subgroups", "calibration", "significance"):
        assert f"../findings/{finding}.csv" in reader.links
    rows = reader.rows
    assert [
        "Nguyen & Do",
        "It helps where labels are few.",
        "mean gain",
        "0.050",
        "[-0.100, 0.200]",
        "3",
        "undecided",
    ] in rows
    assert ["ptb-xl", "gru", "pre-trained on georgia", "0.1", "30", "94", "3.1", "[2.2, 4.4]"] in rows
    assert ["ptb-xl", "gru", "pre-trained on georgia", "0.1", "epochs", "8.000", "2.000", "0.250", "[-0.100, 0.200]",
            "5 of 6"] in rows  # fmt: skip


def test_a_finding_without_rows_has_no_section(results):
    findings = results.findings | {"architectures": results.findings["architectures"].iloc[:0]}
    reader = Reader(render_page(TEMPLATE, replace(results, findings=findings)))
    assert "architectures" not in reader.ids
    assert "#architectures" not in reader.links


BY_PATIENT = (
    "A patient has one role. Pre-training uses all of a source except the validation recordings",
    "A replicate has its own subset of patients",
    "The weights kept are those of the epoch with the highest macro AUROC on the validation recordings",
    "Test recordings are read once, for the scores.",
    "Validation is part of the budget",
)
BY_RECORD = (
    "Roles are drawn by recording: a patient can have two. Pre-training uses all of a source except the test"
    " recordings, on which its epoch is chosen.",
    "A replicate has its own subset of recordings",
    "The weights kept are those of the epoch with the highest macro AUROC on the test recordings",
    "epoch and thresholds are chosen on all test recordings.",
)


def test_methods_say_who_validates_and_what_is_split(results):
    patients, recordings = said_of(results), said_of(results, splits={"by": "record", "test_share": 0.33})
    for sentence in BY_PATIENT:
        assert sentence in patients
        assert sentence not in recordings
    for sentence in BY_RECORD:
        assert sentence in recordings
        assert sentence not in patients


def test_methods_say_by_what_epochs_are_chosen_and_what_positives_weigh(results):
    chosen = said_of(results, pretrain={"choose_by": "weighted_f1", "positive_weight": "balanced"})
    fallback = "on the validation recordings (the lowest loss where that is equal or undefined)"
    averaged = "averaged over the second half of the epochs; each label"
    assert f"those of the epoch with the highest weighted F1 at 0.5 {fallback}, or those {averaged}" in chosen
    faded = said_of(results, scratch={"choose_by": "ema"}, finetune={"choose_by": "ema"})
    assert "or those averaged over the last tenth of all steps; each label" in faded
    assert "binary cross-entropy (pretrain: with positives weighted by the negatives of their label), with" in chosen
    assert "minimises binary cross-entropy, with the optimiser" in said_of(results)


def test_clean_studies_are_not_stamped_and_leaky_ones_are(page, results):
    assert "Leaky by design" not in Reader(page).text
    config = results.study.as_config() | {"splits": results.study.as_config()["splits"] | {"valid_folds": []}}
    leaky = render_page(TEMPLATE, replace(results, study=Study.of(config)))
    assert "Leaky by design" in Reader(leaky).text
    assert '<main class="stamped">' in leaky
