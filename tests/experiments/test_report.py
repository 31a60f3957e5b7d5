"""Reports: the paper's figures beside the measured ones, as Markdown and as a page."""

import math
import os
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.experiments.conftest import RIDE as RIDE_ROW
from tests.experiments.conftest import setting, tiny

from ride.errors import ConfigError
from ride.experiments import charts
from ride.experiments.document import Block, Figure, Grid, Heading, Paragraph, Points, markdown, page
from ride.experiments.report import grid, reproduce_command, table_text, write_report
from ride.experiments.reproduce import check_record, results, run_rows
from ride.experiments.results import comparable, difference, read_record
from ride.experiments.tables import Cell, Column, Line, single
from ride.models.files import load, load_card, save
from ride.models.ride import RIDE


@pytest.fixture
def run(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    run_rows(tiny(), ["mcgsm", "ride"], here)
    return here


def test_the_table_has_the_papers_figures_beside_the_measured_ones(run):
    found = results(tiny(), run)
    lines = table_text(tiny(), found).splitlines()
    assert len(lines) == 5
    assert table_text(tiny(), found, measured_only=True).splitlines() == lines[:4]
    for line, key, paper in zip(lines[2:], ("mcgsm", "ride"), ("1.250", "1.500"), strict=False):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[:2] == [tiny().rows[key].name, paper]
        assert cells[2].startswith(f"{found[key].value:.3f} ± ")
    assert "| - | - |" in lines[4]


def test_what_was_not_reproduced_stays_as_the_papers(run):
    table = tiny(lines=(*tiny().lines, Line("GMM", {"rate": Cell(1.4)})))
    assert grid(table, results(table, run)).rows[-1] == ["GMM", "1.400", "paper only", "(paper +0.150)"]


def test_the_report_is_written_with_its_pictures(run, tmp_path: Path):
    folder = tmp_path / "report"
    folder.mkdir()
    written = write_report(tiny(), "tiny", run, folder)
    assert {path.name for path in written} == {path.name for path in folder.iterdir()}
    text = (folder / "tiny.md").read_text(encoding="utf-8")
    shown = [picture for picture in folder.glob("*.png") if "-sample-" not in picture.name]
    for picture in shown:
        assert f"]({picture.name})" in text
        with Image.open(picture) as image:
            assert image.size[0] > 300
            assert len(image.convert("L").getcolors() or [0] * 300) > 10
    assert "ride reproduce tiny" in text
    assert "A remark." in text
    assert "320 pixels of 2 images" not in text
    assert "160 pixels of 2 images" in text
    html = (folder / "tiny.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == len(shown)


def test_a_sample_is_drawn_once_for_each_model(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drawn: list[int] = []
    sample = RIDE.sample

    def counting(model: RIDE, *args, **words):
        drawn.append(model.config.layers)
        return sample(model, *args, **words)

    monkeypatch.setattr(RIDE, "sample", counting)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_report(tiny(), "tiny", run, tmp_path / name)
    assert drawn == [0, 1]
    first, second = ((tmp_path / name / "tiny-sample-ride.png").read_bytes() for name in ("first", "second"))
    assert first == second
    later = time.time() + 10
    os.utime(run.out / "ride" / "model.safetensors", (later, later))
    write_report(tiny(), "tiny", run, tmp_path / "second")
    assert drawn == [0, 1, 1]


def test_a_model_that_runs_away_has_no_sample_and_the_report_says_so(run, tmp_path: Path):
    path, picture = run.out / "mcgsm" / "model.safetensors", tmp_path / "tiny-sample-mcgsm.png"
    write_report(tiny(), "tiny", run, tmp_path)
    assert picture.exists()
    model = load(path)
    with torch.no_grad():
        model.head.a.fill_(50.0)
    save(model, path, load_card(path))
    later = time.time() + 10
    os.utime(path, (later, later))
    written = write_report(tiny(), "tiny", run, tmp_path)
    assert "No sample of MCGSM: " in (tmp_path / "tiny.md").read_text(encoding="utf-8")
    assert not picture.exists()
    assert picture not in written
    assert tmp_path / "tiny-sample-ride.png" in written


def test_a_report_without_results_is_a_table_of_the_papers_figures(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out")
    here.out.mkdir()
    written = write_report(tiny(), "tiny", here, here.out)
    assert [path.name for path in written] == ["tiny.md", "tiny.html", "tiny.json"]
    assert "| MCGSM | 1.250 | paper only | - |" in written[0].read_text(encoding="utf-8")


def test_a_page_escapes_what_it_shows_and_closes_what_it_opens(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"x")
    blocks: list[Block] = [
        Heading("A < B", 1),
        Paragraph("say `ride <model>` & **go**"),
        Points(["one", "two"]),
        Grid(["a", "b"], [["1 < 2", "3"]]),
        Figure("a.png", 'a "figure"'),
    ]
    text = page("A & B", blocks, tmp_path)
    assert "<code>ride &lt;model&gt;</code> &amp; <strong>go</strong>" in text
    assert "1 &lt; 2" in text

    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Balance()
    parser.feed(text)
    assert not parser.open
    assert markdown(blocks).splitlines()[:3] == ["# A < B", "", "say `ride <model>` & **go**"]


def test_the_command_that_is_printed_can_be_typed(run, data: Path, tmp_path: Path):
    found = results(tiny(), run)
    assert reproduce_command("table1", tiny(), found, run) == (
        "ride reproduce table1 --data BSDS300 --rows mcgsm ride"
    )
    everything = dict.fromkeys(tiny().rows, found["ride"])
    leaves = tiny(source="deadleaves")
    assert reproduce_command("table3", leaves, everything, run) == "ride reproduce table3"
    other = setting(data, tmp_path, length=0.5, seed=7)
    assert reproduce_command("table3", leaves, everything, other) == "ride reproduce table3 --length 0.5 --seed 7"


def test_other_settings_do_not_replace_a_record(run, data: Path, tmp_path: Path):
    known = results(tiny(), run)
    check_record(tiny(), setting(data, tmp_path, known=known), tmp_path / "tiny.json")
    with pytest.raises(ConfigError, match="other settings"):
        check_record(tiny(), setting(data, tmp_path, known=known, length=0.5), tmp_path / "tiny.json")


def test_scores_of_other_patches_have_no_distance(run):
    found = results(tiny(), run)
    fewer = [replace(image, weight=image.weight + 1) for image in found["ride"].images]
    assert comparable(found["ride"], replace(found["ride"], images=tuple(fewer)))
    patches = replace(found["ride"], of="patches")
    assert not comparable(patches, replace(patches, images=tuple(fewer)))


def test_distances_stand_beside_the_papers(run):
    found = results(tiny(), run)
    baseline, line = grid(tiny(), found).rows[:2]
    value, error = difference(found["ride"], found["mcgsm"])
    assert baseline[-1] == "-"
    assert line[-1] == f"{value:+.3f} ± {error:.3f} (paper +0.250)"


def test_further_baselines_have_columns_of_their_own(run):
    table = tiny(columns={"rate": Column("rate", "bit/px", "mcgsm", also=("ride", "mcgsm"))})
    found = results(table, run)
    shown = grid(table, found)
    value, error = difference(found["mcgsm"], found["ride"])
    assert shown.head[-3:] == ["over MCGSM", "over RIDE", "over MCGSM"]
    assert [row[-2] for row in shown.rows] == [f"{value:+.3f} ± {error:.3f}", "-", "-"]
    assert [row[-1] for row in shown.rows] == ["-", f"{-value:+.3f} ± {error:.3f}", "-"]


@pytest.mark.parametrize("relative", [False, True])
def test_a_chart_shows_figures_or_distances_and_points_to_what_is_far_below(run, relative: bool):
    found = results(tiny(), run)
    far = [replace(image, value=image.value - 10) for image in found["ride"].images]
    found["ride"] = replace(found["ride"], value=found["ride"].value - 10, images=tuple(far))
    table = tiny(columns={"rate": Column("rate", "bit/px", "mcgsm", relative=relative)})
    lines = (
        *table.lines,
        *(single("rate", paper, replace(RIDE_ROW, key=key)) for key, paper in (("other", 1.3), ("least", 1.2))),
    )
    found |= {key: replace(found["mcgsm"], value=1.25) for key in ("other", "mcgsm")}
    axes = charts._against_the_paper(replace(table, lines=lines), "rate", found).axes[0]
    figure = difference(found["ride"], found["mcgsm"])[0] if relative else found["ride"].value
    assert [text.get_text() for text in axes.texts] == [f"{figure:.2f}"]
    paper = [0.25, 0.05, -0.05] if relative else [1.25, 1.5, 1.3, 1.2]
    assert list(axes.lines[0].get_xdata()) == pytest.approx(paper)
    assert axes.get_xlim()[1] - axes.get_xlim()[0] < 1


def test_a_chart_of_distances_needs_one(run, tmp_path: Path):
    table = tiny(columns={"rate": Column("rate", "bit/px", "mcgsm", relative=True)})
    found = results(table, run)
    assert any("rate" in figure.file for figure in charts.draw_charts(table, found, "a", tmp_path))
    alone = {"mcgsm": found["mcgsm"]}
    assert not any("rate" in figure.file for figure in charts.draw_charts(table, alone, "b", tmp_path))


def test_a_table_without_figures_of_the_paper_is_drawn(run, tmp_path: Path):
    lines = tuple(Line(line.name, {"rate": Cell(None, line.cells["rate"].row)}) for line in tiny().lines)
    figure = charts._against_the_paper(tiny(lines=lines), "rate", results(tiny(), run))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["measured"]


def test_learning_curves_are_in_the_unit_that_they_say(run):
    found = results(tiny(), run)
    as_patches = {key: replace(result, of="patches") for key, result in found.items()}
    for shown, scale, unit in ((found, 1 / math.log(2), "bit/px"), (as_patches, 1.0, "nat per patch")):
        axes = charts._learning(tiny(), shown).axes[0]
        assert unit in axes.get_ylabel()
        drawn = axes.lines[0].get_ydata()
        assert list(drawn) == pytest.approx([scale * value for _, value in found["mcgsm"].curve.training])


def test_a_curve_may_have_no_rates_of_training(run):
    found = results(tiny(), run)
    judged = replace(found["mcgsm"], curve=replace(found["mcgsm"].curve, training=()))
    lines = charts._learning(tiny(), {"mcgsm": judged, "ride": found["ride"]}).axes[0].lines
    assert len(lines) == 3


def test_a_record_stands_in_for_results_that_are_gone(run, data: Path, tmp_path: Path):
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(tiny(), "tiny", run, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    known = read_record(folder / "tiny.json")
    assert known == results(tiny(), run)
    # Elsewhere, with neither results nor models: the report is the same, its pictures included.
    elsewhere = setting(data, tmp_path / "elsewhere", known=known)
    elsewhere.out.mkdir()
    assert not run_rows(tiny(), ["mcgsm", "ride"], elsewhere)
    assert not list(elsewhere.out.iterdir())
    write_report(tiny(), "tiny", elsewhere, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_no_sample_is_drawn_from_a_model_that_is_not_the_one_of_the_record(run, data: Path, tmp_path: Path):
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(tiny(), "tiny", run, folder)
    before = (folder / "tiny-sample-ride.png").read_bytes()
    known = read_record(folder / "tiny.json")
    run_rows(tiny(), ["ride"], setting(data, tmp_path / "trial", length=0.5))
    write_report(tiny(), "tiny", setting(data, tmp_path / "trial", known=known), folder)
    assert (folder / "tiny-sample-ride.png").read_bytes() == before


def test_a_record_keeps_rows_that_the_table_does_not_know(run, data: Path, tmp_path: Path):
    known = {"of-old": next(iter(results(tiny(), run).values()))}
    write_report(tiny(), "tiny", replace(run, known=known), tmp_path)
    assert read_record(tmp_path / "tiny.json") == {**results(tiny(), run), **known}


@pytest.mark.parametrize("text", ["", "[]", '{"mcgsm": {}}', '{"mcgsm": 1}'])
def test_a_record_that_is_none_is_named(tmp_path: Path, text: str):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json"):
        read_record(tmp_path / "a.json")
    assert read_record(tmp_path / "missing.json") == {}


def test_a_trial_says_that_it_is_one(data: Path, tmp_path: Path):
    here = setting(data, tmp_path / "out", length=0.5)
    run_rows(tiny(), ["mcgsm"], here)
    write_report(tiny(), "tiny", here, here.out)
    assert "**A trial.** All fits have 0.5 times the steps" in (here.out / "tiny.md").read_text(encoding="utf-8")
    assert "A trial" not in grid(tiny(), results(tiny(), here)).rows[0]
