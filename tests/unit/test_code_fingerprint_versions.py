"""Fingerprints of code under each Python that is at hand: an upgrade must not train everything anew."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ecgtransfer.code_fingerprint import code_fingerprint

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"

WORK = r'''"""Rule `work`."""
from ecgtransfer import cases as c, words

for value in c.steps(*words.LIST, key=None):
    print(f"{value!r:>{words.WIDTH}.3f} {{}} {value = }" f"{'a' if value else 'b'[0]}" "", sep="")
'''
CASES = r'''
import asyncio


class Steps(dict, metaclass=type):
    """What there is."""

    width: int = -1
    """Below an attribute."""

    async def walk(self, /, a, *rest, b: float = 1e-5, **more) -> None:
        async with a as b, more["c"]:
            return [x async for x in rest if x if not b]


def steps(*values, key):
    """Do nothing but this."""
    match values:
        case [{"x": [1, *others], **kept}, asyncio.Task(x=1) | None]:
            del others[0], kept[1:2, ::3]
        case _ if (n := len(values)) < 3 <= n:
            raise ValueError from None
    try:
        yield from sorted(values, key=lambda v: {**v, "z": b"\xff"} @ 1j)
    except* (OSError, KeyError) as error:
        global WIDTH
        assert error, ...
    finally:
        WIDTH = 0x10 | 1_000 if key is not None else ~True
'''
WORDS = 'LIST = ["é", "\U0001fae8", "\\\\", "it\'s", f"", u"u", r"\\d", """\n"""]\nWIDTH = 8  # type: int\n'
GOLDEN = "9694cbf0c9da262b"

ASK = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ecgtransfer.code_fingerprint import code_fingerprint
print(json.dumps([code_fingerprint(Path(adapter)) for adapter in sys.argv[2:]]))
"""


def pythons() -> dict[int, list[str]]:
    """Return the programs by minor version, from 3.11 on: on the path and, where there is one, of pyenv."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin")
    found = {sys.version_info.minor: [sys.executable]}
    for folder in folders:
        for program in folder.glob("python3.*"):
            named = re.fullmatch(r"python3\.(\d+)", program.name)
            if named and int(named[1]) >= 11:
                found.setdefault(int(named[1]), []).append(str(program))
    return dict(sorted(found.items()))


def fingerprints(program: str, adapters: list[Path]) -> list[str] | None:
    """Return what another Python finds; None where this one does not start, as pyenv's stand-ins may."""
    run = [program, "-I", "-X", "utf8", "-B", "-c"]
    if subprocess.run([*run, ""], capture_output=True, timeout=60, check=False).returncode:
        return None
    answer = subprocess.run([*run, ASK, str(SCRIPTS), *adapters], stdout=subprocess.PIPE, timeout=60, check=True)
    return list(json.loads(answer.stdout))


@pytest.mark.parametrize("minor", pythons())
def test_the_same_in_every_version(minor: int, tmp_path: Path) -> None:
    library = tmp_path / "ecgtransfer"
    library.mkdir()
    for path, code in {tmp_path / "work.py": WORK, library / "cases.py": CASES, library / "words.py": WORDS}.items():
        path.write_text(code, encoding="utf-8")
    adapters = sorted(SCRIPTS.glob("*.py"))
    found = next(filter(None, (fingerprints(p, [tmp_path / "work.py", *adapters]) for p in pythons()[minor])), None)
    if found is None:
        pytest.skip(f"Python 3.{minor} does not start")
    assert found == [GOLDEN, *map(code_fingerprint, adapters)]
