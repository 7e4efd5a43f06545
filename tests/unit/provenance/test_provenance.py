"""Records, what they say of the files of now, and how a run is settled by them; and who remembers digests, and when."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ecgtransfer.errors import InputError
from ecgtransfer.files import manifest_of, sha256_of, write_csv
from ecgtransfer.provenance.digests import SMALL_BYTES, Digests
from ecgtransfer.provenance.judge import State, judge, require_current
from ecgtransfer.provenance.plan import Plan, PlannedJob
from ecgtransfer.provenance.record import Record, digest_of_value, param_digests
from ecgtransfer.provenance.settle import forget_set_aside, remove_leftovers, settle, to_make

ALL = Digests(None)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return three jobs in a row, table -> a -> b -> c, all done in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text("1")
    jobs = [job("a", "table.csv"), job("b", "results/a"), job("c", "results/b")]
    for one in jobs:
        make(one)
    return Plan("results", tuple(jobs))


def job(name: str, *inputs: str, rule: str = "rule", value: int = 1) -> PlannedJob:
    return PlannedJob(
        f"results/records/{name}.json", rule, "code", {"value": str(value)}, inputs, (f"results/{name}",), "none"
    )


def make(one: PlannedJob, content: str = "") -> None:
    """Write the output of a job, a function of its inputs unless specified otherwise, and its record."""
    for path in one.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content or "+".join(Path(name).read_text() for name in one.inputs) + one.rule)
    read, written = ({path: sha256_of(path) for path in paths} for paths in (one.inputs, one.outputs))
    Record(one.rule, one.code, one.params, read, written).write(one.record)


def _move_and_die(path: Path, target: Path) -> None:
    path.rename(target)
    raise KeyboardInterrupt


def states(plan: Plan) -> str:
    """Return the first letter of each job's state: current, stale, lost, waiting."""
    return "".join(verdict.state.value[0] for verdict in judge(plan, ALL))


def with_job(plan: Plan, place: int, changed: PlannedJob) -> Plan:
    return replace(plan, jobs=(*plan.jobs[:place], changed, *plan.jobs[place + 1 :]))


