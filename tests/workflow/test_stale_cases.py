"""Ways in which results once went stale without a word: each heals, or ends in a line that says what does."""

import hashlib
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from changing_world import DAY_NS, TEXTS
from fast_runner import FastRunner, Fault, Result
from micro_study import STUDY, MicroStudy

_JOB = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$", re.MULTILINE)
MADE_AGAIN = "`make run` rebuilds it"


@pytest.fixture
def study(tmp_path: Path, finished_micro: MicroStudy) -> MicroStudy:
    """A copy of the finished study."""
    return MicroStudy.copied(finished_micro.folder, tmp_path / "checkout")


def run(study: MicroStudy, runner: FastRunner) -> Counter[str]:
    """Do `make run`, which must end well, and return how many jobs of each rule ran."""
    result = study.make_run(runner)
    assert result.returncode == 0, result.output[-4000:]
    return jobs_of(result)


def jobs_of(result: Result) -> Counter[str]:
    return Counter(_JOB.findall(result.output)) - Counter(all=99)


def last_line(result: Result) -> str:
    """Return the line in which a run that failed says why."""
    assert result.returncode != 0, result.output[-3000:]
    assert "Traceback" not in result.output
    return next(line for line in reversed(result.output.splitlines()) if line.startswith("error"))


FRESH: dict[bytes, dict[str, bytes]] = {}
"""Results of runs in empty folders, by a hash of all that was put there."""


def fresh(new_micro: MicroStudy, study: MicroStudy, runner: FastRunner, folder: Path) -> dict[str, bytes]:
    """Return what a run in an empty folder gives with the config, the tables and the recordings of a study."""
    names = [*TEXTS, *sorted(str(path.relative_to(study.folder)) for path in study.folder.glob("own/ward/*"))]
    contents = {name: (study.folder / name).read_bytes() for name in names}
    told = yaml.safe_load((study.folder / STUDY).read_text()) | {"mirror": "its own"}
    digest = hashlib.sha256(repr((told, contents)).encode()).digest()
    if digest not in FRESH:
        other = MicroStudy.copied(new_micro.folder, folder)
        for name in (STUDY, *names):
            shutil.copyfile(study.folder / name, other.folder / name)
        assert run(other, runner)
        FRESH[digest] = other.results()
    return FRESH[digest]


class TestInterruptedRun:
    """An edit is never lost by the way in which a run ends."""

    EDIT = {"simulate.hospital.noise": 1.6, "simulate.clinic.noise": 1.7}  # noqa: RUF012

    @pytest.mark.parametrize("what", ["interrupt", "kill", "until"])
    def test_after_some_descriptions(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path, what: str
    ) -> None:
        study.write_study(self.EDIT)
        if what == "until":
            assert study.make_run(runner, ["--until", "describe_records"]).returncode == 0
        else:
            fault = Fault("describe_records", nth=2, what=what, when="before")  # type: ignore[arg-type]
            assert study.make_run(runner, fault=fault).struck
        planned = run(study, runner)
        assert planned["prepare_signals"] == 2
        assert planned["scratch"] == 2
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")

    def test_download_that_fails_beside_an_edited_table(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path
    ) -> None:
        edit_text(study, "own/ward.csv")
        shutil.rmtree(study.folder / "data" / "ptb-xl")
        (study.folder / "mirror").rename(study.folder / "away")
        line = last_line(study.make_run(runner))
        assert "does not exist" in line and "mirror" in line
        (study.folder / "away").rename(study.folder / "mirror")
        run(study, runner)
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")


def edit_text(study: MicroStudy, name: str, age_ns: int = 0) -> None:
    """Edit a file; it is dated so long before what it was."""
    path = study.folder / name
    dated = path.stat().st_mtime_ns - age_ns
    path.write_text(path.read_text().replace(*TEXTS[name]))
    if age_ns:
        os.utime(path, ns=(dated, dated))


