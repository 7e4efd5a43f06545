"""More replicates of a study that has run: only these are trained, and all is as if there had always been so many."""

from pathlib import Path

import pandas as pd
from checkout import Checkout

CELLS = ("scratch", "finetune-tiny-hospital")
MORE = {"transfer.models": ["gru"], "transfer.replicates": 3}


def outputs(checkout: Checkout, study: str, name: str) -> dict[str, Path]:
    """Return a file of each cell."""
    return {
        cell: checkout.folder / "results" / study / "runs" / "tiny-clinic" / "gru" / cell / "1.0" / name
        for cell in CELLS
    }


def run(checkout: Checkout, study: str) -> None:
    with checkout.study_with({**MORE, "study": study}) as config:
        cells = outputs(checkout, study, "predictions.npz").values()
        checkout.run(config, "--", *(str(path.relative_to(checkout.folder)) for path in cells))


def test_further_replicates_alone_are_trained(finished: Checkout, tmp_path: Path) -> None:
    checkout = Checkout.copied(finished.folder, tmp_path / "checkout")
    before = {cell: pd.read_csv(path) for cell, path in outputs(checkout, "tiny", "history.csv").items()}
    run(checkout, "tiny")
    for cell, path in outputs(checkout, "tiny", "history.csv").items():
        history = pd.read_csv(path)
        assert history["replicate"].max() == 2 > before[cell]["replicate"].max()
        kept = history[history["replicate"] <= before[cell]["replicate"].max()]
        pd.testing.assert_frame_equal(kept, before[cell])  # with the seconds that they took then
    # Another study in the same folder finds all of them, and what it starts from.
    run(checkout, "other")
    for name in ("history.csv", "predictions.npz"):
        others = outputs(checkout, "other", name)
        for cell, path in outputs(checkout, "tiny", name).items():
            assert path.read_bytes() == others[cell].read_bytes()
    pretrained = "pretrained/tiny-hospital/gru/weights.safetensors"
    tiny, other = (checkout.folder / "results" / study / pretrained for study in ("tiny", "other"))
    assert tiny.read_bytes() == other.read_bytes()
    # A fresh folder trains all of them, and its predictions are the same bytes.
    fresh = Checkout(tmp_path / "fresh")
    run(fresh, "tiny")
    for cell, path in outputs(fresh, "tiny", "predictions.npz").items():
        assert path.read_bytes() == outputs(checkout, "tiny", "predictions.npz")[cell].read_bytes()
