"""The rules of quality on published recordings, as they are."""

from pathlib import Path

import pandas as pd
import pytest
from changed_section import changed
from tiny_signals import SETTINGS

from ecgtransfer.prepare import signals as module
from ecgtransfer.prepare.gains import out_of_line
from ecgtransfer.prepare.quality import PLAUSIBLE_MEDIAN_MV
from ecgtransfer.prepare.signals import prepare_signals

MIRROR = Path(__file__).parents[3] / "shared/mirror/files"
with_mirror = pytest.mark.skipif(not MIRROR.is_dir(), reason="the real recordings are not here")


@with_mirror
class TestRealRecordings:
    """Published recordings, as they are."""

    SETTINGS = changed(
        SETTINGS,
        {
            "duration_s": 10,
            "band_pass": {"high_hz": 47},
            "implausible_gain": {"ratio": 4.0, "action": "rescale"},
        },
    )

    def prepare(self, folder: Path, out: Path) -> pd.DataFrame:
        rows = []
        for path in sorted(folder.rglob("*.hea")):
            words = path.read_text().split("\n")[0].split()
            name = path.relative_to(folder)
            rows.append((path.stem, str(name), float(words[2]), int(words[3]), "", ""))
        described = pd.DataFrame(rows, columns=list(module.COLUMNS_READ))
        return prepare_signals(described, folder, self.SETTINGS, out).set_index("record_id")

    def test_ordinary_records_carry_no_flag(self, tmp_path: Path) -> None:
        quality = self.prepare(MIRROR / "ptb-xl/1.0.3/records500", tmp_path / "s.npy")
        assert len(quality) == 400
        flags = ["nan_fraction", "missing_leads", "rebuilt_leads", "flat_leads", "clipped_leads", "clipped_samples"]
        assert not quality[[*flags, "padded_s"]].to_numpy().any()
        assert quality["gain_ratio"].between(0.25, 4).all()
        assert (quality["usable"] == 1).all()

    @pytest.mark.parametrize(
        ("name", "record", "wrong", "right"),
        [("georgia", "E00015", 4880, 1000), ("ptb-xl", "HR00599", 200, 1000)],
    )
    def test_wrong_gains_are_found_and_corrected(
        self, tmp_path: Path, name: str, record: str, wrong: int, right: int
    ) -> None:
        folder = MIRROR / "challenge-2021/1.0.3/training" / name
        quality = self.prepare(folder, tmp_path / "s.npy")
        outside = ~quality["gain_ratio"].between(0.25, 4)
        assert quality.index[outside].tolist() == [record]
        corrected = quality.loc[record]
        others = quality["amplitude_mv"].drop(record)
        assert corrected["usable"] == 1
        assert others.min() < corrected["amplitude_mv"] < others.max()
        median = others.median()
        assert corrected["amplitude_mv"] == pytest.approx(corrected["gain_ratio"] * wrong / right * median, rel=0.05)

    def test_a_wrong_gain_whose_amplitude_alone_would_pass(self, tmp_path: Path) -> None:
        """A large recording with the gain that one Georgia header states: a fifth of it is as large as small ones."""
        georgia = MIRROR / "challenge-2021/1.0.3/training/georgia"
        right = self.prepare(georgia, tmp_path / "right.npy")
        record = (right["gain_ratio"] - 2).abs().idxmin()
        for path in georgia.rglob(f"{record}.*"):
            to = tmp_path / "georgia" / path.relative_to(georgia)
            to.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            to.write_bytes(content.replace(b"1000/mV", b"4880/mV") if path.suffix == ".hea" else content)
        for path in georgia.rglob("*.*"):
            to = tmp_path / "georgia" / path.relative_to(georgia)
            if not to.exists() and path.suffix in (".hea", ".mat") and path.stem != "E00015":
                to.parent.mkdir(parents=True, exist_ok=True)
                to.symlink_to(path)
        corrected = self.prepare(tmp_path / "georgia", tmp_path / "corrected.npy")
        assert 0.25 < corrected["gain_ratio"][record] < 0.5
        assert corrected.index[out_of_line(corrected, 4.0)].tolist() == [record]
        assert corrected["amplitude_mv"][record] == pytest.approx(right["amplitude_mv"][record], rel=0.01)

    def test_nothing_else_is_out_of_line(self, tmp_path: Path) -> None:
        folders = [*(MIRROR / "challenge-2021/1.0.3/training").iterdir(), MIRROR / "ludb/1.0.1", MIRROR / "ptbdb/1.0.0"]
        found = []
        for folder in (folder for folder in folders if folder.is_dir()):
            quality = self.prepare(folder, tmp_path / "s.npy")
            found += quality.index[out_of_line(quality, 4.0)].tolist()
        assert sorted(found) == ["E00015", "HR00599"]

    def test_flat_leads_do_not_make_an_amplitude_implausible(self, tmp_path: Path) -> None:
        quality = self.prepare(MIRROR / "challenge-2021/1.0.3/training/ningbo", tmp_path / "s.npy")
        assert quality.loc[["JS11438", "JS20004", "JS45542"], "flat_leads"].tolist() == [6, 3, 6]
        assert (quality["flat_leads"] > 0).sum() == 3
        assert quality["gain_ratio"].between(0.25, 4).all()

    def test_every_data_set_passes_the_check_of_its_unit(self, tmp_path: Path) -> None:
        folders = [*(MIRROR / "challenge-2021/1.0.3/training").iterdir(), MIRROR / "ludb/1.0.1", MIRROR / "ptbdb/1.0.0"]
        low, high = PLAUSIBLE_MEDIAN_MV
        medians = []
        for folder in (folder for folder in folders if folder.is_dir()):
            quality = self.prepare(folder, tmp_path / "s.npy")
            medians.append(quality["amplitude_mv"].median())
        assert len(medians) == 9
        assert min(medians) > 2 * low
        assert max(medians) < high / 2
