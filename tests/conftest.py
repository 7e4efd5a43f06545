"""Which tests stay together where several workers of pytest-xdist share them."""

import pytest

MADE_ONCE = ("cluster", "finished")
"""Fixtures that take minutes or cannot be there twice: all tests with one go to the same worker."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of a file together, and those that share a fixture of `MADE_ONCE`, with ``--dist loadgroup``."""
    for item in items:
        shared = [name for name in getattr(item, "fixturenames", []) if name in MADE_ONCE]
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.location[0]))
