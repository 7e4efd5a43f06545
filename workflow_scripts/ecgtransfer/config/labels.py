"""Config section of how diagnoses become labels."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ecgtransfer.config.keys import ONCE, OR_NULL, Number, Section, Seed, Whole, expected, key


def _all_or_some(value: Any) -> Any:
    if value == "all" or not isinstance(value, str):
        return value
    raise expected("'all' or a list of labels such as [AF, CLBBB]")


_AllOrSome = Annotated[Literal["all"] | Annotated[list[str], Field(min_length=1), ONCE], BeforeValidator(_all_or_some)]


class Labels(Section):
    """The section ``labels``."""

    view: str = key("all")
    """which codes make which label: `all`, or a table of `labels/views/`"""
    views: dict[str, str] = key({})
    """views of single corpora instead of `view`, `{ptb-xl: superclass, georgia: nguyen-georgia}`"""
    include: _AllOrSome = key("all")
    """`all`, or a list of abbreviations or SNOMED CT codes of `labels/snomed.csv`"""
    top: Annotated[Whole | None, OR_NULL] = key(None, ge=1)
    """keep only this many labels, the most frequent ones; `null` for all"""
    min_likelihood: Number = key(0.0, unit="%", ge=0, le=100)
    """likelihood that a diagnostic statement of PTB-XL needs to count"""
    min_records: Whole = key(20, unit="records", ge=1)
    """a label is kept if at least this many records have it, and at least this many are known to lack it"""
    shuffle_seed: Seed = key(1)
    """seed of the corpora whose name ends in `-shuffled`"""
