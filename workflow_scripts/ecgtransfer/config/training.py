"""Config sections of models and their trainings."""

from typing import Annotated, Literal

from ecgtransfer.config.keys import ONCE, OR_LEFT_OUT, OR_NULL, Number, Section, Seed, Truth, Whole, key


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


class Training(Section):
    """The section ``training``: what all trainings share."""

    epochs: Whole = key(8, ge=1)
    """largest number of epochs, unless `min_steps` requires more"""
    min_steps: Whole = key(60, ge=0)
    """optimiser steps up to which a small training set adds epochs, and patience in proportion"""
    patience: Whole = key(4, unit="epochs", ge=1)
    """epochs without a better validation score before training ends"""
    batch_size: Whole = key(16, ge=1)
    """recordings per step"""
    learning_rate: Number = key(0.002, gt=0, le=1)
    """of the optimiser, the highest of its schedule"""
    weight_decay: Number = key(0.01, ge=0, le=1)
    """of AdamW; with Adam an L2 penalty"""
    optimizer: Literal["adamw", "adam"] = key("adamw")
    """`adamw` (Loshchilov & Hutter 2019) or `adam` (Kingma & Ba 2015)"""
    schedule: Literal["constant", "cosine", "one-cycle"] = key("constant")
    """learning rate over the steps: `constant`, `cosine` (falls as half a cosine) or `one-cycle` (up, then down; Smith
    & Topin 2018)"""
    positive_weight: Literal["none", "balanced"] = key("none")
    """weight of positives in the loss: 1 (`none`), or negatives per positive of each label (`balanced`)"""
    crop_s: Annotated[Number | None, OR_NULL] = key(None, unit="s", gt=0)
    """length of a random stretch of each recording to train on, a new one each time, at most `signals.duration_s`;
    `null` for whole recordings"""
    choose_by: Literal["macro_auroc", "weighted_f1"] = key("macro_auroc")
    """score on the validation records that chooses the epoch: `macro_auroc`, or `weighted_f1` (at probability 0.5,
    weighted by prevalence, as Nguyen & Do); where no labels are learnt, the loss decides"""


class Pretrain(Training):
    """The section ``pretrain``: what differs from `Training` on sources, and what only they have."""

    balance_datasets: Truth = key(False)
    """draw equally from the data sets of a joined source, whatever their sizes"""
    seed: Seed = key(1)
    """seed of weights and order of batches; trainings on targets take `transfer.seed`"""


class Hardware(Section):
    """The section ``hardware``."""

    precision: Literal["auto", "float32"] = key("auto")
    """`auto`: bfloat16 on GPUs that have it, float32 elsewhere; or `float32` everywhere"""
    deterministic: Truth = key(True)
    """only algorithms that reproduce the same bytes; `false` may be faster on GPUs"""
    kernels: Literal["fast", "plain"] = key("fast")
    """on CPUs, filters, recurrent layers and convolutions by this workflow's own faster code (`fast`) or by SciPy and
    PyTorch (`plain`), equal except for rounding; GPUs always compute `plain`"""
