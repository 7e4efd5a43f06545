"""A name for what is joined changes no result, and is used wherever the long name would be."""

from collections.abc import Mapping
from pathlib import Path

from fast_runner import FastRunner
from micro_study import MicroStudy

NAMES = {"wards": "ward+ptb-xl", "clinics": "hospital+clinic"}
MADE_FROM_DATA_ALONE = ("labels", "splits", "audit", "records", "signals", "measurements", "notices")


def results_of(finished: MicroStudy, folder: Path, runner: FastRunner, edits: Mapping[str, object]) -> Path:
    """Return the folder of results of a copy of the micro-study with config edits."""
    study = MicroStudy.copied(finished.folder, folder)
    study.write_study({"study": "joined", **edits})
    result = study.make_run(runner)
    assert result.returncode == 0, result.output
    return study.folder / "results" / "joined"


def with_corpora(source: str, target: str) -> dict[str, object]:
    sources = [f"{source}{suffix}" for suffix in ("", "-shuffled", "-intervals")]
    return {"transfer.sources": sources, "transfer.targets": [target], "labels.views": {source: "scored"}}


def short(text: str) -> str:
    for name, joined in NAMES.items():
        text = text.replace(joined, name)
    return text


def test_a_name_gives_the_same_bytes_as_what_it_stands_for(
    tmp_path: Path, finished_micro: MicroStudy, runner: FastRunner
) -> None:
    plain = results_of(finished_micro, tmp_path / "plain", runner, with_corpora(*NAMES.values()))
    named = results_of(finished_micro, tmp_path / "named", runner, {"corpora": NAMES, **with_corpora(*NAMES)})
    paths = {str(path.relative_to(plain)) for path in plain.rglob("*")}
    assert {short(path) for path in paths} == {str(path.relative_to(named)) for path in named.rglob("*")}
    compared = [path for path in paths if path.split("/")[0] in MADE_FROM_DATA_ALONE and (plain / path).is_file()]
    assert {f"labels/{joined}.csv" for joined in NAMES.values()} < set(compared)
    for path in compared:
        expected = (plain / path).read_bytes()
        # Duplicate recordings and the subjects of notices are reported with the names of corpora.
        says_names = path == "audit/leakage.csv" or path.startswith("notices/")
        expected = short(expected.decode()).encode() if says_names else expected
        assert (named / short(path)).read_bytes() == expected, path
    page = (named / "report/index.html").read_text()
    assert "<li>wards: ward, ptb-xl.</li>" in page
    for joined in NAMES.values():
        assert page.count(joined) == 1  # among all settings