class TestSnakemakesNotes:
    """What Snakemake noted of earlier runs may be lost."""

    def test_an_edit_without_notes(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path
    ) -> None:
        shutil.rmtree(study.folder / ".snakemake")
        study.write_study({"compare.confidence": 0.8, "finetune.epochs": 2})
        result = study.run_snakemake(runner)
        assert MADE_AGAIN in last_line(result)
        assert "results/micro/" in last_line(result)
        ran = run(study, runner)
        assert ran["finetune"] > 0 and "scratch" not in ran
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")

    def test_nothing_runs_again_without_notes(self, study: MicroStudy, runner: FastRunner) -> None:
        shutil.rmtree(study.folder / ".snakemake")
        assert run(study, runner) == Counter()
        assert study.run_snakemake(runner).returncode == 0


class TestPathsInTheConfig:
    """What a config names exists before any job starts, whatever is there of earlier runs."""

    @pytest.mark.parametrize(
        ("key", "named"),
        [
            ("outside_weights.theirs.files.gru", "own/thiers.safetensors"),
            ("outside_weights.theirs.names", "own/nmaes.csv"),
            ("own.ward.label_table", "own/wrods.csv"),
            ("own.ward.table", "own/wrad.csv"),
            ("own.ward.folder", "own/wrad"),
        ],
    )
    def test_misspelt(self, study: MicroStudy, runner: FastRunner, key: str, named: str) -> None:
        study.write_study({key: named})
        for result in (study.make_run(runner), study.run_snakemake(runner, ["--dry-run"])):
            kind = "folder" if key.endswith("folder") else "file"
            assert last_line(result) == f"error in the config: `{key}`: {named} is no {kind}; correct the path"

    def test_among_the_results(self, study: MicroStudy, runner: FastRunner) -> None:
        shutil.copyfile(study.folder / "own/ward.csv", study.folder / "results/micro/ward.csv")
        study.write_study({"own.ward.table": "results/micro/ward.csv"})
        assert "`own.ward.table`: results/micro/ward.csv lies in results/micro/" in last_line(study.make_run(runner))

    @pytest.mark.parametrize(
        "name", ["workflow_scripts/ecgtransfer/report/page.html.j2", *(name for name in TEXTS if "labels" in name)]
    )
    def test_of_the_workflow_that_is_gone(self, study: MicroStudy, runner: FastRunner, name: str) -> None:
        (study.folder / name).unlink()
        study.write_study({"compare.margin": 0.02})
        for result in (study.make_run(runner), study.run_snakemake(runner)):
            assert "no rule can make it now" in last_line(result) and "`git status`" in last_line(result)

    def test_a_fraction_that_python_writes_with_an_exponent(self, study: MicroStudy, runner: FastRunner) -> None:
        study.write_study({"transfer.fractions": [0.00001, 1.0]})
        result = study.run_snakemake(runner, ["--dry-run", "--quiet", "rules"])
        assert re.search(r"^scratch +1$", result.output, re.MULTILINE), result.output[-3000:]


class TestSharedData:
    """Raw files are shared by studies, and change after they were checked."""

    def test_two_studies_with_a_corpus_of_one_name(
        self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
    ) -> None:
        study.write_study({"study": "other", "simulate.clinic.noise": 2.0})
        assert study.make_run(runner, ["--until", "prepare_signals"]).returncode == 0
        study.write_study({})
        shutil.rmtree(study.folder / "results/micro/signals")
        assert set(run(study, runner)) == {"prepare_signals"}
        assert study.results() == finished_micro.results()

    @pytest.mark.parametrize("corpus", ["clinic", "ptb-xl"])
    @pytest.mark.parametrize("damage", ["missing", "flipped"])
    def test_damaged_after_its_check(
        self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy, corpus: str, damage: str
    ) -> None:
        path = sorted((study.folder / "data" / corpus).rglob("*.dat"))[3]
        content = path.read_bytes()
        path.unlink()
        if damage == "flipped":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        assert MADE_AGAIN in last_line(study.run_snakemake(runner))
        assert sum(run(study, runner).values()) == 1, "only its raw files are rebuilt"
        assert path.read_bytes() == content
        assert study.results() == finished_micro.results()

    def test_own_recording_replaced_under_its_name(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path
    ) -> None:
        path = sorted(study.folder.glob("own/ward/*.npy"))[2]
        dated = path.stat().st_mtime_ns
        np.save(path, np.load(path)[:, ::-1].copy("A"))
        os.utime(path, ns=(dated, dated))
        ran = run(study, runner)
        assert ran["inventory"] == 1 and ran["prepare_signals"] == 1
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")

    def test_own_recording_that_comes_later(
        self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
    ) -> None:
        path = sorted(study.folder.glob("own/ward/*.npy"))[2]
        path.rename(study.folder / "late.npy")
        run(study, runner)
        assert path.name in (study.folder / "results/micro/records/ward.rejected.csv").read_text()
        (study.folder / "late.npy").rename(path)
        run(study, runner)
        assert study.results() == finished_micro.results()


