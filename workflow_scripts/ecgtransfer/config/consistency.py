"""Checks of a study's config before any job starts; every mistake becomes one line that names the key."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ecgtransfer.acquire.simulate import corpus_settings
from ecgtransfer.config.mistakes import mistakes_of
from ecgtransfer.config.signals import Signals
from ecgtransfer.config.splits import Splits
from ecgtransfer.config.study import Study, Transfer
from ecgtransfer.errors import InputError, did_you_mean
from ecgtransfer.prepare.corpora import JOINED_BY, datasets_of
from ecgtransfer.prepare.formats.units import NO_UNIT
from ecgtransfer.source import LABELS, SUFFIXES, Source
from ecgtransfer.study import corpora_of, is_outside, leaks, sources_of, trained_sources

_LONGEST_CORPUS = 200  # characters; with the method of transfer before it, it names a folder
_OPTIONS_OF_ALL = ("age_sex",)


def read_study(
    config: Mapping[str, Any],
    published: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Collection[str]],
    views: Iterable[str],
) -> Study:
    """Return the study that a config defines, checked against the data sets, models and label views that exist.

    Parameters
    ----------
    config
        As read from YAML; keys that it leaves out have their defaults.
    published
        The content of config/datasets.yaml; the data sets of the sections ``simulate`` and ``own`` are known, too.
    models
        The models of the registry, each with the names of its options beyond those of all models.
    views
        Names of the tables in config/labels/views.

    Raises
    ------
    InputError
        With one line per mistake.
    """
    try:
        study = Study.of(config)
    except ValidationError as error:
        raise InputError("\n".join(mistakes_of(Study, error))) from None
    mistakes = list(_inconsistencies(study, published, models, list(views)))
    if mistakes:
        raise InputError("\n".join(mistakes))
    return study


def _inconsistencies(
    study: Study,
    published: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, Collection[str]],
    views: list[str],
) -> Iterator[str]:
    datasets = [*study.simulate, *study.own, *published]
    yield from _wrong_datasets(study, published)
    yield from _wrong_corpora(study, datasets)
    yield from _wrong_names(study, datasets, published)
    yield from _wrong_suffixes(study.transfer)
    yield from _wrong_models(study, models)
    yield from _wrong_outside_weights(study, datasets, models)
    yield from _wrong_views(study, views)
    yield from _wrong_transfer(study, published)
    yield from _wrong_folds(study.splits)
    yield from _wrong_band(study.signals)
    yield from _lacking_units(study)
    yield from _wrong_crops(study)
    yield from _wrong_pretrainings(study.transfer)
    if study.compare.beside == study.study:
        yield f"`compare.beside`: '{study.study}' is this study; name another one, or set it to null"
    elif study.compare.beside and not leaks(study):
        yield "`compare.beside` compares a leaky study with a clean one, and this one is not leaky; set it to null"


def _wrong_datasets(study: Study, published: Collection[str]) -> Iterator[str]:
    for name in study.own:
        if name in published or name in study.simulate:
            yield f"`own.{name}` has the name of another data set; choose another"
    for name, settings in study.simulate.items():
        if name in published:
            yield f"`simulate.{name}` has the name of a data set of config/datasets.yaml; choose another"
        try:
            corpus_settings(name, settings.model_dump(exclude={"seed"}))
        except InputError as mistake:
            yield str(mistake).removeprefix("config, ")


def _wrong_corpora(study: Study, datasets: list[str]) -> Iterator[str]:
    for name, joined in study.corpora.items():
        if name in datasets:
            yield f"`corpora.{name}` has the name of a data set; choose another"
        if name in study.outside_weights:
            yield f"`corpora.{name}` has the name of weights from outside; choose another"
        members = joined.split(JOINED_BY)
        for dataset in members:
            if dataset in study.corpora:
                yield f"`corpora.{name}`: '{dataset}' is itself a name of this section; write out what it joins"
            elif dataset not in datasets:
                yield f"`corpora.{name}`: {_no_dataset(dataset, datasets)}"
        if len(set(members)) < len(members):
            yield f"`corpora.{name}` names a data set twice"


def _wrong_views(study: Study, tables: list[str]) -> Iterator[str]:
    of_corpora = study.labels.views
    named = {"view": study.labels.view} | {f"views.{corpus}": view for corpus, view in of_corpora.items()}
    for key, view in named.items():
        if view not in ("all", *tables):
            hint = did_you_mean(view, tables) or f"; there are all, {', '.join(tables)}"
            yield f"`labels.{key}`: '{view}' is no table in config/labels/views{hint}"
    corpora = [Source.of(corpus).joined for corpus in corpora_of(study)]
    for name in of_corpora:
        if name not in corpora:
            hint = did_you_mean(name, corpora)
            yield f"`labels.views.{name}`: no source or target of `transfer` has this name{hint}"


def _wrong_names(study: Study, datasets: list[str], published: Collection[str]) -> Iterator[str]:
    corpora = {
        "transfer.sources": trained_sources(study),
        "transfer.targets": study.transfer.targets,
        "report.recordings.datasets": study.report.recordings.datasets,
    }
    known = [*datasets, *study.corpora]
    for place, names in corpora.items():
        for corpus in (name for name in names if len(name) > _LONGEST_CORPUS):
            yield f"`{place}`: '{corpus[:40]}…' is too long for a file name; name what it joins in `corpora`"
        for name in (part for corpus in names for part in _parts(corpus)):
            if is_outside(study, name):
                yield f"`{place}`: '{name}' is weights from outside; only `transfer.sources` can name them, and alone"
            elif name not in known and not name.endswith(SUFFIXES):  # of these, see _wrong_suffixes
                yield f"`{place}`: {_no_dataset(name, known)}"
    for place in ("limits", "mirrors"):
        for name in getattr(study, place):
            if name not in published:
                hint = did_you_mean(name, published) or f"; known are {', '.join(published)}"
                yield f"`{place}`: '{name}' is not a data set of config/datasets.yaml{hint}"


def _parts(corpus: str) -> list[str]:
    """Return the data sets, and the names of the section ``corpora``, that a corpus is made of."""
    return Source.of(corpus).joined.split(JOINED_BY)


def _no_dataset(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
    return f"'{name}' is neither in config/datasets.yaml nor in `simulate` or `own`{hint}"


def _wrong_suffixes(transfer: Transfer) -> Iterator[str]:
    for place in ("sources", "targets"):
        for corpus in getattr(transfer, place):
            has_two = Source.of(corpus).task != LABELS and Source.of(corpus).shuffled
            if has_two or any(part.endswith(SUFFIXES) for part in _parts(corpus)):
                yield (
                    f"`transfer.{place}`: '{corpus}' can end in one of {', '.join(SUFFIXES)}, and contain none of them"
                    " elsewhere"
                )
            elif place == "targets" and Source.of(corpus).task != LABELS:
                yield f"`transfer.targets`: '{corpus}' names a task to pre-train on, which only a source can have"


def _wrong_models(study: Study, models: Mapping[str, Collection[str]]) -> Iterator[str]:
    transfer = study.transfer
    for model in transfer.models:
        if model not in models and "of" not in study.options_of(model):
            yield f"`transfer.models`: {_no_model(model, models)}"
    for model in study.models:
        options = study.options_of(model)
        if "of" in options and model in models:
            yield f"`models.{model}.of`: '{model}' is a model itself; choose another name for one with other options"
            continue
        published, place = (options["of"], f"models.{model}.of") if "of" in options else (model, "models")
        if published not in models:
            yield f"`{place}`: {_no_model(published, models)}"
            continue
        allowed = [*models[published], *_OPTIONS_OF_ALL]
        for option in options:
            if option not in ("of", *allowed):
                yield f"`models.{model}.{option}` is no option of this model; it has {', '.join(allowed)}"
        for source in trained_sources(study):
            if Source.of(source).task == "age" and model in transfer.models and options.get("age_sex"):
                yield (
                    f"`models.{model}.age_sex` would give the model the answer that '{source}' trains it to predict;"
                    " leave out one of the two"
                )


def _no_model(name: str, models: Iterable[str]) -> str:
    hint = did_you_mean(name, models) or f"; known are {', '.join(models)}"
    return f"'{name}' is not a model{hint}"


def _wrong_outside_weights(study: Study, datasets: list[str], models: Mapping[str, Collection[str]]) -> Iterator[str]:
    transfer, known = study.transfer, [*models, *study.models]
    for name, weights in study.outside_weights.items():
        place = f"outside_weights.{name}"
        if name in datasets:
            yield f"`{place}` has the name of a data set; choose another"
        for dataset in weights.trained_on:
            if dataset not in datasets:
                yield f"`{place}.trained_on`: {_no_dataset(dataset, datasets)}"
        unknown = [model for model in weights.files if model not in known]
        for model in unknown:
            yield f"`{place}.files`: {_no_model(model, models)}"
        if name in transfer.sources and not unknown and not set(weights.files) & set(transfer.models):
            yield f"`{place}.files` has none of `transfer.models`; add a file, or leave '{name}' out of the sources"


def _wrong_transfer(study: Study, published: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    transfer = study.transfer
    name_of: dict[frozenset[str], str] = {}
    for corpus in dict.fromkeys(Source.of(name).joined for name in corpora_of(study)):
        members = datasets_of(corpus, study.corpora)
        if len(set(members)) < len(members):
            yield f"`transfer`: '{corpus}' names a data set twice"
        other = name_of.setdefault(frozenset(members), corpus)
        if other != corpus:
            yield f"`transfer`: '{other}' and '{corpus}' join the same data sets; keep to one name"
    for target in transfer.targets:
        sources = sources_of(study, target)
        if not sources:
            yield f"`transfer.targets`: every source shares a data set with '{target}'; add a source that does not"
        for model in transfer.models if sources else []:
            if not sources_of(study, target, model):
                yield (
                    f"`transfer.sources`: none has weights of '{model}' for '{target}'; add a corpus, or a file to"
                    " `outside_weights`"
                )
        for source in (source for source in sources if is_outside(study, source)):
            members = datasets_of(target, study.corpora)
            yield from _overlaps_of_outside(source, study.outside_weights[source].trained_on, members, published)


def _overlaps_of_outside(
    source: str, trained_on: list[str], target: list[str], published: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what the audit would leave out of a source that is trained here: recordings that are in the target, too."""
    for dataset in target:
        overlaps = published.get(dataset, {}).get("overlaps", [])
        for same in (other for other in trained_on if other in overlaps):
            yield (
                f"`outside_weights.{source}.trained_on`: '{same}' holds the same recordings as '{dataset}', a target;"
                f" add '{dataset}' to the list, and no target that holds it starts from these weights"
            )