class TestJudge:
    """What a record says of artefacts."""

    def test_all_is_current(self, plan: Plan) -> None:
        assert states(plan) == "ccc"
        require_current(plan, ALL)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"params": {"value": "2"}}, "was made with other settings: value of the rule rule"),
            ({"params": {"value": "1", "more": "1"}}, "was made with other settings: more of the rule rule"),
            ({"code": "other"}, "was made by other code of the rule rule"),
            ({"inputs": ("results/a", "table.csv")}, "was made without table.csv"),
            ({"inputs": ("results/z",)}, "was made with results/a"),
        ],
    )
    def test_asked_otherwise(self, plan: Plan, change: dict[str, object], reason: str) -> None:
        changed = with_job(plan, 1, replace(plan.jobs[1], **change))  # type: ignore[arg-type]
        verdicts = judge(changed, ALL)
        assert [verdict.state for verdict in verdicts] == [State.CURRENT, State.STALE, State.WAITING]
        assert verdicts[1].reason == f"results/b: {reason}"
        with pytest.raises(InputError, match=r"results/b: .*; `make run` rebuilds it"):
            require_current(changed, ALL)

    def test_rules_with_other_names_in_a_workflow_that_imports_them(self, plan: Plan) -> None:
        renamed = replace(plan, jobs=tuple(replace(one, rule=f"ecg_{one.rule}") for one in plan.jobs))
        assert states(renamed) == "ccc"

    @pytest.mark.parametrize("dated", [0, 2 * 10**18])
    def test_another_content_of_a_table_whatever_its_date(self, plan: Plan, dated: int) -> None:
        Path("table.csv").write_text("2")
        os.utime("table.csv", ns=(dated, dated))
        assert states(plan) == "sww"

    def test_touched_files_are_current(self, plan: Plan) -> None:
        for path in (Path("table.csv"), *Path("results").glob("?")):
            os.utime(path, ns=(0, 0))
        assert states(plan) == "ccc"

    def test_same_bytes_upstream_leave_the_rest_current(self, plan: Plan) -> None:
        Path("table.csv").write_text("2")
        make(plan.jobs[0], content=Path("results/a").read_text())
        assert states(plan) == "ccc"

    def test_other_bytes_upstream_make_the_next_stale(self, plan: Plan) -> None:
        Path("table.csv").write_text("2")
        make(plan.jobs[0])
        assert states(plan) == "csw"

    @pytest.mark.parametrize("damage", ["missing", "other bytes"])
    def test_lost(self, plan: Plan, damage: str) -> None:
        if damage == "missing":
            Path("results/a").unlink()
        else:
            Path("results/a").write_text("?")
        assert states(plan) == "lww"

    def test_swapped(self, plan: Plan) -> None:
        Path("results/a").rename("aside")
        Path("results/b").rename("results/a")
        Path("aside").rename("results/b")
        assert "s" not in states(plan) and states(plan) != "ccc"

    @pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"rule": 1'])
    def test_a_damaged_record_is_none(self, plan: Plan, text: str) -> None:
        Path(plan.jobs[0].record).write_text(text)
        assert states(plan) == "lww"

    def test_every_flipped_byte_of_a_record_is_seen(self, plan: Plan) -> None:
        path = Path(plan.jobs[0].record)
        content = path.read_bytes()
        for place in range(len(content)):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert states(plan) == "lww", place

    def test_what_runs_anyway_waits(self, plan: Plan) -> None:
        Path("results/a").unlink()
        running = {one.record for one in plan.jobs}
        require_current(plan, ALL, running)

    def test_a_file_that_no_rule_makes_any_more(self, plan: Plan) -> None:
        with pytest.raises(InputError, match="results/page: no rule can make it now, because a table or another file"):
            require_current(replace(plan, unmade=("results/page",)), ALL)

    def test_files_of_a_manifest(self, tmp_path: Path, plan: Plan) -> None:
        Path("data").mkdir()
        Path("data/x").write_text("x")
        raw = PlannedJob("results/records/raw.json", "download", "code", {}, (), ("results/raw.csv",), "none", "data")
        write_csv(manifest_of(["x"], "data"), "results/raw.csv")
        Record("download", "code", {}, {}, {"results/raw.csv": sha256_of("results/raw.csv")}).write(raw.record)
        with_data = replace(plan, jobs=(*plan.jobs, raw))
        assert states(with_data) == "cccc"
        Path("data/x").write_text("y")
        assert judge(with_data, ALL)[-1].reason == (
            "results/raw.csv: data/x is missing or is not the file that is listed there"
        )
        Path("data/x").unlink()
        assert states(with_data) == "cccl"


