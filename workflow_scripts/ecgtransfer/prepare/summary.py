"""What came of the signals of a data set: in counts, in sentences, and in one line where none can be used."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgtransfer.config.signals import Signals
from ecgtransfer.leads import LEADS
from ecgtransfer.prepare.gains import (
    FITS,
    correction_factors,
    gains_and_ratios,
    implausible,
    misfit_of_gains,
    nearly_common_gain,
    out_of_line,
)
from ecgtransfer.prepare.quality import USUAL_MEDIAN_MV, key_of_reason
from ecgtransfer.prepare.rows import UNITS


def why_none_is_usable(reasons: Sequence[str]) -> str:
    """Return the message where no record of a data set can be used: why, and which keys decide so.

    Parameters
    ----------
    reasons
        Of all its records.
    """
    by_key = defaultdict[str, Counter[str]](Counter)
    for reason in reasons:
        by_key[key_of_reason(reason)][reason] += 1
    causes = []
    for key, counts in sorted(by_key.items(), key=lambda item: (-item[1].total(), item[0])):
        notes = [f"{counts.total()} of {len(reasons)}"] if len(by_key) > 1 else []
        notes += [f"`signals.{key}`"] if key else []
        causes.append(counts.most_common(1)[0][0] + (f" ({', '.join(notes)})" if notes else ""))
    remedy = "change the key or fix the recordings" if any(by_key) else "fix the recordings"
    return f"0 of {len(reasons)} usable: {', '.join(causes)}; {remedy}"


def notices_of(quality: pd.DataFrame, settings: Signals) -> list[str]:
    """Return what should not be trusted about a data set's signals, one sentence each."""
    found = []
    limit, action = settings.implausible_gain.ratio, settings.implausible_gain.action
    treated = f"(signals.implausible_gain.action: {action})"
    gains, ratios = gains_and_ratios(quality)
    n_implausible = int(implausible(ratios, limit).sum())
    if n_implausible:
        found.append(
            f"{n_implausible} of {len(quality)} recordings have an amplitude out of line with the others {treated}"
        )
    odd = misfit_of_gains(gains, ratios) > FITS
    if odd.any():
        stated = " or ".join(f"{gain:g}" for gain in np.unique(gains[odd])[:3])
        found.append(
            f"the header of {odd.sum()} of {len(quality)} recordings states a gain of {stated} per mV, those of nearly"
            f" all others {nearly_common_gain(gains):g}, which their amplitude fits better or as well {treated}"
        )
    amplitudes = quality.loc[quality["usable"] == 1, "amplitude_mv"].to_numpy(dtype=np.float64)
    median = float(np.median(amplitudes[amplitudes > 0])) if (amplitudes > 0).any() else None
    if median is not None and not USUAL_MEDIAN_MV[0] <= median <= USUAL_MEDIAN_MV[1]:
        found.append(f"the median amplitude is {median:.2g} mV, that of hearts is about 1 mV; check unit and gain")
    return found


def recipe(quality: pd.DataFrame, settings: Signals) -> dict[str, Any]:
    """Return what was done to the signals and to how many records: the ``.json`` next to the array.

    Reasons are counted by the most frequent first.
    """
    limit, usable = settings.implausible_gain.ratio, quality["usable"].to_numpy() == 1
    rescaled = (correction_factors(*gains_and_ratios(quality), limit) > 0) & usable
    rescaled &= settings.implausible_gain.action == "rescale"
    reasons = Counter(quality.loc[~usable, "reason"])
    counted = {
        "with_missing_samples": "nan_fraction",
        "with_missing_leads": "missing_leads",
        "with_rebuilt_leads": "rebuilt_leads",
        "with_flat_leads": "flat_leads",
        "with_clipped_samples": "clipped_samples",
        "padded": "padded_s",
    }
    return {
        "settings": settings.model_dump(),
        "unit": UNITS[settings.scaling],
        "leads": list(LEADS),
        "records": len(quality),
        "usable": int(usable.sum()),
        "not_usable": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        **{key: int((quality[column] > 0).sum()) for key, column in counted.items()},
        "with_implausible_amplitude": int(out_of_line(quality, limit).sum()),
        "rescaled": int(rescaled.sum()),
    }
