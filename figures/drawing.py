"""Drawing all figures: which there are, their files, the gallery and the contact sheet."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
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
from mssim._validation import choose_from
from mssim.errors import MssimError

__all__ = ["FIGURES", "Sheet", "draw_all", "gallery", "sheets"]

FIGURES = ("fig1", "fig3", "fig4", "fig5", "fig6", "fig7", "theory")
DPI = 300
_METADATA = {"png": {"Software": None}, "svg": {"Date": None}}


@dataclass(frozen=True)
class Sheet:
    """One figure to draw: a module of this package, and the sources that it shows together."""

    name: str
    module: ModuleType
    sources: tuple[Source, ...]


def sheets(only: Sequence[str] | None = None, sources: Sequence[Source] | None = None) -> list[Sheet]:
    """All figures to draw.

    Parameters
    ----------
    only : sequence of str, optional
        Names of figures; default: all.
    sources : sequence of Source, optional
        Draw these pools, and nothing else; default: pools simulated from published numbers, and pools that ship.

    Raises
    ------
    MssimError
        If there is no such figure, or none that suits these pools.
    """
    for name in only or ():
        if name not in FIGURES:
            raise MssimError(f"no figure {name!r}; {choose_from(name, FIGURES)}")
    pools = embedded() if sources is None else list(sources)
    suffix = "-pools" if sources is None else f"-{_joined([source.name for source in pools])}"
    found = []
    for name in dict.fromkeys(only or FIGURES):
        module = importlib.import_module(f"figures.{name}")
        if sources is None:
            found += [Sheet(f"{name}{ending}", module, tuple(some)) for ending, some in module.groups().items()]
        suited = tuple(source for source in pools if module.suits(source))
        if suited:
            found.append(Sheet(f"{name}{suffix}", module, suited))
    if not found:
        raise MssimError(f"{', '.join(only or FIGURES)}: nothing to draw of these pools; {_NEEDS}")
    return found


def _joined(names: Sequence[str], most: int = 100) -> str:
    """Names of pools in the name of a file, which must not become too long."""
    whole = "+".join(names)
    return whole if len(whole) <= most else f"{names[0][:most]}+{len(names) - 1}-more".removesuffix("+0-more")


_NEEDS = "fig3 needs four samples of each model, the others two models, fig6 three, and fig7 also a column 'score'"


def draw_all(wanted: Sequence[Sheet], out: Path, *, progress: Callable[[int, int], None] | None = None) -> list[Path]:
    """Draw figures as OUT/NAME.png and OUT/NAME.svg, a contact sheet and a gallery.

    Parameters
    ----------
    wanted : sequence of Sheet
    out : Path
        Folder; tables are kept in OUT/cache, so that a second run only draws.
    progress : callable, optional
        Called as progress(done, total) after every figure.

    Returns
    -------
    list of Path
        The PNG files, the contact sheet last.
    """
    make_folder(out)
    tables = Tables(out / "cache")
    files = []
    for done, sheet in enumerate(wanted, 1):
        with style.in_style():
            _write(sheet.module.draw(tables, list(sheet.sources)), out / sheet.name)
        files.append(out / f"{sheet.name}.png")
        if progress:
            progress(done, len(wanted))
    with style.in_style():
        files.append(_contact_sheet(files, out / "contact-sheet.png"))
    with whole_file(out / "README.md") as part:
        part.write_text(gallery(wanted), encoding="utf-8")
    return files


def _write(figure: Figure, path: Path) -> None:
    for kind, metadata in _METADATA.items():
        with whole_file(path.with_name(f"{path.name}.{kind}")) as part:
            figure.savefig(part, format=kind, dpi=DPI, metadata=metadata)


def _contact_sheet(files: Sequence[Path], path: Path, *, columns: int = 5) -> Path:
    """All figures on one page, small."""
    rows = -(-len(files) // columns)
    figure = Figure(figsize=(2 * columns, 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.axis("off")
    for ax, file in zip(axes, files, strict=False):
        ax.imshow(matplotlib.image.imread(file)[::2, ::2], interpolation="antialiased")
        ax.set_title(file.stem, fontsize=7)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=150, metadata=_METADATA["png"])
    return path


_INTRODUCTION = """# Figures

Hollow markers and white bars are numbers published by the ModelSwitch paper or its authors' code. All other numbers are
computed here. Bands and bars are 95 % confidence intervals over questions. "simulated" means that no language model was
queried. A simulated pool is drawn from an answer model fitted to published numbers (`mssim.simulate`) and has as many
questions as the data set.
"""


def gallery(wanted: Sequence[Sheet]) -> str:
    """Text of the page that shows the figures, each with a sentence of reading help."""
    parts, shown = [_INTRODUCTION], None
    for sheet in wanted:
        if sheet.module is not shown:
            shown = sheet.module
            parts.append(f"## {shown.TITLE}\n\n{shown.READING}\n")
        parts.append(f"![{sheet.name}: {shown.TITLE}]({quote(sheet.name)}.png)\n")
    return "\n".join(parts)
