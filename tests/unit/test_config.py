"""The config: schema, default study, README and the studies at hand agree."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from changed_config import CONFIG, DEFAULT, PUBLISHED, SCHEMA, VIEWS
from jsonschema import Draft202012Validator
from snakemake.utils import update_config

from ecgtransfer.acquire.simulate import LAYOUTS, SNOMED_CODES
from ecgtransfer.config import check_config
from ecgtransfer.study import leaks
from ecgtransfer.train.registry import REGISTRY

STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").rglob("*.yaml"))]


def keys_of(schema: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every key of the schema; those of a map with free names stand below ``*``."""
    for key, child in schema.get("properties", {}).items():
        yield (*path, key), child
        yield from keys_of(child, (*path, key))
    if isinstance(below := schema.get("additionalProperties"), dict):
        yield from keys_of(below, (*path, "*"))


KEYS = dict(keys_of(SCHEMA))
SECTIONS = {path for path, key in KEYS.items() if "properties" in key}
LEAVES = set(KEYS) - SECTIONS
ENTRIES = ("own", "models", "outside_weights")
"""Maps whose entries need not have every key."""
OF = ("models", "*", "of")
"""The one option of a model that has no default."""


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert ("simulate", "*", "seed") in LEAVES
    assert ("signals", "band_pass") in SECTIONS


@pytest.mark.parametrize("path", sorted(KEYS), ids="/".join)
def test_every_key_is_described_and_the_default_is_that_of_the_default_study(path: tuple[str, ...]) -> None:
    key = KEYS[path]
    assert len(key["description"]) > 8
    of_entry = path[0] in ENTRIES and len(path) > 1
    if path in SECTIONS:
        assert key["additionalProperties"] is False
        if not of_entry:
            assert sorted(key["required"]) == sorted(key["properties"])
        return
    # What these leave out stands in a table or in files, or is not needed.
    if path == OF or (of_entry and path[0] != "models"):
        assert "default" not in key
        return
    assert list(Draft202012Validator({**key}).iter_errors(key["default"])) == []
    if "*" not in path:
        of_study = DEFAULT
        for part in path:
            of_study = of_study[part]
        assert key["default"] == of_study
        assert type(key["default"]) is type(of_study)


def test_top_level_is_closed() -> None:
    assert SCHEMA["additionalProperties"] is False
    assert sorted(SCHEMA["required"]) == sorted(SCHEMA["properties"]) == sorted(DEFAULT)


def test_schema_knows_what_the_simulator_knows() -> None:
    corpus = SCHEMA["properties"]["simulate"]["additionalProperties"]
    assert corpus["properties"]["layout"]["enum"] == list(LAYOUTS)
    assert corpus["properties"]["prevalence"]["propertyNames"]["enum"] == list(SNOMED_CODES)


def readme_defaults(path: tuple[str, ...]) -> list[str]:
    """Return the column "default" of the rows of the README that explain a key."""
    parts = [part for part in path if part != "*"]
    sections = (CONFIG / "README.md").read_text().split("\n## ")[1:]
    # A row of its section's table names the key without the section, a row of a table of several sections names both.
    of_section = [section for section in sections if f"`{parts[0]}" in section.splitlines()[0]] or sections
    lines = [line for section in of_section for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]
    return [row[4] for row in rows if row[1] in {".".join(parts[1:]), ".".join(parts)}]


@pytest.mark.parametrize("path", sorted(LEAVES - {("simulate",)}), ids="/".join)
def test_readme_explains_every_key_with_its_default(path: tuple[str, ...]) -> None:
    (told,) = readme_defaults(path)
    if told == "per corpus":
        assert path[0] == "simulate"
        return
    if path == OF:
        assert told == "none"
        return
    if path[0] in ("own", "outside_weights") and len(path) > 1:
        needed = path[-1] in SCHEMA["properties"][path[0]]["additionalProperties"]["required"]
        assert told == ("needed" if needed else "none")
        return
    if "; " in told:  # pre-training first, then the two sections that share their settings
        told = told.split("; ")[0 if path[0] == "pretrain" else 1]
    assert yaml.safe_load(told) == KEYS[path]["default"]


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_every_study_passes_merged_over_the_default(study: Path) -> None:
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load(study.read_text()))
    models = {name: entry.options for name, entry in REGISTRY.items()}
    check_config(config, SCHEMA, PUBLISHED, models, VIEWS)


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
    known = dict(DEFAULT["simulate"])
    for study in STUDIES[1:]:
        for name, settings in yaml.safe_load(study.read_text()).get("simulate", {}).items():
            assert known.setdefault(name, settings) == settings, (study, name)


@pytest.mark.parametrize("study", STUDIES[1:], ids=lambda path: str(path.relative_to(CONFIG)))
def test_only_parity_leaks(study: Path) -> None:
    config = copy.deepcopy(DEFAULT)
    update_config(config, yaml.safe_load(study.read_text()))
    assert bool(leaks(config)) == study.stem.endswith("-parity")
