"""Labels that are dealt out anew: the negative control."""

import numpy as np
import pandas as pd
import pytest
from tiny_labels import written

from ecgtransfer.prepare.labels import shuffle_labels


class TestShuffle:
    """The negative control."""

    labels = pd.DataFrame({"record_id": [f"r{i}" for i in range(200)], "A": [1, 0, 0, 0] * 50, "B": [1, 1] + [0] * 198})

    def test_prevalences_and_combinations_stay_and_rows_change(self) -> None:
        shuffled = shuffle_labels(self.labels, 1)
        assert shuffled["record_id"].tolist() == self.labels["record_id"].tolist()
        assert shuffled.columns.tolist() == self.labels.columns.tolist()
        assert sorted(shuffled[["A", "B"]].value_counts().items()) == sorted(
            self.labels[["A", "B"]].value_counts().items()
        )
        # By chance 50 * 50 / 200 = 12.5 of the 50 positives stay where they were, standard deviation 2.7.
        assert (shuffled["A"] * self.labels["A"]).sum() < 25

    def test_seed(self) -> None:
        once, again, other = (shuffle_labels(self.labels, seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(once, again)
        assert not once.equals(other)

    def test_given_table_is_left_alone(self) -> None:
        before = self.labels.copy()
        shuffle_labels(self.labels, 1)
        pd.testing.assert_frame_equal(self.labels, before)

    def test_all_known_rows_stay_whole_in_a_joined_corpus(self) -> None:
        joined = self.labels.astype({"A": "Int8", "B": "Int8"})
        assert written(shuffle_labels(joined, 1)) == written(shuffle_labels(self.labels, 1))


class TestShuffleJoined:
    """The negative control of several data sets, of which some do not use some labels."""

    @staticmethod
    def labels() -> pd.DataFrame:
        """Return labels of three data sets: A and B in x and y, C and its complement in all, D in z alone."""
        rng = np.random.default_rng(2)
        n = 3000
        dataset = np.repeat(["x", "y", "z"], n // 3)
        share = {"x": (0.6, 0.1), "y": (0.1, 0.5), "z": (0.3, 0.9)}
        table = pd.DataFrame({"record_id": [f"{name}:{number}" for number, name in enumerate(dataset)]})
        table["A"] = pd.array(rng.random(n) < [share[name][0] for name in dataset]).astype("Int8")
        table["B"] = 1 - table["A"]
        table["C"] = pd.array(rng.random(n) < [share[name][1] for name in dataset]).astype("Int8")
        table["D"] = pd.array(rng.random(n) < 0.2).astype("Int8")
        table.loc[dataset == "z", ["A", "B"]] = pd.NA
        table.loc[dataset != "z", "D"] = pd.NA
        return table.sample(frac=1, random_state=1, ignore_index=True)

    def test_what_is_not_known_stays_so_and_prevalences_stay(self) -> None:
        labels = self.labels()
        shuffled = shuffle_labels(labels, 4)
        assert shuffled["record_id"].tolist() == labels["record_id"].tolist()
        pd.testing.assert_frame_equal(shuffled.isna(), labels.isna())
        pd.testing.assert_series_equal(shuffled.dtypes, labels.dtypes)
        for label in "ABCD":
            assert shuffled[label].sum() == labels[label].sum()
        for label in "ACD":
            both = (shuffled[label] == labels[label]).mean()
            share = labels[label].mean()
            assert both == pytest.approx(share**2 + (1 - share) ** 2, abs=0.08)  # as by chance

    def test_labels_that_are_known_of_the_same_records_stay_together(self) -> None:
        shuffled = shuffle_labels(self.labels(), 4).dropna(subset="A")
        assert (shuffled["A"] + shuffled["B"] == 1).all()

    def test_not_even_prevalences_of_data_sets_can_be_learnt(self) -> None:
        labels = self.labels()
        dataset = labels["record_id"].str[0]
        for label in "AC":
            before, after = (
                table.groupby(dataset)[label].mean().dropna() for table in (labels, shuffle_labels(labels, 4))
            )
            assert before.max() - before.min() > 0.4
            assert after.max() - after.min() < 0.08

    def test_seed(self) -> None:
        once, again, other = (shuffle_labels(self.labels(), seed) for seed in (1, 1, 2))
        pd.testing.assert_frame_equal(once, again)
        assert not once.equals(other)
