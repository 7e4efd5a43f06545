"""Config sections of models and of weights from outside."""

from typing import Annotated, Literal

from ecgtransfer.config.keys import ONCE, OR_LEFT_OUT, Section, Truth, key


class ModelOptions(Section):
    """An entry of the section ``models``; options that it leaves out are as published."""

    of: Annotated[str | None, OR_LEFT_OUT] = key(None)
    """under a name of your own: the model it is a variant of, so that one study can have both: `{gru-pooled:
    {of: gru, head: pool}}`"""
    head: Annotated[Literal["flatten", "pool"] | None, OR_LEFT_OUT] = key(None)
    """of recurrent models: last layer on all time steps as in Nguyen & Do 2025 (`flatten`, as without the key: most
    weights are then in the head and not transferred), or on mean and maximum over time (`pool`)"""
    age_sex: Annotated[Truth | None, OR_LEFT_OUT] = key(None)
    """of any model: whether the patient's age and sex are additional input"""


class OutsideWeights(Section):
    """An entry of the section ``outside_weights``."""

    trained_on: Annotated[list[str], ONCE] = key()
    """data sets they were trained on, as far as a study here can name them: no target that contains one of these starts
    from them"""
    files: dict[str, str] = key(min_length=1)
    """the file of each model, `{gru: /archive/gru.safetensors}`: safetensors, or a state dict of torch without Python
    objects; other models of the study do not get this arm"""
    names: Annotated[str | None, OR_LEFT_OUT] = key(None)
    """CSV table with the columns `theirs` and `ours`, where their layers have other names"""