class TestDates:
    """An edit counts whatever its date."""

    @pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".csv")])
    def test_an_edit_that_is_older_than_the_results(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path, name: str
    ) -> None:
        edit_text(study, name, age_ns=DAY_NS)
        assert MADE_AGAIN in last_line(study.run_snakemake(runner))
        said = study.make_run(runner, ["-n", "--quiet", "rules"])
        assert said.returncode == 0
        assert f"was made from another content of {name}" in said.output
        assert run(study, runner)
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")

    def test_touched_after_an_edit(
        self, study: MicroStudy, new_micro: MicroStudy, runner: FastRunner, tmp_path: Path
    ) -> None:
        study.write_study({"signals.crop": "centre"})
        study.run_snakemake(runner, ["--touch"])
        assert MADE_AGAIN in last_line(study.run_snakemake(runner))
        assert run(study, runner)["prepare_signals"] == 4
        assert study.results() == fresh(new_micro, study, runner, tmp_path / "fresh")

    def test_a_copy_with_other_dates(self, study: MicroStudy, runner: FastRunner, tmp_path: Path) -> None:
        elsewhere = MicroStudy.copied(study.folder, tmp_path / "elsewhere")
        shutil.rmtree(elsewhere.folder / ".snakemake")
        for path in sorted(elsewhere.folder.rglob("*"), reverse=True):
            if path.is_file() and not path.is_symlink():
                os.utime(path)
        assert run(elsewhere, runner) == Counter()
        assert elsewhere.run_snakemake(runner, ["--dry-run", "--quiet", "rules"]).returncode == 0
        assert jobs_of(elsewhere.run_snakemake(runner)) == Counter()


