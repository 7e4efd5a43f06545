"""The house rules that no linter knows: rules and adapters belong together, environments equal the lock file."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ecgtransfer.code_fingerprint import _reachable

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "workflow_scripts"
PROGRAMS = {"plan", "run", "verify", "snakemake_plan"}
"""What `make` starts, in place of a rule."""
STAGES = ("acquire", "prepare", "audit", "split", "train", "compare", "report")
"""From recordings to an answer: a file of rules and a package each."""
_TEXTS = [path.read_text() for path in sorted((REPOSITORY / "rules").glob("*.smk"))]
RULES = {
    name: body
    for text in _TEXTS
    for name, body in re.findall(r"^(?:rule|checkpoint) (\w+):\n((?:    .*\n|\n)+)", text, re.MULTILINE)
}
OF_FINDINGS = {
    script: re.sub("^    ", "", body, flags=re.MULTILINE)
    for text in _TEXTS
    for body in re.findall(r"^    rule:\n((?:        .*\n|\n)+)", text, re.MULTILINE)
    for script in re.findall(r"workflow_scripts/(\w+)\.py", body)
}
"""Rules that are written once for all findings, by the name of their adapter."""
RULES |= OF_FINDINGS
LOCK = dict(
    line.lower().split("==") for line in (REPOSITORY / "requirements.lock").read_text().splitlines() if "==" in line
)
NAME_ON_PYPI = {"pytorch": "torch"}
NAME_IN_PYTHON = {
    "pytorch": "torch", "pillow": "PIL", "scikit-learn": "sklearn", "pyyaml": "yaml", "pydantic-core": "pydantic_core",
}  # fmt: skip


def direct_dependencies() -> dict[str, SpecifierSet]:
    """Return the bounds of what pyproject.toml names, by its name in the lock file."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    requirements = list(map(Requirement, lines))
    assert len({requirement.name for requirement in requirements}) == len(requirements)
    return {requirement.name: requirement.specifier for requirement in requirements}


def test_snakefile_is_a_table_of_contents() -> None:
    assert len((REPOSITORY / "Snakefile").read_text().splitlines()) < 40


def test_every_rule_has_an_adapter_of_its_name_and_every_adapter_a_rule() -> None:
    adapters = {path.stem for path in (REPOSITORY / "workflow_scripts").glob("*.py")}
    assert set(RULES) == adapters - PROGRAMS
    for name, body in RULES.items():
        assert f'"../workflow_scripts/{name}.py"' in body


def test_modules_are_short_and_adapters_are_one_call() -> None:
    for path in (*SCRIPTS.rglob("*.py"), *(REPOSITORY / "tests").rglob("*.py")):
        is_adapter = path.parent == SCRIPTS and path.stem not in PROGRAMS
        assert len(path.read_text(encoding="utf-8").splitlines()) <= (30 if is_adapter else 400), path


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_says_what_it_costs_and_where_it_logs(rule: str) -> None:
    for directive in ("log", "benchmark", "conda", "threads", "resources", "params"):
        assert re.search(rf"^    {directive}:", RULES[rule], re.MULTILINE), f"{rule} lacks {directive}"
    assert re.search(r"code=(training_|layout_|finding_|figure_|page_)?code_of\(\s*\"" + rule, RULES[rule])
    assert "mem_mb=" in RULES[rule]
    assert "runtime=" in RULES[rule]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_have_the_versions_of_the_lock_file(path: Path) -> None:
    pinned = [d for d in yaml.safe_load(path.read_text())["dependencies"] if not d.startswith("python ")]
    assert pinned
    for dependency in pinned:
        name, version = dependency.split(" ==")
        assert LOCK[NAME_ON_PYPI.get(name, name)] == version


def test_lock_file_holds_the_direct_dependencies_within_their_bounds() -> None:
    direct = direct_dependencies()
    assert {"snakemake", "torch", "pytest", "ruff"} <= direct.keys()
    for name, bounds in direct.items():
        assert bounds.contains(LOCK[name]), f"{name}: {LOCK[name]} is not {bounds}; `make lock`"
        assert {bound.operator for bound in bounds} == {">=", "<"}, f"{name} lacks a bound"
    assert LOCK["torch"] == "2.13.0"  # without the build, so that the index decides whether it is for CPUs or GPUs


def test_everything_that_is_imported_is_a_direct_dependency() -> None:
    named = {NAME_IN_PYTHON.get(name, name.replace("-", "_")) for name in direct_dependencies()}
    scripts, tests = REPOSITORY / "workflow_scripts", [*(REPOSITORY / "tests").rglob("*.py")]
    ours = {
        "ecgtransfer",
        "benchmarks",
        "calibration",
        "docs",
        *(path.stem for path in (*scripts.glob("*.py"), *tests)),
    }
    known = {*named, *ours, *sys.stdlib_module_names}
    for path in (*scripts.rglob("*.py"), *tests):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            assert {name.split(".")[0] for name in names} <= known, path


