"""Only what changed: exact job lists after edits of the config, of code and of tables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from checkout import Checkout

FROM_SCORES = (
    "headlines", "curves", "verdicts", "label_saving", "next_steps", "more_labels", "controls", "best", "convergence",
    "costs", "architectures", "per_label", "transferability",
)  # fmt: skip
FROM_VARIANCE = (
    "headlines", "curves", "verdicts", "label_saving", "next_steps", "more_labels", "controls", "best", "architectures",
)  # fmt: skip
COMPARED = {
    "collect_runs": 1, **{f"compute_{finding}": 1 for finding in FROM_SCORES}, "plot_finding": 10, "report": 1,
}  # fmt: skip
FINDINGS = {
    **COMPARED, "compute_zero_shot": 1, "compute_subgroups": 1, "compute_calibration": 1, "plot_finding": 13,
}  # fmt: skip
SCORES = {"score_run": 4, **FINDINGS}
ZERO_SHOT = {"predict_with_source": 2}
GRU = {"pretrain": 1, "scratch": 1, "finetune": 1, "predict_with_source": 1, "score_run": 2, **FINDINGS}
TRAINING = {"pretrain": 2, "scratch": 2, "finetune": 2, **ZERO_SHOT, **SCORES}
SPLITS = {"split_records": 2, "audit_leakage": 1, **TRAINING}
LABELS = {"harmonize_labels": 2, **SPLITS}
SIGNALS = {
    "prepare_signals": 2, "plot_quality": 2, "fingerprint_signals": 2, "find_duplicates": 2, "find_overlaps": 1,
    **SPLITS,
}  # fmt: skip
ONE_TARGET = {
    "harmonize_labels": 1, "split_records": 1, "audit_leakage": 1, "scratch": 2, "finetune": 2, **ZERO_SHOT,
    **SCORES,
}  # fmt: skip


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """Replace text in a file, and put file and times back afterwards."""
    text, times = path.read_text(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        yield
    finally:
        path.write_text(text)
        os.utime(path, ns=times)


def test_nothing_to_do_after_a_run(finished: Checkout) -> None:
    assert finished.planned_jobs() == {}


@pytest.mark.parametrize(
    ("edit", "jobs"),
    [
        ({"mirror": "file:///elsewhere"}, {}),
        ({"limits.ptb-xl": 5}, {"report": 1}),  # the page shows every setting
        (
            {"simulate.tiny-clinic.noise": 2.0},
            # What is in the target decides what is left out of the source, so that the source is trained again, too.
            {"simulate": 1, "describe_records": 1, "index_records": 1, "plot_recordings": 1, "prepare_signals": 1,
             "plot_quality": 1, "fingerprint_signals": 1, "find_duplicates": 1, "find_overlaps": 1, "pretrain": 2,
             **ONE_TARGET},
        ),
        ({"signals.crop": "centre"}, SIGNALS),
        ({"labels.min_likelihood": 50}, {"index_records": 2, "plot_recordings": 2, **LABELS}),
        ({"labels.min_records": 8}, LABELS),
        ({"labels.view": "scored"}, LABELS),
        ({"labels.views": {"tiny-clinic": "scored"}}, ONE_TARGET),
        ({"splits.seed": 7}, SPLITS),
        ({"models.gru.head": "flatten"}, GRU),
        ({"models.gru.age_sex": True}, GRU),
        ({"transfer.methods": ["finetune", "probe"]}, {"finetune": 2, "score_run": 2, **FINDINGS}),
        ({"methods.probe.learning_rate": 0.02}, {"report": 1}),
        ({"hardware.precision": "float32"}, TRAINING),
        ({"hardware.kernels": "plain"}, SIGNALS),
        # The largest fraction is the same, which is what a source's own predictions are compared with.
        ({"transfer.fractions": [0.5, 1.0]},
         {"scratch": 2, "finetune": 2, "score_run": 4, **COMPARED, "compute_subgroups": 1, "compute_calibration": 1,
          "plot_finding": 12}),
        ({"transfer.models": ["gru"]}, FINDINGS),
        ({"models.gru-flat": {"of": "gru", "head": "flatten"}}, {"report": 1}),
        ({"models.gru-flat": {"of": "gru", "head": "flatten"}, "transfer.models": ["resnet1d18", "gru", "gru-flat"]},
         {"pretrain": 1, "scratch": 1, "finetune": 1, "predict_with_source": 1, "score_run": 2, **FINDINGS}),
        (
            {"transfer.replicates": 3},
            {"split_records": 1, "audit_leakage": 1, "scratch": 2, "finetune": 2, **ZERO_SHOT, **SCORES},
        ),
        ({"transfer.pretrainings": 2}, {"pretrain": 2, "finetune": 2, "score_run": 2, **FINDINGS}),
        ({"transfer.seed": 9}, {"scratch": 2, "finetune": 2, **SCORES}),
        ({"transfer.sources": ["tiny-hospital", "tiny-hospital-shuffled"]},
         {"harmonize_labels": 1, "split_records": 1, "audit_leakage": 1, "pretrain": 2, "finetune": 2, "score_run": 2,
          **COMPARED}),
        ({"pretrain.epochs": 2}, {"pretrain": 2, "finetune": 2, "score_run": 2, **ZERO_SHOT, **FINDINGS}),
        ({"scratch.epochs": 2}, {"scratch": 2, "score_run": 2, **FINDINGS}),
        ({"finetune.learning_rate": 0.01}, {"finetune": 2, "score_run": 2, **FINDINGS}),
        ({"score.n_resamples": 200}, SCORES),
        ({"compare.margin": 0.02},
         {"compute_verdicts": 1, "compute_headlines": 1, "compute_next_steps": 1, "plot_finding": 1, "report": 1}),
        ({"compare.variance": "own"},
         {**{f"compute_{finding}": 1 for finding in FROM_VARIANCE}, "plot_finding": 6, "report": 1}),
        ({"report.claims": True}, {"compute_claims": 1, "plot_finding": 1, "report": 1}),
        ({"report.recordings.per_dataset": 2}, {"plot_recordings": 2, "report": 1}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and "." in next(iter(value), "") else None,
)  # fmt: skip
def test_config_edit_reruns_its_stage_and_what_follows(
    finished: Checkout, edit: dict[str, object], jobs: dict[str, int]
) -> None:
    assert finished.planned_jobs(edit) == jobs


LIBRARY = "workflow_scripts/ecgtransfer/"


@pytest.mark.parametrize(
    ("module", "old", "new", "jobs"),
    [
        (LIBRARY + "kernels/filters.py", "0.95 *", "0.9 *", SIGNALS),
        (LIBRARY + "kernels/filters.py", "high_hz = min(", "# why\n    high_hz = min(", {}),
        (LIBRARY + "kernels/filters.py", '"""Return the signal after', '"""Return it after', {}),
        (LIBRARY + "kernels/block_design.py", "MIN_BLOCK = 32", "MIN_BLOCK = 64", SIGNALS),
        (LIBRARY + "kernels/gru.py", "minus_one = torch.full([1], -1.0)", "minus_one = -torch.ones([1])", GRU),
        (LIBRARY + "train/models/recurrent.py", "HIDDEN_SIZE = 100", "HIDDEN_SIZE = 90", GRU),
        (LIBRARY + "prepare/layouts/ludb.py", "def layout", "x = 1\n\n\ndef layout", {}),
        (LIBRARY + "train/registry.csv", "\ngru,", "\nnew,ecgtransfer.train.models.recurrent,,none,1,1,1\ngru,", {}),
        (LIBRARY + "train/loop.py", "EVALUATION_BATCH = 256", "EVALUATION_BATCH = 128", TRAINING),
        (
            LIBRARY + "findings/verdicts.py", "EQUIVALENCE_CONFIDENCE = 0.9", "EQUIVALENCE_CONFIDENCE = 0.8",
            {"compute_verdicts": 1, "plot_finding": 1, "report": 1},
        ),
        (LIBRARY + "findings/curves.py", "_HEIGHT = 3.1", "_HEIGHT = 3.2", {"plot_finding": 1, "report": 1}),
        (LIBRARY + "findings/label_saving.py", '"Labelled recordings', '"The labelled recordings', {"report": 1}),
        (LIBRARY + "findings/costs.py", '"what trainings took"', '"what all trainings took"', {}),
        (LIBRARY + "findings/contents.py", '"Which labels gain?"', '"Which labels gain most?"', {"report": 1}),
        ("workflow_scripts/score_run.py", "with job", "x = 1\nwith job", {"score_run": 4, **COMPARED}),
    ],
)  # fmt: skip
def test_code_edit_reruns_the_rules_that_use_it(
    finished: Checkout, module: str, old: str, new: str, jobs: dict[str, int]
) -> None:
    with edited(finished.folder / module, old, new):
        assert finished.planned_jobs() == jobs


def test_table_edit_reruns_what_reads_it(finished: Checkout) -> None:
    with edited(finished.folder / "config/labels/equivalent.csv", "164909002", "164909999"):
        assert finished.planned_jobs() == LABELS


def test_edit_of_a_data_sets_label_table_never_filters_signals_again(finished: Checkout) -> None:
    with edited(finished.folder / "config/labels/scp.csv", "LVH,164873001", "LVH,266249003"):
        assert finished.planned_jobs() == {"index_records": 1, "plot_recordings": 1, **ONE_TARGET}


@pytest.mark.parametrize(
    "touched",
    [
        "config/labels/snomed.csv",
        "workflow_scripts/prepare_signals.py",
        "results/tiny/raw/tiny-clinic.csv",
        "results/tiny/signals/tiny-clinic.npy",
        "results/tiny/splits/tiny-clinic.csv",
    ],
)
def test_touched_file_with_the_same_content_reruns_nothing(finished: Checkout, touched: str) -> None:
    path = finished.folder / touched
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.touch()
    try:
        assert finished.planned_jobs() == {}
    finally:
        os.utime(path, ns=times)


def test_another_target_trains_no_source_again_once_the_audit_has_found_nothing(
    finished: Checkout, tmp_path: Path
) -> None:
    other = Checkout.copied(finished.folder, tmp_path / "copy")
    edit = {
        "simulate.tiny-ward": {**other.study()["simulate"]["tiny-clinic"], "seed": 3},
        "transfer.targets": ["tiny-clinic", "tiny-ward"],
    }
    planned = other.planned_jobs(edit)
    assert planned["pretrain"] == 2  # before the audit nobody knows what the new target shares with the source
    with other.study_with(edit) as study:
        other.run(study, "--", "results/tiny/audit/leakage.csv")
    planned = other.planned_jobs(edit)
    assert "pretrain" not in planned
    assert {rule: planned[rule] for rule in ("scratch", "finetune", "score_run")} == {
        "scratch": 2,
        "finetune": 2,
        "score_run": 4,
    }
