"""A new version of the workflow is no reason to train anything again."""

from pathlib import Path

from fast_runner import FastRunner
from micro_study import MicroStudy


def test_new_version_writes_the_page_anew_and_nothing_else(
    tmp_path: Path, finished_micro: MicroStudy, runner: FastRunner
) -> None:
    study = MicroStudy.copied(finished_micro.folder, tmp_path / "newer")
    (study.folder / "workflow_scripts/ecgtransfer/VERSION").write_text("99.0.1\n")
    before = {path: path.stat().st_mtime_ns for path in (study.folder / "results/micro/provenance").rglob("*.json")}
    ended = study.make_run(runner)
    assert ended.returncode == 0, ended.output
    made = {path.stem for path, date in before.items() if path.stat().st_mtime_ns != date}
    assert made == {"plan", "report"}
    assert "ecg-transfer 99.0.1" in (study.folder / "results/micro/report/index.html").read_text(encoding="utf-8")
