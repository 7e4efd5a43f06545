"""The page of a large study is small enough for a mail, and its figures are those of the files."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest
from drawn_figures import TABLES, draw
from finding_tables import CLAIMS, Study, parity
from matplotlib.figure import Figure
from PIL import Image
from tiny_page import PUBLISHED, TEMPLATE, Reader, corpus, make_results

from ecgtransfer.acquire.simulate import simulate_corpus
from ecgtransfer.config.study import Study as Config
from ecgtransfer.exhibits.figure_files import FEWER_DOTS_PER_INCH, save_figure
from ecgtransfer.report.ecg_page import draw_ecg_page
from ecgtransfer.report.embedded import image_uri, svg_uri
from ecgtransfer.report.inputs import DrawnRecording
from ecgtransfer.report.page import StudyResults, render_page
from ecgtransfer.report.quality_figure import FLAGS, draw_quality, quality_summary

DATASETS = ("ptb-xl", "code-15", "georgia", "ningbo", "chapman-shaoxing", "cpsc2018", "cpsc2018-extra", "sph")
N_RECORDINGS = 3  # drawn of each
STUDY = Study(DATASETS[:2], ("gru", "inception1d", "resnet1d18"), ("six", "six-shuffled"), (0.1, 1.0))
LABELS = [f"label{number}" for number in range(30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, Path]:
    """Return the SVG file of each finding."""
    tables = {finding: [getattr(STUDY, table)() for table in names] for finding, names in TABLES.items()}
    tables |= {"claims": [CLAIMS], "parity": [parity()], "curves": [curves()]}
    return {finding: saved(draw(finding, *parts), folder / finding) for finding, parts in tables.items()}


def curves() -> pd.DataFrame:
    table = STUDY.cells(scratch=True)
    score = 0.7 + 0.1 * table["fraction"]
    ends = {"ci_low": score - 0.02, "ci_high": score + 0.03}
    table = table.assign(n_train_patients=table["n_train"], metric="macro_auroc", score=score, **ends)
    return table.assign(replicate_sd=0.01, n_replicates=5)


def saved(figure: Figure, path: Path, dots_per_inch: float = 20) -> Path:
    svg = path.with_suffix(".svg")
    save_figure(figure, svg, path.with_suffix(".png"), dots_per_inch)
    return svg


@pytest.fixture(scope="module")
def signals() -> list[np.ndarray]:
    """Return recordings with a little noise and with much, (12, 5000) in mV at 500 Hz."""
    return [
        record.signal
        for noise in (0.7, 1.4)
        for record in simulate_corpus("ward", {"layout": "ptb-xl", "n_patients": 3, "noise": noise}, 1)
    ]


@pytest.fixture(scope="module")
def recordings(folder: Path, signals: list[np.ndarray]) -> list[Path]:
    """Return drawn recordings as PNG files."""
    title = "chapman-shaoxing, record JS20344: 63 years, female, AF CLBBB LVH TInv"
    return [
        saved(draw_ecg_page(signal, 500, title), folder / f"{number}", FEWER_DOTS_PER_INCH).with_suffix(".png")
        for number, signal in enumerate(signals)
    ]


@pytest.fixture(scope="module")
def quality(folder: Path, signals: list[np.ndarray]) -> Path:
    """Return the quality of a data set as a PNG file."""
    n_records = 60
    prepared = np.stack([np.rint(1000 * signals[number % len(signals)][:, ::5]) for number in range(n_records)])
    table = pd.DataFrame(
        {
            **{"record_id": [f"JS{20000 + number}" for number in range(n_records)], "usable": 1, "reason": ""},
            **dict.fromkeys(FLAGS, 0.0),
            **{"amplitude_mv": np.linspace(1, 2, n_records), "gain_ratio": np.geomspace(0.1, 10, n_records)},
            "duration_s": np.linspace(5, 60, n_records),
        }
    )
    table.loc[:1, ["usable", "reason"]] = 0, "7 leads are flat"
    table.loc[2:3, "clipped_leads"] = 2
    summary = quality_summary(pd.DataFrame({"reason": ["signal file a.mat is missing"]}), table)
    figure = draw_quality("chapman-shaoxing", summary, table, prepared.astype(np.int16).__getitem__, 100, (0.25, 4))
    return saved(figure, folder / "quality", FEWER_DOTS_PER_INCH).with_suffix(".png")


@pytest.fixture(scope="module")
def results(figures: dict[str, Path], recordings: list[Path], quality: Path) -> StudyResults:
    small = make_results()
    config = small.study.as_config() | {"corpora": {"six": "+".join(DATASETS[2:])}}
    config["transfer"] |= {"sources": list(STUDY.sources), "targets": list(STUDY.targets), "models": list(STUDY.models)}
    tables = {name: getattr(STUDY, name)() for names in TABLES.values() for name in names}
    labels, splits = corpus(2000, 300)
    labels = labels.assign(**{label: labels["AF"] for label in LABELS})
    corpora = [*STUDY.sources, *STUDY.targets]
    cells = list(STUDY.cells(scratch=True)[["target", "model", "arm", "fraction"]].itertuples(index=False, name=None))
    uris = [image_uri(path) for path in recordings]
    reasons = pd.DataFrame({"reason": [f"signal file JS{number}.mat is missing" for number in range(20)]})
    return replace(
        small,
        study=Config.of(config),
        published={name: PUBLISHED[name] for name in DATASETS},
        findings=small.findings | tables | {"claims": CLAIMS, "curves": curves()},
        figures={name: svg_uri(path) for name, path in figures.items()},
        recordings={
            name: [
                DrawnRecording("JS20344", f"{name}, record JS20344", "atrial fibrillation", uris[place % len(uris)])
                for place in range(N_RECORDINGS)
            ]
            for name in DATASETS
        },
        records=dict.fromkeys(DATASETS, splits),
        rejected=dict.fromkeys(DATASETS, reasons),
        recipes={name: {"records": 2000, "usable": 1990, "not_usable": {"7 leads are flat": 10}} for name in DATASETS},
        quality_figures=dict.fromkeys(DATASETS, image_uri(quality)),
        labels=dict.fromkeys(corpora, labels),
        splits=dict.fromkeys(corpora, splits),
        cells=cells,
        runs=small.runs[:1] * len(cells),
    )


def test_a_page_of_36_cells_and_8_data_sets_is_below_3_mb(results: StudyResults) -> None:
    assert (len(results.cells), len(results.quality_figures)) == (36, 8)
    page = render_page(TEMPLATE, results)
    assert len([address for address in Reader(page).loaded if address.startswith("data:image/webp")]) == 8 * 3 + 8
    assert len([address for address in Reader(page).loaded if address.startswith("data:image/svg")]) == 14
    assert len(page.encode()) < 3_000_000


def test_figures_are_drawn_as_in_their_files_to_a_hundredth_of_a_point(figures: dict[str, Path]) -> None:
    for path in figures.values():
        uri = svg_uri(path)
        assert not set(uri) & set('"&#\n')
        drawing = path.read_text(encoding="utf-8")
        compact = unquote(uri.partition(",")[2])
        assert len(compact) < 0.6 * len(drawing)
        before, after = (ElementTree.fromstring(text) for text in (drawing, compact))
        assert [places_of(shape) for shape in shapes_in(before)] == [
            pytest.approx(places_of(shape), abs=0.0051) for shape in shapes_in(after)
        ]
        assert [style_of(shape) for shape in shapes_in(before)] == [style_of(shape) for shape in shapes_in(after)]
        assert commands_in(before) == commands_in(after)
        ids = {shape.get("id") for shape in after.iter()}
        asked = re.findall(r'(?:href="|url\()#([^")]+)', compact.replace("'", '"'))
        assert asked
        assert set(asked) <= ids


def shapes_in(drawing: ElementTree.Element) -> list[ElementTree.Element]:
    return [shape for shape in drawing.iter() if shape.tag.endswith(("path", "use", "rect", "}g", "svg"))]


def places_of(shape: ElementTree.Element) -> list[float]:
    """Return all numbers that say where a shape is; those of a glyph after its command."""
    moved = (shape.get("transform") or "").removesuffix(" 0)").removeprefix("translate(")
    told = [shape.get(name) or "" for name in ("d", "x", "y", "width", "height", "viewBox")]
    place = moved if shape.tag.endswith("use") else shape.get("transform") or ""
    return [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", " ".join([*told, place]))]


def style_of(shape: ElementTree.Element) -> str:
    return re.sub(r"#\w+\)", "#)", (shape.get("style") or "").replace(" ", ""))


def commands_in(drawing: ElementTree.Element) -> list[str]:
    return [re.sub(r"[^A-Za-z]", "", re.sub(r"e-\d", "", shape.get("d") or "")) for shape in shapes_in(drawing)]


def test_pictures_keep_the_colours_that_mean_something(quality: Path, recordings: list[Path]) -> None:
    for path, colours in ((quality, ["#0072B2", "#D55E00", "#E69F00"]), (recordings[0], ["#f0a3ab", "#fadadd"])):
        with (
            Image.open(path) as png,
            urlopen(image_uri(path)) as content,
            Image.open(BytesIO(content.read())) as packed,
        ):
            drawn, seen = (np.asarray(picture.convert("RGB"), dtype=int) for picture in (png, packed))
            assert drawn.shape == seen.shape
            assert np.abs(drawn - seen).mean() < 4
            for colour in colours:
                wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
                where = (np.abs(drawn - wanted) <= 1).all(axis=2)
                assert where.sum() > 100
                assert np.abs(seen[where] - wanted).max() <= 30
