"""The ready studies: each is planned with its full matrix, and its small form runs to its page."""

from pathlib import Path

import pandas as pd
import pytest
from checkout import REPOSITORY, Checkout

CELLS = {
    "nguyen2025": 816,
    "nguyen2025-parity": 714,
    "avetisyan2024": 84,
    "regression2025": 75,
    "features-svm2025": 48,
}
"""Targets x models x fractions x (scratch and every method with every source that shares no data set)."""
SMALL = REPOSITORY / "config/studies/small"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("studies"))


def findings_of(checkout: Checkout, study: str) -> dict[str, pd.DataFrame]:
    folder = checkout.folder / "results" / study / "findings"
    return {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}


def page_of(checkout: Checkout, study: str) -> str:
    return Path(checkout.folder, "results", study, "report/index.html").read_text(encoding="utf-8")


def test_every_study_is_known_here() -> None:
    published = {path.stem for path in SMALL.parent.glob("*.yaml")} - {"real-sample"}
    assert published == CELLS.keys() == {path.stem for path in SMALL.glob("*.yaml")}


@pytest.mark.parametrize("study", CELLS)
def test_the_full_matrix_is_planned(checkout: Checkout, study: str) -> None:
    result = checkout.snakemake("--dry-run", "--quiet", "rules", config=f"config/studies/{study}.yaml")
    assert result.returncode == 0, result.stdout[-3000:]
    jobs = dict(line.split() for line in result.stdout.splitlines() if len(line.split()) == 2)
    assert int(jobs["scratch"]) + int(jobs["finetune"]) == CELLS[study] == int(jobs["score_run"])


@pytest.mark.parametrize("study", ["avetisyan2024", "regression2025", "features-svm2025"])
def test_small_form_runs_to_its_page(checkout: Checkout, study: str) -> None:
    checkout.run(f"config/studies/small/{study}.yaml")
    found = findings_of(checkout, f"small-{study}")
    assert len(found["verdicts"]) > 0
    assert not {"optimism", "parity"} & found.keys()
    page = page_of(checkout, f"small-{study}")
    assert "Leaky by design" not in page
    assert ("Challenge 2021 score" in page) == (study == "features-svm2025")
    assert ("claims" in found) == ("What was claimed" in page) == (study == "avetisyan2024")
    if study == "avetisyan2024":
        assert found["claims"].set_index("claim").loc["several sources", "finding"] != "not examined"


def test_parity_is_stamped_and_laid_beside_the_clean_study_on_the_same_data(checkout: Checkout) -> None:
    for study in ("nguyen2025", "nguyen2025-parity"):
        checkout.run(f"config/studies/small/{study}.yaml")
    clean, leaky = findings_of(checkout, "small-nguyen2025"), findings_of(checkout, "small-nguyen2025-parity")
    assert "Leaky by design" not in page_of(checkout, "small-nguyen2025")
    page = page_of(checkout, "small-nguyen2025-parity")
    assert "Leaky by design" in page
    figures = list((checkout.folder / "results/small-nguyen2025-parity/figures").glob("*.svg"))
    assert len(figures) >= 10
    assert all("<!-- leaky by design -->" in figure.read_text() for figure in figures)

    chosen = leaky["optimism"].query("metric == 'weighted_f1'")
    assert len(chosen) == 8
    assert (chosen["chosen_on_test"] >= chosen["last_epoch"]).all()
    assert chosen["optimism"].mean() > 0
    assert f"{chosen['optimism'].mean():.3f} weighted F1 at 0.5" in page

    beside = leaky["parity"].set_index("claim")
    claims = {name: tables["claims"].set_index("claim")["estimate"] for name, tables in (("c", clean), ("p", leaky))}
    assert len(beside) == 5
    moved = (claims["p"] - claims["c"]).loc[beside.index]
    pd.testing.assert_series_equal(beside["moved"], moved, check_names=False, atol=2e-6)
    assert beside["moved"].notna().sum() == 4
