"""What follows the stand-ins of the micro-study where only the spelling of a data set is another.

Predictions then depend on what the data say, not on how they say it: neither on ids and the order of rows, nor on last
digits of signals, which come out of another format a little different. `spelt_study` writes this behind `stand_ins`.
"""

# ruff: noqa: F821
import csv
import zlib

_strength = 1.0
_train_a_cell = _train_cell


def _train_cell(job: Job, arm: str, taken_over: Mapping[str, int]) -> None:
    """Write what a cell does, where transfer helps a lot: verdicts are clear."""
    global _strength
    _strength = 0.7 if arm == "scratch" else 1.6
    _train_a_cell(job, arm, taken_over)


def _digests_of_files(files: Any) -> list[str]:
    return [_digest_of_content(Path(path)) for path in ([files] if isinstance(files, str) else files)]


def _digest_of_content(path: Path) -> str:
    """Return a hash of a file; of tables of records without ids, ranks and order, of signals by their shape."""
    if path.suffix == ".npy":
        return str(np.load(path, mmap_mode="r").shape)
    if path.suffix == ".csv":
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "record_id" in table:
            said = [name for name in table if not name.startswith(("record_id", "patient_id", "rank_"))]
            rows = sorted(map(tuple, table[said].to_numpy().tolist()))
            return hashlib.sha256(repr((said, rows)).encode()).hexdigest()
    return sha256_of(path)


def _probabilities(labels: pd.DataFrame, record_ids: Sequence[str], rng: np.random.Generator) -> Array:
    """Return probabilities that go a little with the labels, whatever the records are called."""
    seed, numbers = int(rng.integers(2**32)), _numbers_of_own()
    noise = [
        np.random.default_rng([seed, numbers.get(record, zlib.crc32(record.encode()))]).normal(size=labels.shape[1])
        for record in record_ids
    ]
    signs: Array = 2 * labels.loc[list(record_ids)].to_numpy(dtype=float, na_value=0.5) - 1
    probabilities: Array = (1 / (1 + np.exp(-_strength * np.nan_to_num(signs) - np.array(noise)))).astype(np.float32)
    return probabilities


def _numbers_of_own() -> dict[str, int]:
    """Return the number of a recording by the id that it has in the spelling that is tried."""
    with Path("own/numbers.csv").open(encoding="utf-8", newline="") as file:
        return {record: int(number) for record, number in csv.reader(file)}


def _read_labels(path: str) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("record_id")
    return table.replace("", np.nan).astype(float)


def _read_splits(path: str) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return table.astype({name: float for name in table if name.startswith("rank_")})
