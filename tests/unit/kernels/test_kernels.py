"""Fast and plain: the same models from the same start, the same results, and one switch between them."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_cell import GRU, SETTINGS, cell
from tiny_corpus import CorpusFiles, write_corpus
from tiny_signals import SETTINGS as SIGNALS
from tiny_signals import as_read, in_microvolts, recording, write_records

from ecgtransfer.kernels import block_filters, layers
from ecgtransfer.prepare.signals import prepare_signals
from ecgtransfer.train.hardware import uses_kernels
from ecgtransfer.train.pretraining import Pretraining, pretrain
from ecgtransfer.train.registry import REGISTRY, build_model
from ecgtransfer.train.source_predictions import predict_with_source
from ecgtransfer.train.weights import save_weights

torch.set_num_threads(1)

LARGE = {"resnet1d101", "xresnet1d101"}
"""Made of the same layers as smaller ones."""
WITH_FAST_FORM = {name: entry for name, entry in REGISTRY.items() if hasattr(import_module(entry.module), "fast_form")}
MODELS = [
    *((name, {}) for name in WITH_FAST_FORM if name not in LARGE),
    *((name, {"head": "pool"}) for name, entry in WITH_FAST_FORM.items() if "head" in entry.options),
]
either = pytest.mark.parametrize("kernels", ["fast", "plain"])


@pytest.mark.parametrize(("name", "options"), MODELS, ids=lambda value: str(value))
def test_the_same_start_and_the_same_results(name: str, options: dict[str, Any]) -> None:
    """In float64, which tells rounding from error; there recurrent layers have no fast form, see their own tests."""
    made, generators = [], []
    for fast in (True, False):
        torch.manual_seed(0)
        made.append(build_model(name, 12, 64, 3, options, fast).double())
        generators.append(torch.get_rng_state())
    assert torch.equal(*generators)
    states = [model.state_dict() for model in made]
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])

    x = torch.randn(4, 12, 64, dtype=torch.float64)
    found = []
    for model in made:
        torch.manual_seed(1)  # of dropout
        logits = model(x)
        (logits * torch.arange(12).view(4, 3)).sum().backward()
        found.append({"logits": logits, **{key: weight.grad for key, weight in model.named_parameters()}})
    for key, value in found[0].items():
        torch.testing.assert_close(value, found[1][key], rtol=1e-8, atol=1e-8)
    for key, value in made[0].state_dict().items():  # running statistics
        torch.testing.assert_close(value, made[1].state_dict()[key])


def test_models_are_plain_unless_asked_for() -> None:
    for name, options in MODELS:
        for fast in (False, True):
            kinds = {type(part) for part in build_model(name, 12, 64, 3, options, fast).modules()}
            of_kernels = {kind for kind in kinds if kind.__module__.startswith("ecgtransfer.kernels")}
            assert bool(of_kernels - {layers.Recurrent}) == fast


@pytest.mark.parametrize(
    ("device", "kernels", "expected"),
    [("cpu", "fast", True), ("cpu", "plain", False), ("cuda", "fast", False), ("cuda", "plain", False)],
)
def test_only_processors_compute_with_them(device: str, kernels: str, expected: bool) -> None:
    assert uses_kernels(torch.device(device), kernels) == expected


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CorpusFiles:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def by_kernel(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets an entry for every recurrent layer and every plan of a filter that is computed fast."""
    noted: list[str] = []
    outputs, fast_filter = layers.recurrent.outputs, block_filters._FastFilter

    def noting_outputs(*arguments: Any) -> torch.Tensor:
        noted.append("outputs")
        return outputs(*arguments)

    def noting_filter(*arguments: Any) -> Any:
        noted.append("plan")
        return fast_filter(*arguments)

    monkeypatch.setattr(layers.recurrent, "outputs", noting_outputs)
    monkeypatch.setattr(block_filters, "_FastFilter", noting_filter)
    block_filters._cached_filter.cache_clear()
    return noted


@either
def test_the_switch_reaches_cells(files: CorpusFiles, kernels: str, by_kernel: list[str]) -> None:
    result = cell(files, model=GRU, settings=SETTINGS.model_copy(update={"kernels": kernels}))
    assert bool(by_kernel) == (kernels == "fast")
    assert result.metadata["settings"]["kernels"] == kernels


@either
def test_the_switch_reaches_pretraining(files: CorpusFiles, kernels: str, by_kernel: list[str], tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"kernels": kernels})
    model, options = GRU
    asked = Pretraining(
        task="labels", model=model, options=options, settings=settings, seed=1, deterministic=True, code="ab12"
    )
    assert pretrain(asked, files.open(), tmp_path).metadata["settings"]["kernels"] == kernels
    assert bool(by_kernel) == (kernels == "fast")


@either
def test_the_switch_reaches_predictions_of_a_source(
    files: CorpusFiles, kernels: str, by_kernel: list[str], tmp_path: Path
) -> None:
    corpus = files.open()
    name, options = GRU
    save_weights(build_model(name, 12, corpus.n_samples, 2, options), name, ["a", "b"], tmp_path / "w.safetensors")
    predict_with_source(name, options, tmp_path / "w.safetensors", corpus, None, "auto", kernels)
    assert bool(by_kernel) == (kernels == "fast")


@either
@pytest.mark.parametrize("n_workers", [1, 2])
def test_the_switch_reaches_filters(kernels: str, n_workers: int, by_kernel: list[str], tmp_path: Path) -> None:
    signals = [recording(8, seed=seed) for seed in range(3)]
    signals[1][:, 3000:] = 0  # padding, which is not filtered
    described = write_records(tmp_path, signals)
    prepare_signals(described, tmp_path, SIGNALS, tmp_path / "signals.npy", n_workers, kernels)
    if n_workers == 1:
        assert bool(by_kernel) == (kernels == "fast")
    rows = np.load(tmp_path / "signals.npy")
    expected = np.rint(in_microvolts(as_read(signals[0]).astype(np.float64))[:, :500])
    differing = np.count_nonzero(rows[0] != expected)
    assert differing == 0 if kernels == "plain" else differing < 0.01 * expected.size
