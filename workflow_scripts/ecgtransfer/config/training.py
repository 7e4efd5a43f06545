"""Config sections of trainings."""

from typing import Annotated, Literal

from ecgtransfer.config.keys import OR_NULL, Number, Section, Seed, Truth, Whole, key

_AtOnce = Literal["macro_auroc", "weighted_f1", "loss", "last", "ema", "swa"]


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
    choose_by: Literal[_AtOnce, "cross_validation"] = key("swa")
    """which weights are kept: of the epoch with the best validation `macro_auroc`, `weighted_f1` (at probability 0.5,
    weighted by prevalence, as Nguyen & Do) or `loss`; of the `last` epoch; averages over the last tenth of the steps
    (`ema`) or the second half of the epochs (`swa`); of the epoch that is best by `cross_validation` over training and
    validation records"""

    @classmethod
    def taken_over(cls) -> list[str]:
        """Return the keys whose defaults are those of the section ``training``."""
        return [name for name in Training.model_fields if cls is Training or name not in cls.__annotations__]


class Pretrain(Training):
    """The section ``pretrain``: what differs from `Training` on sources, and what only they have."""

    balance_datasets: Truth = key(False)
    """draw equally from the data sets of a joined source, whatever their sizes"""
    seed: Seed = key(1)
    """seed of weights and order of batches; trainings on targets take `transfer.seed`"""
    choose_by: _AtOnce = key("macro_auroc")
    """as in `training`, with a default of its own: many records validate a source, and tell when to stop. Where no
    labels are learnt, the loss takes the place of scores"""
