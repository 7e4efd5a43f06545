"""What `profiles/slurm` names is there: Snakemake would pass over a misspelt rule or group without a word."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def profile() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((REPOSITORY / "profiles/slurm/config.yaml").read_text())
    return content


def named_in_rules(pattern: str) -> set[str]:
    return {name for path in (REPOSITORY / "rules").glob("*.smk") for name in re.findall(pattern, path.read_text())}


@pytest.mark.parametrize("key", ["set-resources", "set-threads"])
def test_rules_exist(profile: dict[str, Any], key: str) -> None:
    assert set(profile[key]) <= named_in_rules(r"(?m)^rule (\w+):")


def test_every_group_has_a_size(profile: dict[str, Any]) -> None:
    assert set(profile["group-components"]) == named_in_rules(r'group:\s+"([^"]+)"')


def test_no_key_is_overridden_by_the_default_profile(profile: dict[str, Any]) -> None:
    default = yaml.safe_load((REPOSITORY / "profiles/default/config.yaml").read_text())
    assert not set(profile) & set(default)
