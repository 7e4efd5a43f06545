"""A section of the config with some keys changed, for tests that go beyond what a config may say."""

from collections.abc import Mapping
from typing import Any, TypeVar

from ecgtransfer.config.keys import Section

AnySection = TypeVar("AnySection", bound=Section)


def changed(section: AnySection, changes: Mapping[str, Any]) -> AnySection:
    """Return the section with other values, unchecked; a section within it keeps the keys that are not named."""
    return section.model_copy(
        update={
            name: changed(getattr(section, name), value) if isinstance(value, Mapping) else value
            for name, value in changes.items()
        }
    )
