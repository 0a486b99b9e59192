"""Draw all figures as files, with a gallery and a contact sheet."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import matplotlib.image
from matplotlib.figure import Figure

from analysis.options import make_folder
from analysis.running import Tables
from analysis.sources import Source, embedded
from figures import style
from mssim._files import whole_file
from mssim._validation import choose_from, printable
from mssim.errors import MssimError

__all__ = ["FIGURES", "Sheet", "draw_all", "gallery", "sheets"]

FIGURES = {  # the module of each
    "curves": "by_cost",
    "gain": "gain",
    "protocols": "fig5_protocols",
    "fig1": "fig1_scaling",
    "fig3": "fig3_consistency",
    "fig4": "fig4_equal_budget",
    "fig5": "fig5_debate",
    "fig6": "fig6_number_and_order",
    "fig7": "fig7_best_of_n",
    "theory": "theory",
}
DPI = 300
_METADATA = {"png": {"Software": None}, "svg": {"Date": None}}


@dataclass(frozen=True)
class Sheet:
    """A figure: its file name, the module of this package that draws it, its sources, and its part of the gallery."""

    name: str
    module: ModuleType
    sources: tuple[Source, ...]
    part: str = ""


def sheets(only: Sequence[str] | None = None, sources: Sequence[Source] | None = None) -> list[Sheet]:
    """Return the figures to draw.

    Parameters
    ----------
    only : sequence of str, optional
        Names of figures. By default all.
    sources : sequence of Source, optional
        Pools to show. By default the pools in recorded/, and then pools simulated from published numbers.

    Returns
    -------
    list of Sheet
        The figures, without those that require data that the pools do not have.

    Raises
    ------
    MssimError
        If there is no such figure, or the pools do not have the required data for any of them.
    """
    for name in only or ():
        if name not in FIGURES:
            raise MssimError(f"no figure {name!r}. {choose_from(name, FIGURES)}.")
    names = list(dict.fromkeys(only or FIGURES))
    if sources is None:
        found = [*_of_pools(names, "-llm", embedded(), _RECORDED), *(one for name in names for one in _simulated(name))]
    else:
        found = list(_of_pools(names, f"-{_joined([source.name for source in sources])}", sources))
    if not found:
        raise MssimError(f"{', '.join(only or FIGURES)}: the pools do not have the required data. {_NEEDS}")
    return found


_RECORDED, _SIMULATED = "Language models", "Simulated from published numbers"  # parts of the gallery


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"figures.{FIGURES[name]}")


def _of_pools(names: Sequence[str], ending: str, pools: Sequence[Source], part: str = "") -> Iterator[Sheet]:
    """Yield the figures of pools, each with the pools that have its data."""
    for name in names:
        module = _module(name)
        suited = tuple(source for source in pools if module.suits(source))
        if suited:
            yield Sheet(f"{name}{ending}", module, suited, part)


def _simulated(name: str) -> Iterator[Sheet]:
    module = _module(name)
    for ending, some in module.groups().items():
        yield Sheet(f"{name}{ending}", module, tuple(some), _SIMULATED)


def _joined(names: Sequence[str], most: int = 100) -> str:
    """Join names of pools for a file name of limited length."""
    whole = "+".join(names)
    return whole if len(whole) <= most else f"{names[0][:most]}+{len(names) - 1}-more".removesuffix("+0-more")


_NEEDS = (
    "fig3 requires 4 samples of each model; the others require 2 models, fig6 3, fig7 also a column 'score', curves "
    "output tokens, and protocols a folder POOL-protocols."
)


def draw_all(wanted: Sequence[Sheet], out: Path, *, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Draw figures as OUT/NAME.png and OUT/NAME.svg, a contact sheet and a gallery.

    Parameters
    ----------
    wanted : sequence of Sheet
        Figures to draw.
    out : Path
        Folder for the files. Tables are cached in OUT/cache, so that a second run only draws.
    progress : callable, optional
        Called as progress(done, total) after every figure.

    Returns
    -------
    list of Path
        The PNG files. The last one is the contact sheet.
    """
    make_folder(out)
    tables = Tables(out / "cache")
    names = [(sheet.name, source.title, *source.models) for sheet in wanted for source in sheet.sources]
    fonts = style.fonts(text for some in names for text in some)
    files = []
    for done, sheet in enumerate(wanted, 1):
        with style.in_style(fonts):
            _write(sheet.module.draw(tables, list(sheet.sources)), out / sheet.name)
        files.append(out / f"{sheet.name}.png")
        if progress:
            progress(done, len(wanted))
    with style.in_style(fonts):
        files.append(_contact_sheet(files, out / "contact-sheet.png"))
    with whole_file(out / "README.md") as part:
        part.write_text(gallery(wanted), encoding="utf-8")
    return files


def _write(figure: Figure, path: Path) -> None:
    for kind, metadata in _METADATA.items():
        with whole_file(path.with_name(f"{path.name}.{kind}")) as part:
            figure.savefig(part, format=kind, dpi=DPI, metadata=metadata)


def _contact_sheet(files: Sequence[Path], path: Path, *, columns: int = 5) -> Path:
    """Draw all figures on one page."""
    rows = -(-len(files) // columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, file in zip(axes, files, strict=False):
        ax.imshow(matplotlib.image.imread(file)[::2, ::2], interpolation="antialiased")
        ax.set_title(printable(file.stem), fontsize=7)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=150, metadata=_METADATA["png"])
    return path


_INTRODUCTION = """# Figures

Hollow markers and white bars are numbers published by the ModelSwitch paper or its authors' code. All other numbers are
computed here. Bands are simultaneous 95 % confidence bands over questions: a band covers its curve at all points
together. Error bars are 95 % confidence intervals over questions: a bar covers a single number. "simulated" means that
no language model was queried. A simulated pool is drawn from an answer model fitted to published numbers
(`mssim.simulate`) and has as many questions as the data set.
"""


def gallery(wanted: Sequence[Sheet]) -> str:
    """Return the text of the gallery, in which each figure is explained where it first appears."""
    texts, part, shown, explained = [_INTRODUCTION], "", None, set()
    for sheet in wanted:
        if sheet.part != part:
            part, shown = sheet.part, None
            texts.append(f"## {part}\n")
        if sheet.module is not shown:
            shown = sheet.module
            texts.append(f"{'###' if part else '##'} {shown.TITLE}\n")
        if shown.TITLE not in explained:
            explained.add(shown.TITLE)
            texts.append(f"{shown.READING}\n")
        texts.append(f"![{sheet.name}: {shown.TITLE}]({quote(sheet.name)}.png)\n")
    return "\n".join(texts)