def _wrong_folds(splits: Splits) -> Iterator[str]:
    groups = {"valid_groups": splits.valid_groups, "test_groups": splits.test_groups}
    if splits.by in ("patient", "record") and any(groups.values()):
        yield "`splits.valid_groups` and `splits.test_groups` name sites or months; set `splits.by` to site or month"
    if splits.by == "record":
        if splits.test_share is None:
            yield "`splits.test_share` is null; state the share of the records for testing, such as 0.33"
        return
    if splits.test_share is not None:
        yield "`splits.test_share` is only for `splits.by: record`; set it to null, folds or groups decide here"
    if set(groups["valid_groups"]) & set(groups["test_groups"]):
        yield "`splits.valid_groups` and `splits.test_groups` share a group; it can only have one role"
    if any(groups.values()):
        if not groups["test_groups"]:
            yield "`splits.test_groups` is empty; with named groups, name those for testing"
        if not groups["valid_groups"] and splits.valid_folds:
            yield (
                "`splits.valid_groups` is empty; with named groups, name those for validation, or set"
                " `splits.valid_folds` to [] for no validation"
            )
        return
    held_out = {*splits.valid_folds, *splits.test_folds}
    if set(splits.valid_folds) & set(splits.test_folds):
        yield "`splits.valid_folds` and `splits.test_folds` share a fold; a patient can only have one role"
    for place, folds in (("valid_folds", splits.valid_folds), ("test_folds", splits.test_folds)):
        if max(folds, default=0) > splits.n_folds:
            yield f"`splits.{place}` names fold {max(folds)}, there are {splits.n_folds} (`splits.n_folds`)"
    if held_out >= set(range(1, splits.n_folds + 1)):
        yield "`splits.valid_folds` and `splits.test_folds` leave no fold to train on; raise `splits.n_folds`"


