"""What the model of a source says of a target: its own head, the target's normalisation, all records."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpus import SAMPLING_RATE_HZ, CorpusFiles, write_corpus
from torch import Tensor

from ecgtransfer.errors import InputError
from ecgtransfer.leads import LEADS
from ecgtransfer.train import source_predictions
from ecgtransfer.train.loop import predict
from ecgtransfer.train.registry import build_model
from ecgtransfer.train.source_predictions import predict_with_source
from ecgtransfer.train.weights import save_weights

SOURCE_LABELS = ["AF", "SB", "LVH"]
OPTIONS = {"head": "pool"}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("target"))


def pretrained(path: Path, n_samples: int) -> torch.nn.Module:
    torch.manual_seed(1)
    model = build_model("gru", len(LEADS), n_samples, len(SOURCE_LABELS), OPTIONS).eval()
    save_weights(model, "gru", SOURCE_LABELS, path)
    return model


def test_probabilities_are_those_of_the_source_on_signals_normalised_by_the_target(
    target: CorpusFiles, tmp_path: Path
) -> None:
    corpus = target.open()
    model = pretrained(tmp_path / "w.safetensors", corpus.n_samples)
    found = predict_with_source("gru", OPTIONS, tmp_path / "w.safetensors", corpus, None, "float32", "fast")
    assert found["labels"].tolist() == SOURCE_LABELS
    assert sorted(found["record_id"]) == sorted(corpus.splits["record_id"])
    signals = corpus.load(found["record_id"].tolist()).signals.double() / 1000
    train = signals[np.isin(found["record_id"], corpus.in_role("train")["record_id"].tolist())]
    mean, deviation = train.mean(dim=(0, 2)), train.std(dim=(0, 2), correction=0)
    with torch.no_grad():
        expected = torch.sigmoid(model(((signals - mean[:, None]) / deviation[:, None]).float(), None))
    assert np.allclose(found["probability"], expected.numpy(), atol=1e-5)


def test_a_model_of_crops_sees_windows_of_them(target: CorpusFiles, tmp_path: Path) -> None:
    corpus = target.open()
    pretrained(tmp_path / "w.safetensors", corpus.n_samples // 2)
    crop_s = corpus.n_samples / 2 / SAMPLING_RATE_HZ
    found = predict_with_source("gru", OPTIONS, tmp_path / "w.safetensors", corpus, crop_s, "float32", "fast")
    assert found["probability"].shape == (len(corpus.splits), len(SOURCE_LABELS))
    assert np.isfinite(found["probability"]).all()


def test_predicts_with_one_thread_however_many_there_are(
    target: CorpusFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more, last digits would be others, though not those of every model on every processor."""
    corpus, noted = target.open(), []
    pretrained(tmp_path / "w.safetensors", corpus.n_samples)

    def noting(*given: Any) -> Tensor:
        noted.append(torch.get_num_threads())
        return predict(*given)

    monkeypatch.setattr(source_predictions, "predict", noting)
    torch.set_num_threads(2)
    predict_with_source("gru", OPTIONS, tmp_path / "w.safetensors", corpus, None, "float32", "fast")
    assert noted == [1]


def test_weights_of_another_model_are_refused(target: CorpusFiles, tmp_path: Path) -> None:
    corpus = target.open()
    pretrained(tmp_path / "w.safetensors", corpus.n_samples)
    with pytest.raises(InputError, match=r"holds the weights of 'gru', expected 'lstm'"):
        predict_with_source("lstm", {}, tmp_path / "w.safetensors", corpus, None, "float32", "fast")
    with pytest.raises(InputError, match="head"):
        predict_with_source("gru", {"head": "flatten"}, tmp_path / "w.safetensors", corpus, None, "float32", "fast")
