"""What `make run` does on a fresh clone: the embedded default study, its controls and its page."""

from pathlib import Path

import pandas as pd
import pytest
from checkout import Checkout

CONFIG = "config/config.yaml"


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """A checkout in which the study has run, and what was printed; test_kills.py has `make run` as a user calls it."""
    checkout = Checkout(tmp_path_factory.mktemp("default"))
    return checkout, checkout.make_run(CONFIG)


def test_ends_with_the_path_of_the_report(default: tuple[Checkout, str]) -> None:
    checkout, printed = default
    assert "report: results/default/report/index.html" in printed
    page = (checkout.folder / "results/default/report/index.html").read_text()
    assert "<svg" in page or "data:image/svg" in page


def test_second_run_has_nothing_to_do(default: tuple[Checkout, str]) -> None:
    assert "Nothing to be done" in default[0].make_run(CONFIG)


def test_true_labels_help_more_than_shuffled_ones(default: tuple[Checkout, str]) -> None:
    """By means over all trainings of two models; what single verdicts say hangs on the kind of processor."""
    verdicts = pd.read_csv(default[0].folder / "results/default/findings/verdicts.csv")
    verdicts = verdicts[verdicts["metric"] == "macro_auroc"]
    control = verdicts["source"].str.endswith("-shuffled")
    smallest = verdicts["fraction"] == verdicts["fraction"].min()
    gain = verdicts["delta"]
    assert gain[~control & smallest].mean() > max(0, gain[control & smallest].mean())
    assert gain[~control].mean() > gain[control].mean()
    assert verdicts["ci_low"].le(gain).all()
    assert verdicts["ci_high"].ge(gain).all()


def test_verdicts_follow_the_contract(default: tuple[Checkout, str]) -> None:
    folder = default[0].folder / "results" / "default"
    columns = "target,source,model,arm,fraction,n_train,metric,scratch,transfer,delta,ci_low,ci_high,verdict"
    assert (folder / "findings" / "verdicts.csv").read_text().splitlines()[0] == columns
    assert set(pd.read_csv(folder / "findings" / "verdicts.csv")["fraction"]) == {0.2, 0.5, 1.0}
    assert (folder / "runs/sim-clinic/gru/finetune-sim-hospital/0.5/predictions.npz").is_file()


def test_snakemakes_own_report(default: tuple[Checkout, str], tmp_path: Path) -> None:
    report = tmp_path / "report.zip"
    default[0].run(CONFIG, "--report", str(report))
    assert report.stat().st_size > 100_000
