"""One spelling from choice to faults, where many share their files."""

import tempfile
from pathlib import Path

from oracle import faults_of
from spelling import OF_FILES, Choice, as_text, files_of, table_of, way_of, with_needs
from stages import Stages
from truth import corpus
from ways import NotWritable

_KEPT = 8


class Trials:
    """Tries spellings; the files of the last few, and what was read of them, are kept.

    Parameters
    ----------
    root
        An empty folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._kept: dict[str, _OfFiles] = {}

    def faults(self, choice: Choice) -> list[str]:
        """Return what goes wrong with a spelling, one line each.

        Raises
        ------
        NotWritable
            If nobody could write it.
        """
        choice = with_needs(choice)
        return self._of_files(choice).faults(choice)

    def can_write(self, files: Choice) -> bool:
        """Return whether files can be written so."""
        try:
            self._of_files(with_needs(files))
        except NotWritable:
            return False
        return True

    def _of_files(self, choice: Choice) -> "_OfFiles":
        files = {axis: way for axis, way in choice.items() if axis in OF_FILES}
        key = as_text(files)
        if key not in self._kept:
            if len(self._kept) == _KEPT:
                self._kept.pop(next(iter(self._kept))).close()
            self._kept[key] = _OfFiles(files, self._root)
        return self._kept[key]


class _OfFiles:
    """Spellings that share their files."""

    def __init__(self, files: Choice, root: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=root)
        place = Path(self._folder.name)
        for name in ("files", "stages"):
            (place / name).mkdir()
        try:
            self._written = files_of(files, corpus(), place / "files")
        except NotWritable:
            self._folder.cleanup()
            raise
        self._stages = Stages(place / "stages")

    def close(self) -> None:
        self._folder.cleanup()

    def faults(self, choice: Choice) -> list[str]:
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            data = table_of(choice, corpus(), self._written, Path(folder))
            outcome = self._stages.run(data.entry, way_of(choice, "roles").settings(choice))
        return faults_of(choice, corpus(), data, outcome)