class TestProducts:
    """What was made and got lost or damaged is rebuilt, and nothing else."""

    @pytest.mark.parametrize(
        "name",
        [
            "findings/verdicts.csv", "figures/curves.svg", "figures/curves.png", "findings/quality/clinic.csv",
            "figures/quality/clinic.png", "figures/recordings/clinic/1.svg", "audit/leakage.csv", "report/index.html",
        ],
    )  # fmt: skip
    def test_lost(self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy, name: str) -> None:
        lost = study.folder / "results/micro" / name
        content = lost.read_bytes()
        lost.unlink()
        assert sum(run(study, runner).values()) == 1
        assert lost.read_bytes() == content
        lost.unlink()
        assert study.run_snakemake(runner).returncode == 0, "Snakemake itself makes what was promised"
        assert study.results() == finished_micro.results()

    @pytest.mark.parametrize(
        "pattern",
        [
            "pretrained/*/gru/weights.safetensors", "signals/clinic.npy", "splits/clinic.csv",
            "runs/clinic/gru/scratch/1.0/history.csv", "raw/clinic.csv", "records/clinic.csv", "labels/clinic.csv",
            "scores/clinic/gru/scratch/1.0.csv", "findings/verdicts.csv", "provenance/scratch/clinic/gru/1.0.json",
        ],
    )  # fmt: skip
    def test_damaged(self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy, pattern: str) -> None:
        path = next((study.folder / "results/micro").glob(pattern))
        content, dated = path.read_bytes(), path.stat().st_mtime_ns
        path.write_bytes(content[: len(content) * 2 // 3])
        os.utime(path, ns=(dated, dated))
        line = last_line(study.run_snakemake(runner))
        assert MADE_AGAIN in line
        verified = runner.python(study.folder, "workflow_scripts/verify.py", ["--cores", "1", "--configfile", STUDY])
        assert verified.returncode == 1
        assert f"`make run CONFIG={STUDY}` rebuilds it" in verified.output
        assert sum(run(study, runner).values()) == 1
        assert path.read_bytes() == content
        assert study.results() == finished_micro.results()

    def test_predictions_of_two_arms_swapped(
        self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
    ) -> None:
        scratch, other = (
            next((study.folder / "results/micro/runs/clinic/gru").glob(f"{arm}/1.0/predictions.npz"))
            for arm in ("scratch", "finetune-*")
        )
        scratch.rename("aside")
        other.rename(scratch)
        Path("aside").rename(other)
        assert run(study, runner) == Counter(scratch=1, finetune=1)
        assert study.results() == finished_micro.results()

    def test_leftovers_of_a_killed_job_are_removed(self, study: MicroStudy, runner: FastRunner) -> None:
        leftover = study.folder / "results/micro/figures/.curves.svg.0a1b2c3d.part"
        leftover.touch()
        study.write_study({"compare.margin": 0.02})
        run(study, runner)
        assert not leftover.exists()

    def test_lost_data_come_back_and_nothing_else_runs(
        self, study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
    ) -> None:
        shutil.rmtree(study.folder / "data")
        assert MADE_AGAIN in last_line(study.run_snakemake(runner))
        assert run(study, runner) == Counter(simulate=2, download=1)
        assert study.results() == finished_micro.results()


def test_adding_a_target_with_plain_snakemake_trains_no_source_again(study: MicroStudy, runner: FastRunner) -> None:
    yard = {**study.study()["simulate"]["clinic"], "seed": 5}
    study.write_study({"simulate.yard": yard, "transfer.targets": ["clinic", "yard"]})
    planned = study.run_snakemake(runner, ["--dry-run", "--quiet", "rules"]).output
    assert re.search(r"^pretrain +\d", planned, re.MULTILINE)
    assert "The run involves checkpoint jobs" in planned
    result = study.run_snakemake(runner)
    assert result.returncode == 0, result.output[-3000:]
    assert "pretrain" not in jobs_of(result)
    assert jobs_of(result)["scratch"] == 2


def test_a_table_that_changes_while_it_is_read_stops_the_job(study: MicroStudy, runner: FastRunner) -> None:
    adapter = study.folder / "workflow_scripts/inventory.py"
    adapter.write_text(adapter.read_text() + f"    open({str(study.folder / 'own/ward.csv')!r}, 'a').write('\\n')\n")
    result = study.make_run(runner)
    assert "error: own/ward.csv: has changed while it was read; run again" in result.output
    assert result.returncode


def test_no_page_on_what_was_damaged_meanwhile(
    study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
) -> None:
    adapter, damaged = (
        study.folder / "workflow_scripts/collect_runs.py",
        "results/micro/notices/index_records/clinic.csv",
    )
    code = adapter.read_text()
    adapter.write_text(code + f"\nopen({damaged!r}, 'a').write('?')\n")
    result = study.run_snakemake(runner)
    line = f"error: {damaged}: is damaged, its bytes are not those that were written; "
    assert line + MADE_AGAIN in result.output.splitlines()
    assert result.returncode == 1
    assert not (study.folder / "results/micro/report/index.html").exists()
    adapter.write_text(code)
    run(study, runner)
    assert study.results() == finished_micro.results()


def test_a_batch_of_the_study_removes_no_finding(
    study: MicroStudy, runner: FastRunner, finished_micro: MicroStudy
) -> None:
    study.make_run(runner, ["--batch", "collect_runs=1/2"])
    assert study.results() == finished_micro.results()
