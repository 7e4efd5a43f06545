"""Config section of the settings of methods of transfer; each module of `ecgtransfer.methods` defines its own."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from ecgtransfer.config.keys import Section
from ecgtransfer.methods import METHODS, NoSettings, method_class

_KINDS = {name: method_class(name) for name in METHODS}
_SECTIONS: dict[str, Any] = {
    name: (kind.Settings, Field(kind.Settings(), description=kind.meaning))
    for name, kind in _KINDS.items()
    if kind.Settings is not NoSettings
}

if TYPE_CHECKING:
    Methods = Section
else:
    Methods = create_model("Methods", __base__=Section, __doc__="The section ``methods``.", **_SECTIONS)
