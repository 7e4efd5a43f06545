"""The config: its sections, the default study, README and the studies at hand agree."""

import copy
import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from changed_config import CONFIG, OWN_CHOICES, PUBLISHED, VIEWS
from jsonschema import Draft202012Validator
from snakemake.utils import update_config

from ecgtransfer.acquire.simulate import LAYOUTS, SNOMED_CODES
from ecgtransfer.config.consistency import read_study
from ecgtransfer.config.data import Diagnosis, Simulated
from ecgtransfer.config.study import Study
from ecgtransfer.config.tables import json_schema, keys_of, reruns_in, with_tables
from ecgtransfer.study import leaks
from ecgtransfer.train.registry import REGISTRY

STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").rglob("*.yaml"))]


README = (CONFIG / "README.md").read_text()
KEYS = {key.path: key for key in keys_of(OWN_CHOICES)}


def test_every_key_is_described() -> None:
    assert {"study", "own", "own.*.leads", "signals.band_pass.low_hz", "training.epochs", "pretrain.seed"} < set(KEYS)
    for key in KEYS.values():
        assert len(key.meaning) > 7 and key.meaning[0] != " " and not key.meaning.endswith("."), key


def test_readme_is_up_to_date() -> None:
    """`make docs` writes it; the column "reruns" is tested in tests/workflow/test_reruns_column.py."""
    assert set(reruns_in(README)) == {path for path, key in KEYS.items() if not key.taken_over}
    assert with_tables(README, OWN_CHOICES, reruns_in(README)) == README


def test_schema_for_editors_is_up_to_date() -> None:
    schema = json.loads((CONFIG / "schema.json").read_text())
    assert schema == json_schema()
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_every_study_passes_in_an_editor(study: Path) -> None:
    validator = Draft202012Validator(json_schema())
    content = yaml.safe_load(study.read_text())
    assert list(validator.iter_errors(content)) == []
    assert list(validator.iter_errors(content | {"score": {"n_resamples": 99}}))
    assert list(validator.iter_errors(content | {"scoer": {}}))


def test_default_study_says_nothing_that_is_the_default_anyhow() -> None:
    without = copy.deepcopy(OWN_CHOICES)
    for section, key in (("pretrain", "epochs"), ("pretrain", "min_steps"), ("pretrain", "batch_size")):
        del without[section][key]
        assert Study.of(without) != Study.of(OWN_CHOICES)
    for name, corpus in OWN_CHOICES["simulate"].items():
        for key, value in corpus.items():
            assert getattr(Simulated(), key) != value, (name, key)


def test_trainings_take_over_what_they_share() -> None:
    shared = {"epochs": 5, "learning_rate": 0.5, "crop_s": 2}
    study = Study.of(OWN_CHOICES | {"training": shared, "scratch": {"epochs": 6, "crop_s": None}})
    assert (study.scratch.epochs, study.scratch.learning_rate, study.scratch.crop_s) == (6, 0.5, None)
    assert (study.finetune.epochs, study.finetune.learning_rate, study.finetune.crop_s) == (5, 0.5, 2)
    assert (study.pretrain.epochs, study.pretrain.learning_rate, study.pretrain.seed) == (7, 0.5, 1)
    assert Study.of(study.as_config()) == study
    study = Study.of(OWN_CHOICES | {"training": {"choose_by": "cross_validation"}})  # which sources do not know
    assert (study.finetune.choose_by, study.pretrain.choose_by) == ("cross_validation", "macro_auroc")


def test_config_knows_what_the_simulator_knows() -> None:
    assert get_args(Simulated.model_fields["layout"].annotation) == tuple(LAYOUTS)
    assert get_args(Diagnosis) == tuple(SNOMED_CODES)


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_every_study_passes_merged_over_the_default(study: Path) -> None:
    models = {name: entry.options for name, entry in REGISTRY.items()}
    read_study(_over_the_default(study), PUBLISHED, models, VIEWS)


def test_studies_have_names_of_their_own() -> None:
    names = [yaml.safe_load(study.read_text()).get("study") for study in STUDIES]
    assert None not in names
    assert len(set(names)) == len(names)


def test_the_small_forms_of_a_study_and_of_its_parity_share_their_data() -> None:
    clean, parity = (
        yaml.safe_load((CONFIG / f"studies/small/nguyen2025{form}.yaml").read_text()) for form in ("", "-parity")
    )
    for part in ("simulate", "labels", "transfer", "models"):
        assert clean[part] == parity[part]


def test_simulated_data_sets_of_one_name_are_the_same_in_all_studies() -> None:
    """They lie in the same folder."""
    known = dict(OWN_CHOICES["simulate"])
    for study in STUDIES[1:]:
        for name, settings in yaml.safe_load(study.read_text()).get("simulate", {}).items():
            assert known.setdefault(name, settings) == settings, (study, name)


@pytest.mark.parametrize("study", STUDIES[1:], ids=lambda path: str(path.relative_to(CONFIG)))
def test_only_parity_leaks(study: Path) -> None:
    assert bool(leaks(Study.of(_over_the_default(study)))) == study.stem.endswith("-parity")


def _over_the_default(study: Path) -> dict[str, Any]:
    config = copy.deepcopy(OWN_CHOICES)
    update_config(config, yaml.safe_load(study.read_text()))
    return config