def _wrong_band(signals: Signals) -> Iterator[str]:
    band, rate = signals.band_pass, signals.sampling_rate_hz
    if band.design == "none":
        return
    if band.low_hz >= band.high_hz:
        yield f"`signals.band_pass`: low_hz {band.low_hz:g} must lie below high_hz {band.high_hz:g}"
    if band.high_hz > rate / 2:
        yield (
            f"`signals.band_pass.high_hz` is {band.high_hz:g}, at most half of `signals.sampling_rate_hz`"
            f" = {rate} can be kept"
        )


def _lacking_units(study: Study) -> Iterator[str]:
    for name, entry in study.own.items():
        if (entry.unit or "").strip().lower() == NO_UNIT and study.signals.scaling == "none":
            yield (
                f"`own.{name}.unit` is '{NO_UNIT}', and `signals.scaling: none` keeps amplitudes, which then mean"
                " nothing; say the unit, or set `signals.scaling` to min-max or z-score"
            )


def _wrong_pretrainings(transfer: Transfer) -> Iterator[str]:
    n_pretrainings, n_replicates = transfer.pretrainings, transfer.replicates
    if n_pretrainings not in (1, n_replicates):
        yield (
            f"`transfer.pretrainings` is {n_pretrainings}: one for all replicates or one for each, that is 1 or"
            f" {n_replicates}; between, intervals would take replicates that share one for independent"
        )


def _wrong_crops(study: Study) -> Iterator[str]:
    duration = study.signals.duration_s
    for section in ("training", "pretrain", "scratch", "finetune"):
        crop = getattr(study, section).crop_s
        if crop is not None and crop > duration:
            yield f"`{section}.crop_s` is {crop:g}, at most `signals.duration_s` = {duration:g} can be cut out"
            return  # the others have it from there
