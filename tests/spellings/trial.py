"""One spelling from choice to faults."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from oracle import faults_of
from spelling import Choice, DataSet, Written, files_of, table_of, way_of, with_needs
from stages import Stages
from truth import corpus
from ways import NotWritable


class Trials:
    """Spellings that share their files."""

    def __init__(self, files: Choice, root: Path) -> None:
        self._files, self._root = with_needs(files), root
        (root / "files").mkdir()
        (root / "stages").mkdir()
        self._written: Written = files_of(self._files, corpus(), root / "files")
        self._stages = Stages(root / "stages")

    def faults(self, table: Choice = {}) -> list[str]:  # noqa: B006 - never changed
        """Return what goes wrong with the files and a choice of the other axes.

        Raises
        ------
        NotWritable
            If there is no such table for these files.
        """
        choice = {**with_needs({**self._files, **table})}
        if any(choice[axis] != way for axis, way in self._files.items()):
            raise NotWritable("the table asks for other files")
        with tempfile.TemporaryDirectory(dir=self._root) as folder:
            data: DataSet = table_of(choice, corpus(), self._written, Path(folder))
            outcome = self._stages.run(data.entry, way_of(choice, "roles").settings(choice))
        return faults_of(choice, corpus(), data, outcome)


def faults_of_choice(choice: Mapping[str, str]) -> list[str]:
    """Return what goes wrong with one spelling.

    Raises
    ------
    NotWritable
        If nobody could write it.
    """
    with tempfile.TemporaryDirectory() as folder:
        return Trials(choice, Path(folder)).faults()
