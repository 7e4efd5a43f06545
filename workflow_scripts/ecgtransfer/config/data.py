"""Config sections of data: your own recordings, and simulated corpora."""

from typing import Annotated, Literal

from pydantic import Field

from ecgtransfer.config.keys import OR_LEFT_OUT, Number, Section, Seed, Text, Whole, key

Column = Literal[
    "record",
    "patient",
    "file",
    "array",
    "row",
    "age",
    "sex",
    "labels",
    "unit",
    "rate",
    "leads",
    "site",
    "month",
    "fold",
]
Diagnosis = Literal["NSR", "SB", "STach", "AF", "IAVB", "CLBBB", "CRBBB", "PVC", "PAC", "STD", "STE", "LVH", "TInv"]


class Own(Section):
    """An entry of the section ``own``."""

    folder: Text = key()
    """folder with WFDB, HDF5, CSV, NPY, NPZ or MATLAB files; it is read and never changed"""
    table: Text = key()
    """CSV file with one row per recording"""
    columns: Annotated[dict[Column, Text] | None, OR_LEFT_OUT] = key(None)
    """names of the table's columns where they differ from those below, `{patient: pid}`"""
    sampling_rate_hz: Annotated[Number | None, OR_LEFT_OUT] = key(None, unit="Hz", gt=0)
    """sampling rate where neither file nor table states it"""
    unit: Annotated[Text | None, OR_LEFT_OUT] = key(None)
    """unit of the samples (`mV`, `uV`, `V`, `0.1 mV`), where neither file nor table states it; `none` for samples that
    are already scaled, which requires `signals.scaling` `min-max` or `z-score`"""
    leads: Annotated[Annotated[list[Text], Field(min_length=1)] | None, OR_LEFT_OUT] = key(None)
    """leads in the order of the files, where neither file nor table states it"""
    label_separator: Annotated[Text | None, OR_LEFT_OUT] = key(None)
    """separator between the labels of a recording; a vertical bar without this key"""
    empty_labels: Annotated[Literal["negative", "unknown"] | None, OR_LEFT_OUT] = key(None)
    """what an empty cell of labels means: none of the labels (`negative`), or not examined (`unknown`);
    required where there is one"""
    label_table: Annotated[Text | None, OR_LEFT_OUT] = key(None)
    """CSV table with the columns `statement` and `snomed_ct`, where labels are not SNOMED CT codes"""


class Simulated(Section):
    """An entry of the section ``simulate``."""

    layout: Literal["ptb-xl", "challenge-2021"] = key("ptb-xl")
    """published layout in which the files are written: `ptb-xl` (has patients and folds) or `challenge-2021` (has
    neither)"""
    n_patients: Whole = key(1000, ge=1)
    """patients"""
    records_per_patient: Number = key(1.0, ge=1, le=10)
    """mean number of recordings per patient; 1 with `challenge-2021`"""
    sampling_rate_hz: Whole = key(500, unit="Hz", ge=100, le=2000)
    """sampling rate"""
    duration_s: Number = key(10.0, unit="s", ge=1, le=120)
    """length of a recording"""
    amplitude: Number = key(1.0, gt=0, le=5)
    """factor on the voltages of the heart"""
    noise: Number = key(1.0, ge=0, le=20)
    """factor on baseline wander, hum and muscle noise together"""
    mains_hz: Number = key(50.0, unit="Hz", ge=40, le=70)
    """frequency of the hum"""
    prevalence: dict[Diagnosis, Annotated[Number, Field(ge=0, le=1)]] = key({}, unit="0 to 1")
    """share of recordings with a diagnosis, `{AF: 0.12}`; without an entry, the simulator's default"""
    seed: Seed = key(1)
    """seed of the corpus"""
