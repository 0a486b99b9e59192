"""The picture of the layers of packages, from the contracts of import-linter. `python -m website.layers` writes it."""

import tomllib
from html import escape
from pathlib import Path

__all__ = ["PICTURE", "layers", "picture"]

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "layers.svg"

_WIDTH, _ROW, _BOX, _LETTER, _GAP = 760, 40, 28, 8.4, 12
_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"
  font-family="sans-serif" font-size="14">
<rect width="{width}" height="{height}" fill="#fff"/>
<path d="M34 14 V{end} m-6 -10 l6 10 l6 -10" fill="none" stroke="#6b7785" stroke-width="2"/>
<text transform="translate(22 {middle}) rotate(-90)" text-anchor="middle" fill="#4a5561">imports</text>
<rect x="56" y="{inside}" width="{inner}" height="{depth}" rx="8" fill="#f2f6f9" stroke="#b8c7d3"/>
<text x="{label}" y="{name}" text-anchor="end" fill="#0b4f71" font-weight="bold">mssim</text>
"""


def layers() -> list[list[str]]:
    """Layers from the top to the bottom: first those above the library, then those inside it."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    inside, above = (contract["layers"] for contract in config["contracts"] if contract["type"] == "layers")
    return [layer.split(" | ") for layer in (*above[:-1], *inside)]


def picture() -> str:
    """The layers as SVG, one row of boxes each."""
    rows = layers()
    n_above = next(i for i, row in enumerate(rows) if "cli" in row)
    height = len(rows) * _ROW + 20
    inside = n_above * _ROW + 8
    head = _HEAD.format(
        width=_WIDTH,
        height=height,
        end=height - 14,
        middle=height // 2,
        inside=inside,
        inner=_WIDTH - 70,
        depth=height - inside - 6,
        label=_WIDTH - 26,
        name=inside + 24,
    )
    return head + "".join(_row(names, 14 + i * _ROW) for i, names in enumerate(rows)) + "</svg>\n"


def _row(names: list[str], top: int) -> str:
    widths = [len(name) * _LETTER + 24 for name in names]
    left = (_WIDTH + 44 - sum(widths) - _GAP * (len(names) - 1)) / 2
    boxes = []
    for name, width in zip(names, widths, strict=True):
        middle = left + width / 2
        fill, text = ("#e3e7eb", "#4a5561") if name.startswith("_") else ("#0b4f71", "#fff")
        boxes.append(
            f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BOX}" rx="5" fill="{fill}"/>'
            f'<text x="{middle:.1f}" y="{top + 19}" text-anchor="middle" fill="{text}">{escape(name)}</text>\n'
        )
        left += width + _GAP
    return "".join(boxes)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
