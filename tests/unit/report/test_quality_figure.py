"""The quality page of a data set: counts add up, and the recordings shown are the ones meant."""

import numpy as np
import pandas as pd
import pytest

from ecgtransfer.report.quality_figure import (
    FLAGS,
    draw_quality,
    odd_records,
    quality_summary,
    reason_class,
    typical_records,
)


def quality_table(n: int = 60) -> pd.DataFrame:
    """Return records with amplitudes from 1 to 2 mV: the first five unusable, the next four flagged."""
    table = pd.DataFrame(
        {
            "record_id": [f"r{i}" for i in range(n)],
            **dict.fromkeys(FLAGS, 0.0),
            "amplitude_mv": np.linspace(1, 2, n),
            "gain_ratio": np.linspace(0.7, 1.4, n),
            "duration_s": 10.0,
            "usable": 1,
            "reason": "",
        }
    )
    table.loc[:4, "usable"] = 0
    table.loc[:3, "reason"] = [f"{7 + i} leads are flat" for i in range(4)]
    table.loc[4, "reason"] = "2.5 s too short"
    table.loc[[5, 6, 7], "clipped_leads"] = 2
    table.loc[[7, 8], "nan_fraction"] = 0.01
    return table


def rejected_table() -> pd.DataFrame:
    """Return three rejections of two kinds."""
    reasons = [
        "signal file a.mat is missing",
        "signal file b.mat is missing",
        "'#Dx: abc' is not a list of SNOMED CT codes; fix it",
    ]
    return pd.DataFrame({"record_id": list("abc"), "path": list("abc"), "reason": reasons})


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("7 leads are flat", "… leads are flat"),
        ("2.5 s too short", "… s too short"),
        ("signal file E07520.mat is truncated, it has 100 bytes", "signal file … is truncated"),
        ("'#Dx: abc' is not a list of SNOMED CT codes; fix it", "… is not a list of SNOMED CT codes"),
    ],
)
def test_reasons_lose_what_is_particular(reason: str, kind: str) -> None:
    assert reason_class(reason) == kind


def test_summary_adds_up() -> None:
    summary = quality_summary(rejected_table(), quality_table())
    of_step = summary.groupby("step")["records"].sum()
    assert of_step["found"] == 63
    assert of_step["found"] == of_step["rejected"] + of_step["not usable"] + of_step["kept"]
    counts = summary.set_index("what")["records"]
    assert counts["signal file … is missing"] == 2
    assert counts["… leads are flat"] == 4
    assert counts[FLAGS["clipped_leads"]] == 3
    assert counts[FLAGS["nan_fraction"]] == 2
    kept = summary[summary["step"] == "kept"].iloc[0]
    assert kept["share"] == pytest.approx(55 / 63, abs=1e-6)


def test_typical_records_have_no_flag_and_spread_over_the_amplitudes() -> None:
    quality = quality_table()
    typical = typical_records(quality)
    assert len(typical) == 3
    assert min(typical) > 8
    assert quality["amplitude_mv"].iloc[typical].round(1).tolist() == [1.4, 1.6, 1.8]


def test_odd_records_show_every_kind_of_reason_before_a_second_of_one() -> None:
    quality = quality_table()
    assert odd_records(quality) == [0, 4, 5]
    assert odd_records(quality.iloc[9:]) == []


@pytest.mark.parametrize("n_kept", [0, 1, 51])
def test_page_is_drawn_whatever_was_kept(n_kept: int) -> None:
    quality = quality_table()
    quality.loc[quality.index[9 + n_kept :], "usable"] = 0
    quality.loc[5:8, "usable"] = 0
    quality["reason"] = quality["reason"].where(quality["usable"] == 1, "all leads are flat")
    signals = np.random.default_rng(1).integers(-900, 900, (60, 12, 500)).astype(np.int16)
    summary = quality_summary(rejected_table(), quality)
    figure = draw_quality("here", summary, quality, signals.__getitem__, 100, (0.25, 4))
    assert f"here: {n_kept} of 63 recordings kept" in figure.get_suptitle()
    figure.canvas.draw()
