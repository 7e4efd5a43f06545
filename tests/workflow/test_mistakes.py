"""A user's mistake ends in one clear line, never in a traceback."""

import re
from pathlib import Path

import pytest
import yaml
from checkout import TINY, Checkout
from physionet import publish

from ecgtransfer.files import sha256_of


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def write_study(checkout: Checkout, **sections: object) -> str:
    """Write the tiny study with some sections replaced, and return its path."""
    study = yaml.safe_load((checkout.folder / TINY).read_text()) | sections
    (checkout.folder / "study.yaml").write_text(yaml.safe_dump(study))
    return "study.yaml"


def failure(checkout: Checkout, config: str, *arguments: str) -> str:
    """Run a study that must fail, and return what the user sees."""
    result = checkout.snakemake(*arguments, config=config)
    assert result.returncode != 0
    seen = result.stdout + result.stderr
    assert "Traceback" not in seen, seen
    return seen


def test_unknown_key(checkout: Checkout) -> None:
    config = write_study(checkout, transfer={"fractoins": [1.0]})
    seen = failure(checkout, config, "--dry-run")
    assert "`fractoins` is not a key of `transfer`; did you mean `fractions`?" in seen.splitlines()[-1]


def test_sites_that_yaml_takes_for_something_else(checkout: Checkout) -> None:
    study = (checkout.folder / TINY).read_text()
    written = "splits: {by: site, valid_groups: [NO, 1.10, 12:30, 01], test_groups: [2022-12-01, south]}\n"
    (checkout.folder / "study.yaml").write_text(f"{study}\n{written}")
    seen = failure(checkout, "study.yaml", "--dry-run")
    for place, shown, kind in (
        ("valid_groups[0]", "False", "yes or no"),
        ("valid_groups[1]", "1.1", "a number"),
        ("valid_groups[2]", "750", "a number"),
        ("valid_groups[3]", "1", "a number"),
        ("test_groups[0]", "2022-12-01", "a date"),
    ):
        assert (
            f"`splits.{place}` is {shown}, expected text; YAML reads it as {kind}: put it in quotes, as you wrote it"
        ) in seen


def test_a_key_that_stands_twice(checkout: Checkout) -> None:
    study = (checkout.folder / TINY).read_text()
    (checkout.folder / "study.yaml").write_text(f"score: {{seed: 1}}\n{study}\n")
    seen = failure(checkout, "study.yaml", "--dry-run")
    assert "`score` is also in line 1; keep one of them" in seen


def test_empty_label_set(checkout: Checkout) -> None:
    config = write_study(checkout, labels={"min_records": 50})
    seen = failure(checkout, config, "--", "results/tiny/labels/tiny-clinic.csv")
    line = next(line for line in seen.splitlines() if line.startswith("error:"))
    assert "labels of tiny-clinic: no label" in line
    assert "lower labels.min_records" in line


def test_wrong_checksum_and_bad_recordings(checkout: Checkout, tmp_path: Path) -> None:
    publish(tmp_path / "mirror")
    root = tmp_path / "mirror" / "files" / "ptb-xl" / "1.0.3"
    config = write_study(checkout, mirror=f"file://{tmp_path}/mirror", transfer={"targets": ["ptb-xl"]})
    target = "results/tiny/records/ptb-xl.csv"
    victim = root / "records500" / "00000" / "00001_hr.dat"
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + b"!")
    seen = failure(checkout, config, "--", target)
    line = next(line for line in seen.splitlines() if line.startswith("error:"))
    assert "00001_hr.dat" in line
    assert "sha256" in line

    victim.write_bytes(content[:-2])
    headers = [victim.with_name(f"0000{number}_hr.hea") for number in (2, 3)]
    headers[0].write_text("nothing\n")
    header = headers[1].read_text().splitlines()
    headers[1].write_text("\n".join([header[0].replace(" 12 ", " 11 "), *header[1:12]]) + "\n")
    sums = (root / "SHA256SUMS.txt").read_text()
    for path in (victim, *headers):
        name = str(path.relative_to(root))
        sums = re.sub(rf"^.* {re.escape(name)}$", f"{sha256_of(path)} {name}", sums, flags=re.MULTILINE)
    (root / "SHA256SUMS.txt").write_text(sums)
    checkout.run(config, "--", target)
    rejected = (checkout.folder / "results/tiny/records/ptb-xl.rejected.csv").read_text().splitlines()[1:]
    assert len(rejected) == 2
    for line, reason in zip(rejected, ("truncated", "record line 'nothing'"), strict=True):
        assert reason in line
    described = (checkout.folder / target).read_text()
    assert "00001_hr" not in described
    assert "00003_hr" in described, "a recording without lead V6 is kept, and flagged when it is prepared"
    assert "00004_hr" in described
