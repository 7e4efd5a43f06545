"""Made-up tables of findings, of any size, with the columns that the files have, as the figures read them."""

import io
import itertools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ecgtransfer.compare.tables import read_findings
from ecgtransfer.findings.claims import CLAIM_COLUMNS
from ecgtransfer.findings.claims import CLAIMS as PUBLISHED
from ecgtransfer.statistics.inference import verdict

MARGIN = 0.01
CELL = ["target", "source", "model", "arm", "fraction", "n_train"]
GROUPS = {"F": "sex", "M": "sex", "under 40": "age", "40 to 64": "age", "65 and over": "age"}


def as_read(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it comes back from its file."""
    return read_findings(io.StringIO(table.to_csv(index=False)))


@dataclass
class Study:
    """A study's names, from which all of its tables are made up."""

    targets: tuple[str, ...]
    models: tuple[str, ...]
    sources: tuple[str, ...]
    fractions: tuple[float, ...]
    methods: tuple[str, ...] = ("finetune",)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def cells(self, scratch: bool) -> pd.DataFrame:
        """Return a row per cell, those from scratch too if asked for; with it, each table starts the draws anew."""
        self.random = np.random.default_rng(0)
        arms = [("", "scratch")] if scratch else []
        arms += [(source, f"{method}-{source}") for method in self.methods for source in self.sources]
        rows = [
            (target, source, model, arm, fraction, round(fraction * 1742 * (1 + number)))
            for number, target in enumerate(self.targets)
            for model, (source, arm), fraction in itertools.product(self.models, arms, self.fractions)
        ]
        return pd.DataFrame(rows, columns=CELL)

    def gains(self, cells: pd.DataFrame) -> np.ndarray:
        """Return gains that shrink with the fraction and differ between cells."""
        return self.random.normal(0.05, 0.04, len(cells)) * (1.2 - cells["fraction"]) + 0.002

    def interval(self, value: np.ndarray, half: float) -> dict[str, np.ndarray]:
        """Return an interval about values, of different lengths on its two sides."""
        low, high = self.random.uniform(0.3, 1.7, (2, len(value))) * half
        return {"ci_low": value - low, "ci_high": value + high}

    def verdicts(self) -> pd.DataFrame:
        table = self.cells(scratch=False)
        delta = self.gains(table)
        table = table.assign(metric="macro_auroc", scratch=0.8, transfer=0.8 + delta, delta=delta)
        table = table.assign(**self.interval(delta, 0.02))
        ends = zip(table["ci_low"], table["ci_high"], strict=True)
        table["verdict"] = [verdict(low, high, MARGIN) for low, high in ends]
        return as_read(pd.concat([table, table.assign(metric="macro_f1", delta=9.0, ci_low=8.0, ci_high=10.0)]))

    def controls(self) -> pd.DataFrame:
        table = self.cells(scratch=False)
        table = table[~table["source"].str.endswith("-shuffled")].reset_index(drop=True)
        gains = pd.DataFrame({"gain": ["general", "label-specific"], "control": ["x-untrained", "x-shuffled"]})
        table = table.merge(gains, how="cross").assign(metric="macro_auroc")
        delta = self.gains(table)
        return as_read(table.assign(delta=delta, **self.interval(delta, 0.02)))

    def label_saving(self) -> pd.DataFrame:
        table = self.cells(scratch=False)
        least = min(self.fractions) / table["fraction"]
        most = max(self.fractions) / table["fraction"]
        saving = np.exp(self.random.normal(0.5, 0.9, len(table)))
        table = table.assign(metric="macro_auroc", n_scratch=saving * table["n_train"], saving=saving)
        table = table.assign(ci_low=saving / 1.4, ci_high=saving * 1.5, least=least, most=most)
        for name in ("saving", "ci_low", "ci_high"):
            relation = "relation" if name == "saving" else f"{name}_relation"
            beyond = [table[name] > most, table[name] < least]
            table[relation] = np.select(beyond, ["more_than", "less_than"], "equals")
            table[name] = table[name].where(table[relation] == "equals")
        return as_read(table)

    def curves(self) -> pd.DataFrame:
        table = self.cells(scratch=True)
        score = 0.95 - 0.3 * (100 * table["fraction"]) ** -0.3 + self.random.normal(0, 0.01, len(table))
        table = table.assign(n_train_patients=table["n_train"], metric="macro_auroc", score=score)
        return as_read(table.assign(**self.interval(score, 0.01), replicate_sd=0.01, n_replicates=5))

    def more_labels(self) -> pd.DataFrame:
        table = self.curves()
        table = table[table["fraction"] == max(self.fractions)].drop(columns=["n_train_patients"])
        table = table.merge(pd.DataFrame({"times": [2.0, 5.0, 10.0]}), how="cross")
        score = table["score"] + 0.01 * np.log(table["times"])
        table = table.assign(n_recordings=table["times"] * table["n_train"], score=score)
        return as_read(table.assign(**self.interval(score.to_numpy(), 0.02)))

    def convergence(self) -> pd.DataFrame:
        cells, tables = self.cells(scratch=False).drop(columns="n_train"), []
        reached = self.random.integers(3, 6, len(cells))
        for measure in ("epochs", "steps", "seconds", "catch_up"):
            ratio = np.where(reached == 5, np.exp(self.random.normal(-0.8, 0.5, len(cells))), np.nan)
            wide = {"ci_low": ratio / self.random.uniform(1.2, 9, len(cells)), "ci_high": ratio * 1.8}
            table = cells.assign(measure=measure, scratch=20.0, transfer=20 * ratio, ratio=ratio, **wide)
            if measure == "catch_up":
                table[["transfer", "ratio", "ci_low", "ci_high"]] = np.nan
            tables.append(table.assign(n_reached=reached, n_replicates=5, epochs_run=50.0))
        return as_read(pd.concat(tables))

    def architectures(self) -> pd.DataFrame:
        table = self.cells(scratch=False).drop(columns="model").drop_duplicates(ignore_index=True)
        heads = pd.DataFrame({"recurrent_head": ["flatten", "pool"], "more": [0.0, 0.35]})
        table = table.merge(heads, how="cross")
        convolutional, recurrent = self.gains(table), self.gains(table)
        difference = convolutional - recurrent
        share = 0.2 + 0.1 * table["target"].map(self.targets.index) + table.pop("more")
        return as_read(
            table.assign(
                metric="macro_auroc",
                **{"convolutional_models": "|".join(self.models[:1]), "recurrent_models": "gru"},
                **{"convolutional_delta": convolutional, "recurrent_delta": recurrent, "difference": difference},
                **self.interval(difference, 0.03),
                **{"convolutional_share": 0.999, "recurrent_share": share},
            )
        )

    def per_label(self) -> pd.DataFrame:
        cells = self.cells(scratch=False)
        labels = pd.DataFrame({"label": [f"label{number}" for number in range(20)]})
        labels["prevalence_train"] = np.geomspace(0.002, 0.6, 20)
        labels.loc[0, "prevalence_train"] = 0.0
        table = cells.merge(labels, how="cross")
        delta = self.random.normal(0.02, 0.05, len(table))
        table = table.assign(metric="auroc", scratch=0.8, transfer=0.8 + delta, delta=delta, delta_sd=0.01)
        table.loc[table["label"] == "label19", ["scratch", "transfer", "delta"]] = np.nan
        positives = table["prevalence_train"] * table["n_train"]
        return as_read(table.assign(n_replicates=5, n_positive_train=positives, n_positive_test=9))

    def prevalence(self) -> pd.DataFrame:
        table = self.cells(scratch=False)
        spearman = self.random.uniform(-1, 1, len(table)).round(6)
        return as_read(table.assign(metric="auroc", spearman=spearman, n_labels=19))

    def zero_shot(self) -> pd.DataFrame:
        table = self.cells(scratch=False)[["target", "source", "model"]].drop_duplicates(ignore_index=True)
        score = self.random.uniform(0.45, 0.97, len(table))
        table = table.assign(metric="macro_auroc", n_labels=9, labels="AF|NORM", score=score)
        table = table.assign(**self.interval(score, 0.02), scratch=0.87, finetune=0.9)
        if len(self.targets) > 1:
            table.loc[0, ["score", "ci_low", "ci_high", "scratch", "finetune"]] = np.nan
        return as_read(table)

    def subgroups(self) -> pd.DataFrame:
        groups = pd.DataFrame({"group": list(GROUPS), "attribute": list(GROUPS.values())})
        table = self.cells(scratch=True).merge(groups, how="cross")
        score, gap = self.random.uniform(0.7, 0.95, len(table)), self.random.normal(0, 0.03, len(table))
        table = table.assign(metric="macro_auroc", n_records=400, n_patients=380, n_labels=9, score=score)
        table = table.assign(**self.interval(score, 0.03), gap=gap, gap_low=gap - 0.03, gap_high=gap + 0.04)
        return as_read(table)

    def calibration(self) -> pd.DataFrame:
        tables = []
        for metric in ("macro_brier", "macro_ece"):
            table = self.cells(scratch=True)
            score = self.random.uniform(0.01, 0.2, len(table))
            tables.append(table.assign(metric=metric, score=score, **self.interval(score, 0.01)))
        return as_read(pd.concat(tables))

    def reliability(self) -> pd.DataFrame:
        bins = pd.DataFrame({"bin": range(10), "probability": np.arange(0.05, 1, 0.1)})
        table = self.cells(scratch=True).merge(bins, how="cross")
        table["observed"] = np.clip(table["probability"] + self.random.normal(0, 0.06, len(table)), 0, 1)
        table.loc[table["bin"] == 9, ["probability", "observed"]] = np.nan
        return as_read(table.assign(n=100))

    def costs(self) -> pd.DataFrame:
        table = self.cells(scratch=True).drop(columns="n_train").assign(stage="training", n_trainings=5)
        keys = itertools.product(self.sources, self.models)
        before = pd.DataFrame(keys, columns=["source", "model"]).assign(
            stage="pretraining", target="", arm="", fraction=np.nan, n_trainings=1
        )
        table = pd.concat([before, table], ignore_index=True)
        seconds = self.random.uniform(10, 4000, len(table))
        return as_read(
            table.assign(wall_seconds=seconds / 2, device_seconds=seconds, joules=np.nan, device="a processor")
        )

    def break_even(self) -> pd.DataFrame:
        table = self.cells(scratch=False).drop(columns="n_train")
        answer = self.random.choice(["after", "never", "unknown"], len(table), p=[0.6, 0.3, 0.1])
        targets = np.where(answer == "after", np.ceil(np.exp(self.random.normal(2, 1, len(table)))), np.nan)
        return as_read(table.assign(pretraining_seconds=100.0, break_even=answer, n_targets=targets))

    def transferability(self) -> pd.DataFrame:
        table = self.cells(scratch=False)
        return as_read(
            table.assign(
                melep=self.random.uniform(0.1, 0.7, len(table)),
                delta=self.gains(table),
                transfer_auroc=0.9,
                transfer_weighted_f1=0.5,
            )
        )

    def transferability_correlation(self) -> pd.DataFrame:
        n_cells = len(self.cells(scratch=False)) // len(self.methods)
        measures = {"delta": -0.42, "transfer_auroc": 0.1, "transfer_weighted_f1": 0.2}
        keys = itertools.product(self.methods, measures.items())
        return as_read(pd.DataFrame([{"method": w, "measure": m, "spearman": v, "n": n_cells} for w, (m, v) in keys]))


_FOUND = [
    (0.031, 0.012, 0.05, 36, "agrees"),
    (-0.02, -0.03, -0.01, 36, "contradicts"),
    (0.61, 0.4, 1.1, 36, "undecided"),
    (np.nan, np.nan, np.nan, 0, "not examined"),
    (0.004, -0.001, 0.009, 6, "undecided"),
]
CLAIMS = as_read(
    pd.DataFrame(
        [
            (name, claim.study, claim.said, claim.measure, *found)
            for (name, claim), found in zip(PUBLISHED.items(), _FOUND, strict=True)
        ],
        columns=CLAIM_COLUMNS,
    )
)


def parity() -> pd.DataFrame:
    """Return the claims next to the same ones, slightly moved; the last one is known only in the clean study."""
    columns = {"estimate": "", "ci_low": "_low", "ci_high": "_high", "finding": "_finding"}
    clean = CLAIMS[["claim", "measure"]].copy()
    for name, end in columns.items():
        clean[f"clean{end}"] = CLAIMS[name]
        clean[f"parity{end}"] = CLAIMS[name] if name == "finding" else CLAIMS[name] + 0.02
    clean.loc[4, ["parity", "parity_low", "parity_high"]] = np.nan
    clean.loc[4, "parity_finding"] = "not examined"
    return as_read(clean.assign(moved=clean["parity"] - clean["clean"]))
