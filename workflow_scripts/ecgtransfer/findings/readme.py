"""The description of the tables of findings in results/README.md, made from the findings themselves."""

import re
from collections.abc import Iterator
from importlib import import_module

from ecgtransfer.compare.tables import TableForm
from ecgtransfer.findings.asked import ROOMS
from ecgtransfer.findings.contents import FINDINGS

_BETWEEN = re.compile(r"(?<=<!-- findings -->\n).*(?=<!-- end -->)", re.DOTALL)


def with_findings(readme: str) -> str:
    """Return the README with the part on findings regenerated: the text between its two marks."""
    return _BETWEEN.sub(lambda _: "\n".join(_lines()) + "\n\n", readme)


def _lines() -> Iterator[str]:
    """Yield a list of all tables, then a section for each finding."""
    forms: dict[str, dict[str, TableForm]] = {name: import_module(f"{ROOMS}.{name}").TABLES for name in FINDINGS}
    yield from ("| file | |", "|---|---|")
    for tables in forms.values():
        yield from (f"| `findings/{name}.csv` | {form.about} |" for name, form in tables.items())
    for tables in forms.values():
        yield from ("", f"## findings/{', '.join(f'{name}.csv' for name in tables)}")
        for name, form in tables.items():
            yield from ("", f"`{name}.csv`: {form.about}. {form.rows}" if len(tables) > 1 else form.rows, "")
            yield from ("| column | |", "|---|---|")
            for columns, meaning in form.meaning.items():
                yield f"| {', '.join(f'`{column}`' for column in columns.split(', '))} | {meaning} |"
