"""The fingerprint of a rule's code: what changes it and what does not."""

import ast
from pathlib import Path

import pytest

from ecgtransfer.code_fingerprint import code_fingerprint, forget_fingerprints, in_words

ADAPTER = """
\"\"\"Rule `work`.\"\"\"
from ecgtransfer.first import step

step(1)
"""
FIRST = """
from ecgtransfer.deep import second


def step(x):
    'Do.'
    return second.f(x)
"""
TREE = {
    "work.py": ADAPTER,
    "ecgtransfer/__init__.py": "",
    "ecgtransfer/first.py": FIRST,
    "ecgtransfer/deep/__init__.py": "LEVEL = 1\n",
    "ecgtransfer/deep/second.py": "import numpy as np\n\n\ndef f(x):\n    return np.abs(x) + 1\n",
    "ecgtransfer/apart.py": "def g(x):\n    return x\n",
    "ecgtransfer/plugin.py": "import ecgtransfer.helper\n\nSIZE = 3\n",
    "ecgtransfer/helper.py": "TEN = 10\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with an adapter and a library next to it."""
    for name, content in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def fingerprint(root: Path, *extra: str) -> str:
    """Return the fingerprint as a new process would see it."""
    forget_fingerprints()
    return code_fingerprint(root / "work.py", extra)


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Replace text that must be there."""
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


def test_form(root: Path) -> None:
    assert len(fingerprint(root)) == 16
    assert int(fingerprint(root), 16) >= 0
    assert fingerprint(root) == fingerprint(root)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("work.py", "\nstep(1)", "\n# why\nstep( 1 )  # so"),
        ("work.py", "Rule `work`", "Rule `work`, explained"),
        ("ecgtransfer/first.py", "Do.", "Do it, at length."),
        ("ecgtransfer/first.py", "    'Do.'\n", ""),
        ("ecgtransfer/deep/second.py", "def f(x):\n    return", "def f(\n    x,\n):\n    # sum\n    return"),
        ("ecgtransfer/deep/__init__.py", "LEVEL = 1\n", 'LEVEL = 1\n"""Described below."""\n'),
        ("ecgtransfer/apart.py", "return x", "return x + 1"),
        ("ecgtransfer/plugin.py", "SIZE = 3", "SIZE = 4"),
    ],
)
def test_same(root: Path, name: str, old: str, new: str) -> None:
    before = fingerprint(root)
    edit(root, name, old, new)
    assert fingerprint(root) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("work.py", "step(1)", "step(2)"),
        ("ecgtransfer/first.py", "second.f(x)", "second.f(-x)"),
        ("ecgtransfer/deep/second.py", "+ 1", "+ 2"),
        ("ecgtransfer/deep/__init__.py", "LEVEL = 1", "LEVEL = 2"),
        ("ecgtransfer/__init__.py", "", "VERSION = 1\n"),
        ("ecgtransfer/deep/second.py", "import numpy as np\n", "import numpy as np\nimport ecgtransfer.apart\n"),
    ],
)
def test_other(root: Path, name: str, old: str, new: str) -> None:
    before = fingerprint(root)
    edit(root, name, old, new)
    assert fingerprint(root) != before


def test_a_string_that_is_a_value_counts(root: Path) -> None:
    edit(root, "ecgtransfer/deep/__init__.py", "LEVEL = 1", 'LEVEL = "text"')
    before = fingerprint(root)
    edit(root, "ecgtransfer/deep/__init__.py", '"text"', '"other"')
    assert fingerprint(root) != before


def test_an_import_inside_a_function_counts(root: Path) -> None:
    edit(
        root,
        "ecgtransfer/deep/second.py",
        "    return np",
        "    from ecgtransfer import apart\n\n    return apart.g(1) + np",
    )
    before = fingerprint(root)
    edit(root, "ecgtransfer/apart.py", "return x", "return 2 * x")
    assert fingerprint(root) != before


def test_an_import_for_types_alone_does_not_count(root: Path) -> None:
    before = fingerprint(root)
    edit(root, "ecgtransfer/first.py", "\n\n\ndef", "\n\nif TYPE_CHECKING:\n    from ecgtransfer import apart\n\n\ndef")
    assert fingerprint(root) == before
    edit(root, "ecgtransfer/apart.py", "return x", "return x + 1")
    assert fingerprint(root) == before


@pytest.mark.parametrize("statement", ["from . import apart", "from .apart import g", "from .deep.second import f"])
def test_a_relative_import_counts(root: Path, statement: str) -> None:
    (root / "ecgtransfer/first.py").write_text(f"{statement}\n\n\ndef step(x):\n    return x\n")
    before = fingerprint(root)
    for name in ("ecgtransfer/apart.py", "ecgtransfer/deep/second.py"):
        with (root / name).open("a") as file:
            file.write("MORE = 1\n")
    assert fingerprint(root) != before


def test_extra_modules_count_with_what_they_import(root: Path) -> None:
    before = fingerprint(root, "ecgtransfer.plugin")
    assert before != fingerprint(root)
    edit(root, "ecgtransfer/helper.py", "10", "11")
    after_helper = fingerprint(root, "ecgtransfer.plugin")
    assert after_helper != before
    edit(root, "ecgtransfer/plugin.py", "SIZE = 3", "SIZE = 4")
    assert fingerprint(root, "ecgtransfer.plugin") != after_helper


def test_modules_that_import_one_another_end(root: Path) -> None:
    edit(root, "ecgtransfer/deep/second.py", "import numpy as np", "import numpy as np\nimport ecgtransfer.first")
    assert len(fingerprint(root)) == 16


def test_where_the_workflow_lies_does_not_matter(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "deeper"
    root.rename(other)
    assert (moved := fingerprint(other))
    other.rename(root)
    assert fingerprint(root) == moved


def test_code_in_words_has_nothing_that_a_version_of_python_decides() -> None:
    tree = ast.parse("""f'{x!r:>{w}}' + "it's"\ndef f(a, *, b: int = 1): return a[b]\n""")
    assert in_words(tree) == (
        "Module(body=[Expr(value=BinOp(left=JoinedStr(values=[FormattedValue(value=Name(id='x'), conversion=114, "
        "format_spec=JoinedStr(values=[Constant(value='>'), FormattedValue(value=Name(id='w'), conversion=-1)]))]), "
        "op=Add(), right=Constant(value=\"it's\"))), FunctionDef(name='f', args=arguments(args=[arg(arg='a')], "
        "kwonlyargs=[arg(arg='b', annotation=Name(id='int'))], kw_defaults=[Constant(value=1)]), "
        "body=[Return(value=Subscript(value=Name(id='a'), slice=Name(id='b')))])])"
    )
