"""A document as PDF: A4, our own letters, and tables that go on over the page."""

from pathlib import Path

from django.conf import settings
from django.utils.translation import get_language
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from shop.documents import Document

FONTS = Path(__file__).parent / "fonts"
#: Millimetres.
MARGIN, LINE, GAP = 20, 5.5, 8
#: Points.
SMALL, NORMAL, LARGE = 9, 10, 18
INK, SOFT = (28, 33, 30), (86, 94, 89)
#: Shares of the table's width: the SKU, the wide column, and each one with numbers.
FIRST, WIDE, NUMBER = 34, 56, 18
#: Millimetres: where a document's sums begin, and how wide their labels are.
SUMS_FROM, SUMS_WIDTH = 100, 60


class _Paper(FPDF):
    def __init__(self, document: Document) -> None:
        super().__init__(format="A4")
        self.document = document
        self.set_margin(MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN + GAP)
        self.add_font("Text", fname=FONTS / "DejaVuSans.ttf")
        self.add_font("Text", style="B", fname=FONTS / "DejaVuSans-Bold.ttf")
        self.set_title(document.title)
        self.set_author(document.seller[0] if document.seller else "")
        self.set_lang(get_language() or settings.LANGUAGE_CODE)
        # The same document is the same file.
        self.set_creation_date(document.issued_at)

    def footer(self) -> None:
        self.set_y(-MARGIN)
        self.set_font("Text", size=SMALL)
        self.set_text_color(SOFT)
        self.cell(0, LINE, f"{self.document.title} · {self.page_no()} / {{nb}}", align="C")


def draw(document: Document) -> bytes:
    """The file's bytes. Letters beyond Latin, Greek and Cyrillic are empty boxes."""
    paper = _Paper(document)
    paper.add_page()
    _draw_head(paper, document)
    _draw_table(paper, document)
    _draw_sums(paper, document)
    for note in document.notes:
        paper.ln(GAP)
        _text(paper, note)
    return bytes(paper.output())


def _draw_head(paper: FPDF, document: Document) -> None:
    name, *rest = document.seller or [""]
    _text(paper, name, size=NORMAL + 2, bold=True)
    _text(paper, " · ".join(rest), size=SMALL, soft=True)
    paper.ln(GAP)
    for line in document.recipient:
        _text(paper, line)
    paper.ln(GAP)
    _text(paper, document.title, size=LARGE, bold=True, height=LINE * 2)
    for label, value in document.facts:
        _text(paper, f"{label}: {value}", size=SMALL, soft=True)
    paper.ln(GAP)


def _draw_table(paper: FPDF, document: Document) -> None:
    numbers = len(document.columns) - 2
    paper.set_font("Text", size=SMALL)
    paper.set_text_color(INK)
    with paper.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        col_widths=(FIRST, WIDE, *[NUMBER] * numbers),
        headings_style=FontFace(emphasis="BOLD"),
        line_height=LINE,
        padding=1,
        text_align=("LEFT", "LEFT", *["RIGHT"] * numbers),
    ) as table:
        table.row(document.columns)
        for row in document.rows:
            table.row(row)


def _draw_sums(paper: FPDF, document: Document) -> None:
    paper.ln(GAP / 2)
    for label, amount in document.sums:
        _sum(paper, label, amount)
    if document.total is not None:
        _sum(paper, *document.total, bold=True)
    for label, amount in document.included:
        _sum(paper, label, amount, size=SMALL, soft=True)


def _sum(
    paper: FPDF,
    label: str,
    amount: str,
    *,
    size: float = NORMAL,
    bold: bool = False,
    soft: bool = False,
) -> None:
    paper.set_font("Text", style="B" if bold else "", size=size)
    paper.set_text_color(SOFT if soft else INK)
    paper.set_x(SUMS_FROM)
    paper.cell(SUMS_WIDTH, LINE + 1, label)
    paper.cell(0, LINE + 1, amount, align="R", new_x="LMARGIN", new_y="NEXT")


def _text(
    paper: FPDF,
    text: str,
    *,
    size: float = NORMAL,
    bold: bool = False,
    soft: bool = False,
    height: float = LINE,
) -> None:
    paper.set_font("Text", style="B" if bold else "", size=size)
    paper.set_text_color(SOFT if soft else INK)
    paper.multi_cell(0, height, text, new_x="LMARGIN", new_y="NEXT")
