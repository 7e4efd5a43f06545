"""All that decides a micro-study, as somebody edits it, and what may befall the files of a run."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from micro_study import MicroStudy

DAY_NS = 86_400 * 10**9

VALUES: dict[str, list[Any]] = {
    "simulate.hospital.noise": [1.0, 1.4],
    "simulate.clinic.noise": [1.2, 1.5],
    "simulate.clinic.seed": [2, 3],
    "simulate.clinic.n_patients": [30, 32],
    "limits": [{}, {"ptb-xl": 12}],
    "own.ward.unit": ["uV", "0.002 mV"],
    "signals.band_pass.high_hz": [20, 15],
    "signals.crop": ["start", "centre"],
    "signals.implausible_gain.action": ["flag", "rescale"],
    "labels.min_records": [4, 5],
    "labels.min_likelihood": [0, 50],
    "labels.shuffle_seed": [1, 2],
    "splits.seed": [1, 7],
    "models.gru.head": ["pool", "flatten"],
    "models.gru.age_sex": [False, True],
    "transfer.sources": [
        ["hospital-intervals", "ward+ptb-xl", "theirs"],
        ["ward+ptb-xl"],
        ["ward", "ward-shuffled", "theirs"],
    ],
    "transfer.targets": [["clinic"], ["clinic", "yard"]],
    "transfer.methods": [["finetune"], ["finetune", "probe"]],
    "transfer.fractions": [[0.5, 1.0], [1.0]],
    "transfer.replicates": [2, 3],
    "transfer.seed": [1, 9],
    "pretrain.epochs": [7, 2],
    "scratch.epochs": [8, 2],
    "finetune.learning_rate": [0.002, 0.01],
    "methods.probe.learning_rate": [0.01, 0.02],
    "hardware.precision": ["auto", "float32"],
    "hardware.kernels": ["fast", "plain"],
    "score.n_resamples": [100, 120],
    "score.seed": [1, 2],
    "compare.margin": [0.01, 0.02],
    "compare.confidence": [0.95, 0.9],
    "compare.variance": ["moderated", "own"],
    "compare.seed": [1, 2],
    "report.recordings.per_dataset": [1, 2],
}
"""Values of config keys; the first is that of the micro-study."""

TEXTS = {
    "config/labels/equivalent.csv": ("164909002", "164909999"),
    "config/labels/scp.csv": ("LVH,164873001", "LVH,266249003"),
    "config/labels/snomed.csv": (",atrial fibrillation,", ",fibrillation of the atria,"),
    "own/ward.csv": ("Finding AF", "Finding LVH"),
    "own/words.csv": ("164889003", "426783006"),
    "own/names.csv": ("stages.0.weight", "stages.1.weight"),
    "workflow_scripts/ecgtransfer/findings/calibration.py": ("N_BINS = 10", "N_BINS = 8"),
    "workflow_scripts/ecgtransfer/prepare/statements.py": ('"""From the statements', '"""From statements'),
}
"""Files with a text in them that an edit replaces."""

RECORDINGS = ("changed", "missing")
"""What can have become of an own recording."""


@dataclass
class World:
    """What decides the results: the values, texts and recordings that are not as the micro-study has them."""

    values: dict[str, Any] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    recordings: dict[str, str] = field(default_factory=dict)

    def key(self) -> str:
        """Return a text that is the same for the same world."""
        return repr((sorted(self.values.items()), sorted(self.texts), sorted(self.recordings.items())))

    def edit(self, random: Random) -> str:
        """Change one thing, or back, and return its name: a config key, or a path."""
        kind = random.choices(["value", "text", "recording"], [6, 3, 2])[0]
        if kind == "value":
            name = random.choice(list(VALUES))
            usual, *others = VALUES[name]
            before = self.values.pop(name, usual)
            value = random.choice([value for value in (usual, *others) if value != before])
            if value != usual:
                self.values[name] = value
        elif kind == "text":
            name = random.choice(list(TEXTS))
            self.texts ^= {name}
        else:
            name = f"own/ward/{random.randint(1, 4):05d}.npy"
            if self.recordings.pop(name, None) is None:
                self.recordings[name] = random.choice(RECORDINGS)
        return name

    def put_into(self, study: MicroStudy, new: MicroStudy, age_ns: int = 0) -> None:
        """Make a folder's files say what the world is; those that change are dated so long ago.

        Parameters
        ----------
        study
            The folder.
        new
            A micro-study as it was written, to take files from.
        age_ns
            0 for the time of now.
        """
        values = dict(self.values)
        if "yard" in values.get("transfer.targets", []):
            values["simulate.yard"] = {**study.study()["simulate"]["clinic"], "seed": 5, "n_patients": 28}
        study.write_study(values)
        contents = {name: new.folder.joinpath(name).read_bytes() for name in TEXTS}
        for name in self.texts:
            old, text = TEXTS[name]
            assert old.encode() in contents[name], name
            contents[name] = contents[name].replace(old.encode(), text.encode())
        for path in sorted(new.folder.glob("own/ward/*.npy")):
            name = str(path.relative_to(new.folder))
            state = self.recordings.get(name)
            if state == "missing":
                (study.folder / name).unlink(missing_ok=True)
            else:
                contents[name] = _reversed(path) if state == "changed" else path.read_bytes()
        for name, content in contents.items():
            path = study.folder / name
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
                dated = time.time_ns() - age_ns
                os.utime(path, ns=(dated, dated))


def _reversed(path: Path) -> bytes:
    """Return a recording backwards: a file of the same size."""
    content, samples = path.read_bytes(), np.load(path)
    return content[: -samples.nbytes] + samples[:, ::-1].tobytes("A")


def products(study: MicroStudy, folder: str = "results/micro") -> list[Path]:
    """Return all that runs have made below a folder, sorted, but logs, measured times and what is set aside."""
    left_out = {"logs", "benchmarks", "set-aside", "unfinished"}
    root = study.folder / folder
    paths = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in paths if left_out.isdisjoint(path.relative_to(root).parts[:1]))


def damage(path: Path, random: Random, others: list[Path]) -> str:
    """Damage a file, as disks, editors and users do, and return how."""
    content = path.read_bytes()
    alike = [other for other in others if other.suffix == path.suffix and other.read_bytes() != content]
    how = random.choice(["flip", "cut", *(["swap"] if alike else [])]) if content else "fill"
    if how == "flip":
        place = random.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :])
    elif how == "cut":
        path.write_bytes(content[: random.randrange(len(content))])
    elif how == "swap":
        other = random.choice(alike)
        aside = path.with_name("aside")
        path.replace(aside)  # each with its dates
        other.replace(path)
        aside.replace(other)
    else:
        path.write_bytes(b"?")
    return how
