"""Letters of names that the font of figures does not have come from another font, or are named in one warning."""

import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from mssim import evaluate
from mssim._fonts import families
from mssim.plots import plot_curves
from tests.engine.test_evaluate import random_pool

HAN, KANA, HANGUL = "\u6c34", "\u306e", "\ubb3c"  # water, no, water


@pytest.fixture
def fonts(monkeypatch):
    """Let the system have the fonts of Matplotlib alone."""
    own = [font for font in font_manager.fontManager.ttflist if str(font.fname).startswith(mpl.get_data_path())]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    yield own
    plt.close("all")


@pytest.fixture
def installed(fonts, tmp_path):  # noqa: ARG001 (leaves no other fonts)
    """Install a font that has a few letters, each a square."""

    def install(name, letters):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for corner in [(0, 500), (500, 500), (500, 0)]:
            pen.lineTo(corner)
        pen.closePath()
        glyphs = {".notdef": pen.glyph(), **{f"g{ord(letter)}": pen.glyph() for letter in letters}}
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder(list(glyphs))
        builder.setupCharacterMap({ord(letter): f"g{ord(letter)}" for letter in letters})
        builder.setupGlyf(glyphs)
        builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (600, 0)))
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": name, "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        path = tmp_path / f"{name}.ttf"
        builder.save(path)
        font_manager.fontManager.addfont(path)

    return install


@pytest.mark.usefixtures("fonts")
def test_names_in_letters_of_the_font_change_nothing():
    assert families(["ms:a+b", "é, ß, Ω, ж", "a\tb", ""]) == mpl.rcParams["font.family"]


def test_other_letters_come_from_fonts_that_have_them(installed):
    installed("Unlikely", HAN)
    installed("Sans CJK of a test", HAN + KANA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert families([f"{HAN} {KANA}"]) == [*mpl.rcParams["font.family"], "Sans CJK of a test"]
        evaluation = evaluate(random_pool(), {f"{HAN}_{KANA}": "sc:x"}, [1])
        plot_curves(evaluation).figure.canvas.draw()


def test_several_fonts(installed):
    installed("First", HAN)
    installed("Second", HANGUL)
    assert families([HANGUL, HAN]) == [*mpl.rcParams["font.family"], "First", "Second"]


@pytest.mark.usefixtures("fonts")
def test_letters_that_no_font_has_are_named_in_one_warning():
    evaluation = evaluate(random_pool(), {HAN: "sc:x", "_y": "sc:y"}, [1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plot_curves(evaluation).figure.canvas.draw()
    assert [str(warning.message) for warning in caught] == [
        f"figure: no installed font has 1 letter of its names ({HAN}), which are drawn as boxes. Install a font that "
        "has them, such as Noto Sans CJK."
    ]


def test_fonts_that_cannot_be_read_are_passed_over(fonts, tmp_path):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    for name in ("bad.ttf", "gone.ttf"):
        fonts.append(font_manager.FontEntry(fname=str(tmp_path / name), name=f"cjk {name}", weight="normal"))
    with pytest.warns(UserWarning, match="no installed font has 7 letters"):
        families(["".join(map(chr, range(0x6C34, 0x6C3B)))])
