"""From an array of a file to the twelve leads: which axis is which, which column is which lead, which unit."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ecgtransfer.leads import lead_columns

_LEAST_ALIKE = 0.3
"""Correlation of neighbouring samples: 0.52 to 1 in 400 recordings of PTB-XL at 100 Hz, at most 0.12 across them."""

_SAVE_ARRAYS = "save the samples as an array of its own"


def chosen_name(name: str, names: Sequence[str], others: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return `name`, or the only one of `names` where it is empty.

    Parameters
    ----------
    name
        As given by the user.
    names
        Of the arrays of numbers that a file holds.
    others
        What else it holds, by name: `a struct with the fields x, y`.

    Raises
    ------
    ValueError
        If it is not among `names`, or there is none or a choice.
    """
    if (name and name in names) or (not name and len(names) == 1):
        return name or names[0]
    if name in others:
        raise ValueError(f"{name[:30]!r} is {others[name]}, no array of numbers; {_SAVE_ARRAYS}")
    listed = ", ".join(repr(other[:30]) for other in names[:8])
    if not names:
        held = ", ".join(f"{other[:30]!r}, {what}" for other, what in list(others.items())[:3])
        raise ValueError(f"holds no array of numbers{', only ' if held else ''}{held}; {_SAVE_ARRAYS}")
    raise ValueError(f"there is no array {name[:30]!r}, only {listed}" if name else f"name one of its arrays: {listed}")


def a_struct(fields: Sequence[str]) -> str:
    """Return how to name a struct of MATLAB by its fields, as `chosen_name` expects it."""
    if not fields:
        return "a struct"
    return f"a struct with the fields {', '.join(field[:30] for field in fields[:8])}{', ...' if fields[8:] else ''}"


def row_shape(shape: tuple[int, ...], row: int | None) -> tuple[int, ...]:
    """Return the shape of one recording: two axes, or three where a row selects the recording.

    Raises
    ------
    ValueError
        If the number of axes is another, or there is no such row.
    """
    if row is None:
        if len(shape) != 2:
            raise ValueError(f"shape {shape} is not (leads, samples) or (samples, leads); name a row of three axes")
        return shape
    if len(shape) != 3:
        raise ValueError(f"shape {shape} has no rows of (leads, samples) or (samples, leads)")
    if row >= shape[0]:
        raise ValueError(f"row {row} is not there, it has {shape[0]}")
    return shape[1:]


def require_rows_of_recordings(array: Any, first: int, last: int, n_leads: int) -> None:
    """Check that the rows named of an array with three axes can be those of its first axis, counted from 0.

    Parameters
    ----------
    array
        The array, which may still be on disk.
    first, last
        The smallest and the largest row that the table names.
    n_leads
        Leads of a recording.

    Raises
    ------
    ValueError
        If they fit another axis: then a row would be a sample or a lead of every recording. Or if they count from 1:
        then every row would be another recording than is meant.
    """
    shape = array.shape
    if len(shape) != 3 or last == shape[0] - 1:
        return
    others = list(shape[1:])
    if n_leads in others:
        others.remove(n_leads)
    fits = [length for length in others if length == last + 1 or (length == last and first > 0)]
    if fits and not (len(others) == 1 and first < shape[0] and _is_smooth(array[first], n_leads)):
        raise ValueError(
            f"rows {first} to {last} fit the axis of {fits[0]} of the shape {shape}, but rows are those of its first"
            " axis; save it with an axis of the recordings that are named as the first"
        )
    if last == shape[0] and first > 0:
        raise ValueError(
            f"rows {first} to {last} are named of an array of {shape[0]} recordings; rows count from 0, subtract 1"
        )


def _is_smooth(recording: npt.NDArray[Any], n_leads: int) -> bool:
    """Return whether neighbours in a recording are alike, as samples of one heart are and those of many are not."""
    leads_first = recording if lead_axis(recording.shape, n_leads) == 0 else recording.T
    deviations = np.nan_to_num(leads_first.astype(np.float64))
    deviations -= deviations.mean(axis=1, keepdims=True)
    power = (deviations**2).sum(axis=1)
    with_next = (deviations[:, 1:] * deviations[:, :-1]).sum(axis=1)
    return bool(np.median(with_next) > _LEAST_ALIKE * np.median(power))


def lead_axis(shape: tuple[int, ...], n_leads: int) -> int:
    """Return which of two axes has the number of leads.

    Raises
    ------
    ValueError
        If neither or both have it, or there are no samples.
    """
    if shape[0] == shape[1] == n_leads:
        raise ValueError(f"shape {shape} does not say which axis is that of the {n_leads} leads")
    if n_leads not in shape:
        raise ValueError(f"shape {shape} has no axis of {n_leads} leads")
    if 0 in shape:
        raise ValueError(f"shape {shape} has no samples")
    return shape.index(n_leads)


def in_millivolts(
    array: npt.NDArray[Any], names: tuple[str, ...], factor: float, out: npt.NDArray[np.float32] | None
) -> npt.NDArray[np.float32]:
    """Return the twelve leads of an array, shape (12, samples), in mV.

    A lead that is not there is NaN, and so is a sample that is infinite or, of signed integers, the smallest that
    their type can hold: as in WFDB files, it marks a sample that was not recorded.

    Parameters
    ----------
    array
        Shape (leads, samples) or (samples, leads), numbers of any size.
    names
        Of the leads, as the file or its user calls them.
    factor
        Millivolts per unit of the array.
    out
        Array to fill and return, or None.

    Raises
    ------
    ValueError
        If the shape or the names do not fit.
    """
    if array.dtype.kind not in "iuf":
        raise ValueError(f"values of type {array.dtype} are not numbers")
    columns, signs = lead_columns(names)
    leads_first = array if lead_axis(array.shape, len(names)) == 0 else array.T
    n_samples = leads_first.shape[1]
    if out is None:
        out = np.empty((12, n_samples), np.float32)
    elif out.shape != (12, n_samples):
        raise ValueError(f"has {n_samples} samples per lead, expected {out.shape[1]}")
    missing = np.iinfo(array.dtype).min if array.dtype.kind == "i" else None
    if missing is not None and array.min() != missing:
        missing = None
    with np.errstate(over="ignore", invalid="ignore"):
        for lead, column, sign in zip(out, columns, signs, strict=True):
            if column < 0:
                lead.fill(np.nan)
            else:
                np.multiply(leads_first[column], np.float64(sign * factor), out=lead, casting="same_kind")
                if missing is not None:
                    lead[leads_first[column] == missing] = np.nan
        if not np.isfinite(out.sum()):
            out[np.isinf(out)] = np.nan
    return out