def _that_run(tree: ast.AST, in_functions: bool) -> Iterator[ast.AST]:
    """Yield all nodes but those that are for types alone, and maybe those within functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if in_functions or not isinstance(node, ast.FunctionDef):
            yield node
            yield from _that_run(node, in_functions)


@pytest.mark.parametrize("rule", RULES)
def test_environments_hold_what_a_rule_imports(rule: str) -> None:
    """The conda environment of a rule must hold every package that its adapter reaches."""
    root = REPOSITORY / "workflow_scripts"
    (environment,) = re.findall(r'"\.\./envs/(\w+)\.yaml"', RULES[rule])
    text = (REPOSITORY / "envs" / f"{environment}.yaml").read_text()
    held = {NAME_IN_PYTHON.get(name, name) for name in re.findall(r"^  - ([\w-]+) ", text, re.MULTILINE)}
    waiting, seen, external = [root / f"{rule}.py"], set(), set()
    if rule in ("compute_finding", "plot_finding", "report"):  # which load findings by their names
        waiting += (root / "ecgtransfer" / "findings").glob("*.py")
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        trains = environment == "train" or path.parent.name != "methods"  # whose functions run in trainings alone
        for node in _that_run(ast.parse(path.read_text()), in_functions=trains):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                module = root.joinpath(*name.split("."))
                waiting += [module.with_suffix(".py"), module / "__init__.py"]
                external.add(name.split(".")[0])
    foreign = external - set(sys.stdlib_module_names) - {"ecgtransfer"}
    assert foreign <= held, f"envs/{environment}.yaml lacks {sorted(foreign - held)}"


def test_library_knows_neither_snakemake_nor_results_paths() -> None:
    for path in (REPOSITORY / "workflow_scripts" / "ecgtransfer").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"^\s*(import|from) snakemake", text, re.MULTILINE), path
        assert not re.search(r"[\"']results/", text), path


def test_training_needs_only_torch_numpy_and_pandas() -> None:
    train = REPOSITORY / "workflow_scripts" / "ecgtransfer" / "train"
    allowed = {"torch", "numpy", "pandas", "safetensors", "ecgtransfer", *sys.stdlib_module_names}
    everywhere = set(train.rglob("*.py")) - {train / "svm.py"}  # that arm alone takes scikit-learn
    for path in [*everywhere, train.parent / "statistics/metrics.py", train.parent / "files.py"]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= allowed, path
            elif isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] in allowed, path


def modules_of(package: Path) -> list[str]:
    """Return the dotted names of all modules of a package of the library."""
    paths = (path.relative_to(SCRIPTS).with_suffix("") for path in package.rglob("*.py"))
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def test_stages_stand_in_order_in_the_snakefile() -> None:
    included = re.findall(r'include: "rules/(\w+)\.smk"', (REPOSITORY / "Snakefile").read_text())
    assert [name for name in included if name in STAGES] == list(STAGES)
    assert {path.parent.name for path in SCRIPTS.glob("ecgtransfer/*/__init__.py")} >= set(STAGES)


@pytest.mark.parametrize(("earlier", "later"), list(combinations(STAGES, 2)))
def test_no_stage_imports_a_later_one_directly_or_not(earlier: str, later: str) -> None:
    found = {
        module: sorted(name for name in _reachable([module], SCRIPTS) if f"{name}.".startswith(f"ecgtransfer.{later}."))
        for module in modules_of(SCRIPTS / "ecgtransfer" / earlier)
    }
    assert found
    assert not {module: names for module, names in found.items() if names}


def test_imports_are_found_across_stages() -> None:
    """What the test above rests on: it would see an arrow, also one through a module that is in no stage."""
    assert "ecgtransfer.prepare.signal_file" in _reachable(["ecgtransfer.train.corpus"], SCRIPTS)
    assert "ecgtransfer.split.roles" in _reachable(["ecgtransfer.report.page"], SCRIPTS)


def opens_text_without_encoding(call: ast.Call) -> bool:
    """Return whether a call reads or writes text in whatever encoding the terminal's language settings say."""
    named = {word.arg: word.value for word in call.keywords}
    texts = [node.value for node in (*call.args, *named.values()) if isinstance(node, ast.Constant)]
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""
    if "encoding" in named:
        return False
    if name in ("read_text", "write_text", "FileHandler"):
        return True
    if name in ("run", "Popen", "check_output"):
        return bool(named.keys() & {"text", "universal_newlines"})
    is_binary = any(isinstance(text, str) and re.fullmatch("[rwxa+]*b[rwxa+]*", text) for text in texts)
    of_other_kind = owner in ("os", "Image", "archive", "tarfile", "opened") or "buffering" in named
    return name in ("open", "fdopen") and not is_binary and not of_other_kind


def test_text_is_read_and_written_in_an_encoding_that_is_named() -> None:
    scripts = REPOSITORY / "workflow_scripts"
    code = {path: path.read_text(encoding="utf-8") for path in scripts.rglob("*.py")}
    wrong = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path, text in code.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and opens_text_without_encoding(node)
    ]
    for path in (REPOSITORY / "Snakefile", *(REPOSITORY / "rules").glob("*.smk")):  # which are not quite Python
        for call in re.findall(r"(?:\b(?:open|run|Popen)|\.(?:read|write)_text)\([^\n]*", path.read_text("utf-8")):
            wrong += [] if "encoding=" in call else [f"{path.name}: {call}"]
    assert not wrong


@pytest.mark.parametrize(
    ("code", "is_wrong"),
    [
        ("path.read_text()", True),
        ("path.write_text(text, encoding='utf-8')", False),
        ("open(path)", True),
        ("path.open('w', newline='')", True),
        ("path.open(mode='rb')", False),
        ("os.open(path, flags)", False),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command)", False),
    ],
)
def test_calls_that_take_the_encoding_of_the_terminal_are_found(code: str, is_wrong: bool) -> None:
    (call,) = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    assert opens_text_without_encoding(call) == is_wrong
