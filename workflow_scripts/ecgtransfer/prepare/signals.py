"""From a recording to a row of the signal array: repair, filter, resample, window, quantise.

The array holds int16 at 1 µV per step, shape (records, 12, samples); a table beside it says of every row what was
found and mended, so that later stages can leave a record out by rule.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ecgtransfer.errors import InputError
from ecgtransfer.files import written_whole
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.filters import band_pass, resample
from ecgtransfer.prepare.wfdb_files import read_signal

logger = logging.getLogger(__name__)

MICROVOLTS_PER_MILLIVOLT = 1000.0
FLAT_RANGE_MV = 0.001
"""A lead that stays within this range is flat: one quantisation step."""


@dataclass(frozen=True)
class Quality:
    """What was found in one recording, before filtering."""

    nan_fraction: float
    flat_leads: int
    clipped_samples: int
    duration_s: float
    padded_s: float
    usable: int
    reason: str


def repair_gaps(signal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the signal with NaN runs bridged by straight lines, ends held, and leads without any sample at 0 mV."""
    missing = np.isnan(signal)
    if not missing.any():
        return signal
    repaired = signal.copy()
    for lead, gaps in zip(repaired, missing, strict=True):
        if gaps.all():
            lead[:] = 0.0
        elif gaps.any():
            lead[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), lead[~gaps])
    return repaired


def window(signal: npt.NDArray[np.float64], n_samples: int, crop: str) -> npt.NDArray[np.float64]:
    """Return exactly `n_samples` per lead: the start or the centre of a longer signal, a shorter one padded with 0 mV.

    Parameters
    ----------
    signal
        Shape (12, samples).
    n_samples
        Samples per lead of the result.
    crop
        ``start`` or ``centre``.
    """
    surplus = signal.shape[1] - n_samples
    if surplus < 0:
        return np.pad(signal, ((0, 0), (0, -surplus)))
    first = surplus // 2 if crop == "centre" else 0
    return signal[:, first : first + n_samples]


def prepare_signal(
    signal_mv: npt.NDArray[np.float64], sampling_rate_hz: float, settings: Mapping[str, Any]
) -> tuple[npt.NDArray[np.int16], Quality]:
    """Return one recording as int16 microvolts, shape (12, samples), and its quality.

    Parameters
    ----------
    signal_mv
        Shape (12, samples), mV, NaN where samples are missing.
    sampling_rate_hz
        Of the recording.
    settings
        The config section ``signals``.
    """
    rate = settings["sampling_rate_hz"]
    n_samples = round(settings["duration_s"] * rate)
    missing = np.isnan(signal_mv)
    repaired = repair_gaps(signal_mv)
    flat = int(np.sum(np.ptp(repaired, axis=1) <= FLAT_RANGE_MV))
    filtered = band_pass(repaired, sampling_rate_hz, **settings["band_pass"])
    windowed = window(resample(filtered, sampling_rate_hz, rate), n_samples, settings["crop"])
    steps = np.rint(windowed * MICROVOLTS_PER_MILLIVOLT)
    duration = signal_mv.shape[1] / sampling_rate_hz
    padded = max(0.0, settings["duration_s"] - duration)
    reason = _why_unusable(float(missing.mean()), flat, padded, settings)
    quality = Quality(
        nan_fraction=round(float(missing.mean()), 6),
        flat_leads=flat,
        clipped_samples=int(np.sum(np.abs(steps) > 32767)),
        duration_s=round(duration, 3),
        padded_s=round(padded, 3),
        usable=int(not reason),
        reason=reason,
    )
    return np.clip(steps, -32767, 32767).astype(np.int16), quality


def _why_unusable(nan_fraction: float, flat_leads: int, padded_s: float, settings: Mapping[str, Any]) -> str:
    if nan_fraction > settings["max_nan_fraction"]:
        return f"{nan_fraction:.1%} of the samples are missing"
    if flat_leads > settings["max_flat_leads"]:
        return f"{flat_leads} leads are flat"
    if padded_s > 0 and not settings["pad_short_records"]:
        return f"{padded_s:.3g} s too short"
    return ""


def prepare_signals(records: pd.DataFrame, folder: Path, settings: Mapping[str, Any], array_path: Path) -> pd.DataFrame:
    """Prepare every record into `array_path`, an int16 ``.npy`` of shape (records, 12, samples).

    Parameters
    ----------
    records
        Columns ``record_id``, ``path`` (of the header, within `folder`), ``sampling_rate_hz``.
    folder
        Where the recordings lie.
    settings
        The config section ``signals``.
    array_path
        Written as it grows, so that memory does not grow with the number of records.

    Returns
    -------
    pandas.DataFrame
        ``record_id`` and the fields of `Quality`, one row per record.
    """
    if records.empty:
        raise InputError(f"{folder}: no usable record; the .rejected.csv beside the records table says why")
    shape = (len(records), 12, round(settings["duration_s"] * settings["sampling_rate_hz"]))
    rows = []
    with written_whole(array_path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.int16, shape=shape)
        of_record = zip(records["record_id"], records["path"], records["sampling_rate_hz"], strict=True)
        for i, (record_id, path, sampling_rate_hz) in enumerate(of_record):
            array[i], quality = prepare_signal(read_signal(folder / path), float(sampling_rate_hz), settings)
            rows.append({"record_id": record_id, **asdict(quality)})
            if (i + 1) % 1000 == 0:
                logger.info("%d of %d records prepared", i + 1, len(records))
        array.flush()
    table = pd.DataFrame(rows)
    logger.info("%d records prepared, %d of them usable", len(table), table["usable"].sum())
    return table


def recipe(quality: pd.DataFrame, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was done to the signals and to how many records: the ``.json`` beside the array."""
    return {
        "settings": dict(settings),
        "unit": "1 µV per step",
        "leads": list(LEADS),
        "records": len(quality),
        "usable": int(quality["usable"].sum()),
        "not_usable": quality.loc[quality["usable"] == 0, "reason"].value_counts().to_dict(),
        "with_missing_samples": int((quality["nan_fraction"] > 0).sum()),
        "with_flat_leads": int((quality["flat_leads"] > 0).sum()),
        "with_clipped_samples": int((quality["clipped_samples"] > 0).sum()),
        "padded": int((quality["padded_s"] > 0).sum()),
    }