class TestSettle:
    """What a run finds done, and what it has to do."""

    def test_what_fits_is_dated_in_the_order_of_the_graph(self, plan: Plan) -> None:
        os.utime("table.csv")
        os.utime("results/b", ns=(3 * 10**18, 3 * 10**18))
        os.utime("results/c", ns=(0, 0))
        settle(plan, ALL, is_whole=True)
        dates = [Path(path).stat().st_mtime_ns for path in ("table.csv", "results/a", "results/b", "results/c")]
        assert dates == sorted(dates)
        assert dates[-1] <= time.time_ns()
        assert to_make(plan, settle(plan, ALL, is_whole=True), is_whole=True) == []

    def test_what_does_not_fit_is_set_aside_and_what_follows_waits(self, plan: Plan) -> None:
        changed = with_job(plan, 1, replace(plan.jobs[1], params={"value": "2"}))
        verdicts = settle(changed, ALL, is_whole=True)
        assert not Path("results/b").exists() and Path("results/c").exists()
        assert to_make(changed, verdicts, is_whole=True) == ["--forcerun", "results/b"]

    def test_an_edit_taken_back_puts_back(self, plan: Plan) -> None:
        changed = with_job(plan, 1, replace(plan.jobs[1], params={"value": "2"}))
        for _ in range(2):
            settle(changed, ALL, is_whole=True)
        settle(plan, ALL, is_whole=True)
        assert states(plan) == "ccc"

    @pytest.mark.parametrize("put_back", [False, True])
    def test_killed_while_it_moves_files(self, plan: Plan, put_back: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        changed = with_job(plan, 1, replace(plan.jobs[1], params={"value": "2"}))
        if put_back:
            settle(changed, ALL, is_whole=True)
        with monkeypatch.context() as killed:
            killed.setattr(shutil, "move", _move_and_die)
            with pytest.raises(KeyboardInterrupt):
                settle(plan if put_back else changed, ALL, is_whole=True)
        settle(plan, ALL, is_whole=True)
        settle(plan, ALL, is_whole=True)
        assert states(plan) == "ccc"

    def test_what_was_set_aside_is_not_put_back_on_other_inputs(self, plan: Plan) -> None:
        changed = with_job(plan, 1, replace(plan.jobs[1], params={"value": "2"}))
        settle(changed, ALL, is_whole=True)
        Path("table.csv").write_text("2")
        make(plan.jobs[0])
        settle(plan, ALL, is_whole=True)
        assert not Path("results/b").exists()

    def test_what_was_set_aside_is_forgotten_in_the_end(self, plan: Plan) -> None:
        settle(with_job(plan, 1, replace(plan.jobs[1], params={"value": "2"})), ALL, is_whole=True)
        assert Path("results/set-aside").is_dir()
        forget_set_aside(plan)
        assert not Path("results/set-aside").exists()

    def test_artefacts_without_record_are_not_trusted(self, plan: Plan) -> None:
        Path(plan.jobs[0].record).unlink()
        settle(plan, ALL, is_whole=True)
        assert not Path("results/a").exists()
        assert Path("results/set-aside/a").exists()

    def test_only_the_last_of_missing_ones_are_named(self, plan: Plan) -> None:
        stale = replace(plan, jobs=tuple(replace(one, code="new") for one in plan.jobs))
        assert to_make(stale, settle(stale, ALL, is_whole=True), is_whole=True) == ["--forcerun", "results/c"]

    def test_what_got_lost_is_made_again_alone(self, plan: Plan) -> None:
        Path("results/a").unlink()
        verdicts = settle(plan, ALL, is_whole=True)
        assert to_make(plan, verdicts, is_whole=True) == ["results/a", "--forcerun", "results/a"]
        assert to_make(plan, verdicts, is_whole=False) == ["--forcerun", "results/a"]

    def test_what_trainings_rest_on_is_made_before_them(self, plan: Plan) -> None:
        trained = replace(plan.jobs[2], rule="pretrain")
        make(trained)
        with_training = with_job(plan, 2, trained)
        Path("table.csv").write_text("2")
        verdicts = settle(with_training, ALL, is_whole=True)
        assert to_make(with_training, verdicts, is_whole=True) == ["results/b", "--forcerun", "results/a"]

    def test_findings_that_the_study_has_no_more(self, plan: Plan) -> None:
        of_user = Path("results/findings/mine.csv")
        former = replace(job("former"), outputs=("results/findings/former.csv",), record="results/provenance/f.json")
        make(former)
        of_user.touch()
        settle(plan, ALL, is_whole=False)
        assert Path(former.outputs[0]).exists()
        settle(plan, ALL, is_whole=True)
        assert not Path(former.outputs[0]).exists()
        assert of_user.exists()

    def test_a_table_of_the_future(self, plan: Plan) -> None:
        os.utime("table.csv", ns=(3 * 10**18, 3 * 10**18))
        with pytest.raises(InputError, match=r"table.csv: is dated \d+\.\d hours in the future, .*`touch` it"):
            settle(plan, ALL, is_whole=True)

    def test_leftovers(self, plan: Plan) -> None:
        leftover, kept = Path("results/.a.svg.0123abcd.part"), Path("results/a.part")
        leftover.touch()
        kept.touch()
        remove_leftovers(Path("results"))
        assert kept.exists() and not leftover.exists()


class TestDigests:
    """Large files are read once, as long as nothing about them changes."""

    @pytest.fixture
    def large(self, tmp_path: Path) -> Path:
        path = tmp_path / "large"
        path.write_bytes(bytes(SMALL_BYTES + 1))
        return path

    def test_of_a_large_file(self, tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        digests = Digests(tmp_path / "memory")
        known = digests.of(large)
        assert known == sha256_of(large)
        monkeypatch.setattr("ecgtransfer.provenance.digests.sha256_of", lambda path: "read again")
        assert digests.of(large) == known
        assert Digests(None).of(large) == "read again"

    def test_a_change_that_keeps_size_and_date_is_seen(self, tmp_path: Path, large: Path) -> None:
        digests, found = Digests(tmp_path / "memory"), large.stat()
        digests.of(large)
        large.write_bytes(b"1" + bytes(SMALL_BYTES))
        os.utime(large, ns=(found.st_atime_ns, found.st_mtime_ns))
        assert large.stat().st_mtime_ns == found.st_mtime_ns
        assert digests.of(large) == sha256_of(large)

    def test_another_date_by_our_own_hand_reads_nothing(
        self, tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        digests = Digests(tmp_path / "memory")
        known = digests.of(large)
        digests.redate(large, 10**18)
        assert large.stat().st_mtime_ns == 10**18
        monkeypatch.setattr("ecgtransfer.provenance.digests.sha256_of", lambda path: "read again")
        assert digests.of(large) == known

    def test_a_damaged_memory_is_no_memory(self, tmp_path: Path, large: Path) -> None:
        digests = Digests(tmp_path / "memory")
        digests.of(large)
        (kept,) = (tmp_path / "memory").iterdir()
        kept.write_text("[")
        assert digests.of(large) == sha256_of(large)

    def test_no_such_file(self, tmp_path: Path) -> None:
        assert Digests(tmp_path).of(tmp_path / "none") is None

    def test_of_a_manifest(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        digests, manifest = Digests(tmp_path / "memory"), tmp_path / "manifest.csv"
        for name in "xy":
            (tmp_path / name).write_text(name)
        write_csv(manifest_of(["x", "y"], tmp_path), manifest)
        with manifest.open("a") as file:
            file.write("missing,,\n")
        assert digests.first_unlike(manifest, tmp_path) is None
        (tmp_path / "missing").touch()
        assert digests.first_unlike(manifest, tmp_path) == "missing"
        (tmp_path / "missing").unlink()
        (tmp_path / "y").write_text("z")
        assert digests.first_unlike(manifest, tmp_path) == "y"
        (tmp_path / "y").write_text("y")
        assert digests.first_unlike(manifest, tmp_path) is None
        listed = sha256_of(manifest)
        monkeypatch.setattr(
            "ecgtransfer.provenance.digests.sha256_of", lambda path: listed if path == manifest else "read again"
        )
        assert digests.first_unlike(manifest, tmp_path) is None


def test_digest_of_a_value() -> None:
    assert digest_of_value({"a": 1, "b": [1, 2]}) == digest_of_value({"b": (1, 2), "a": 1})
    values = [1, 1.5, "1", [1], {"a": 1}, None, True, {"a": None}]
    assert len(set(map(digest_of_value, values))) == len(values)
    assert param_digests([("code", "x"), ("seed", 1)]) == {"seed": digest_of_value(1)}


def test_plan_survives_being_written(plan: Plan, tmp_path: Path) -> None:
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan
    assert plan.upstream_of(["results/b"]).jobs == plan.jobs[:2]
