"""Whatever befalls a study, `make run` ends with what a fresh run with the same config and files gives.

Random sequences of edits, interrupts, losses and damage, each by its seed. ``STALE_SEEDS=0:200`` runs other seeds than
those of CI.
"""

import os
import shutil
from pathlib import Path
from random import Random

import pytest
from changing_world import DAY_NS, World, damage, products
from fast_runner import FastRunner, Fault
from micro_study import MicroStudy

FIRST, END = map(int, os.environ.get("STALE_SEEDS", "0:4").split(":"))
RULES = [
    "simulate", "download", "inventory", "describe_records", "index_records", "prepare_signals", "measure_signals",
    "fingerprint_signals", "find_duplicates", "find_overlaps", "harmonize_labels", "split_records", "audit_leakage",
    "pretrain", "import_weights", "scratch", "finetune", "predict_with_source", "score_run", "collect_runs",
    "compute_verdicts", "compute_next_steps", "compute_calibration", "plot_finding", "plot_recordings", "plot_quality",
    "report",
]  # fmt: skip


class Story:
    """A folder to which things happen, and the world that it should agree with."""

    def __init__(self, seed: int, places: Path, new: MicroStudy, finished: MicroStudy, runner: FastRunner) -> None:
        self.random = Random(seed)
        self.places, self.new, self.runner = places, new, runner
        self.world = World()
        self.n_moves = 0
        self.study = MicroStudy.copied(finished.folder, places / "0")
        self.told: list[str] = []

    def edit(self) -> None:
        """Edit a key, a table, code or an own recording; its date may be older than all results."""
        names = [self.world.edit(self.random) for _ in range(self.random.randint(1, 3))]
        age = self.random.choice([0, 0, 400 * DAY_NS])
        self.world.put_into(self.study, self.new, age)
        self.told.append(f"edit {names}{' of old' if age else ''}")

    def struck_run(self) -> None:
        """Let a run be killed, interrupted or fail at some job."""
        fault = Fault(
            self.random.choice(RULES),
            nth=self.random.choice([1, 1, 2, 3]),
            what=self.random.choice(["kill", "interrupt", "terminate", "fail"]),
            when=self.random.choice(["before", "halfway", "after"]),
            n_files=self.random.choice([0, 1]),
        )
        result = self.study.make_run(self.runner, fault=fault)
        self.told.append(f"run with {fault}: struck {result.struck}, ended with {result.returncode}")

    def run_until(self) -> None:
        """Run a part of the study."""
        rule = self.random.choice(RULES)
        result = self.study.make_run(self.runner, ["--until", rule])
        self.told.append(f"run until {rule}: {result.returncode}")

    def plain_run(self) -> None:
        """Run Snakemake itself, or let it touch all files."""
        touch = self.random.random() < 0.3
        result = self.study.run_snakemake(self.runner, ["--touch"] if touch else [])
        self.told.append(f"snakemake{' --touch' if touch else ''}: {result.returncode}")
        if result.returncode == 0 and not touch:
            self.agrees()

    def failing_download(self) -> None:
        """Run while the mirror is away and a part of the data is gone."""
        (self.study.folder / "mirror").rename(self.study.folder / "away")
        self.lose_data()
        result = self.study.make_run(self.runner)
        (self.study.folder / "away").rename(self.study.folder / "mirror")
        self.told.append(f"run without mirror: {result.returncode}")

    def lose(self) -> None:
        """Delete products."""
        paths = self.random.sample(products(self.study), self.random.randint(1, 3))
        for path in paths:
            path.unlink()
        self.told.append(f"delete {[self._name(path) for path in paths]}")

    def lose_notes(self) -> None:
        """Delete what Snakemake has noted."""
        shutil.rmtree(self.study.folder / ".snakemake", ignore_errors=True)
        self.told.append("delete .snakemake")

    def lose_data(self) -> None:
        """Delete or damage raw files."""
        paths = products(self.study, "data")
        if not paths or self.random.random() < 0.2:
            shutil.rmtree(self.study.folder / "data", ignore_errors=True)
            self.told.append("delete data")
            return
        path = self.random.choice(paths)
        if self.random.random() < 0.4:
            path.unlink()
            self.told.append(f"delete {self._name(path)}")
        else:
            self.told.append(f"{damage(path, self.random, paths)} {self._name(path)}")

    def damage(self) -> None:
        """Damage a product; its dates may stay."""
        paths = products(self.study)
        path = self.random.choice(paths)
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        how = damage(path, self.random, paths)
        kept = self.random.random() < 0.5
        if kept:
            os.utime(path, ns=times)
        self.told.append(f"{how} {self._name(path)}{', dates kept' if kept else ''}")

    def move(self) -> None:
        """Go on in a copy of the folder, all of it dated now or in the order of a file system."""
        self.n_moves += 1
        folder = self.places / str(self.n_moves)
        moved = MicroStudy.copied(self.study.folder, folder)
        if self.random.random() < 0.7:
            paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
            for path in paths:
                os.utime(path)
        if self.random.random() < 0.5:
            shutil.rmtree(folder / ".snakemake", ignore_errors=True)
        shutil.rmtree(self.study.folder)
        self.study = moved
        self.world.put_into(self.study, self.new)
        self.told.append("copy the folder")

    def another_study(self) -> None:
        """Let a second study in the folder, with other settings of the same corpora, run in part."""
        self.study.write_study({"study": "other", "simulate.clinic.noise": 2.0, "simulate.hospital.seed": 8})
        result = self.study.make_run(self.runner, ["--until", self.random.choice(RULES[:8])])
        self.world.put_into(self.study, self.new)
        self.told.append(f"another study: {result.returncode}")

    def happen(self) -> None:
        """Let one thing happen."""
        kinds = {
            self.edit: 5, self.struck_run: 4, self.run_until: 2, self.plain_run: 2, self.failing_download: 1,
            self.lose: 2, self.lose_notes: 1, self.lose_data: 1, self.damage: 3, self.move: 1, self.another_study: 1,
        }  # fmt: skip
        self.random.choices(list(kinds), list(kinds.values()))[0]()

    def agrees(self) -> None:
        """Check that findings and page are those of a fresh run."""
        fresh = MicroStudy.copied(self.new.folder, self.places / "fresh")
        self.world.put_into(fresh, self.new)
        result = fresh.run_snakemake(self.runner)
        assert result.returncode == 0, result.output[-3000:]
        expected, found = fresh.results(), self.study.results()
        shutil.rmtree(fresh.folder)
        differing = [name for name in expected | found if found.get(name) != expected.get(name)]
        assert not differing, f"stale: {differing}"

    def end(self) -> None:
        """Run to the end and check what came out."""
        result = self.study.make_run(self.runner)
        assert result.returncode == 0, result.output[-3000:]
        self.agrees()
        assert "Nothing to be done" in self.study.make_run(self.runner).output.split("Complete log")[-1]

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.study.folder))


@pytest.mark.parametrize("seed", range(FIRST, END))
def test_whatever_happens_a_run_ends_as_a_fresh_one(
    seed: int, tmp_path: Path, new_micro: MicroStudy, finished_micro: MicroStudy, runner: FastRunner
) -> None:
    story = Story(seed, tmp_path, new_micro, finished_micro, runner)
    try:
        for _ in range(story.random.randint(2, 6)):
            story.happen()
        story.end()
    except AssertionError as error:
        error.add_note("\n".join(story.told))
        raise
    finally:
        shutil.rmtree(tmp_path)
