"""Tests of cxr.datasets._sheets: what spreadsheets hold, and spreadsheets made to do harm."""

from __future__ import annotations

import io
import zipfile

import pytest

from cxr.datasets import _sheets

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><sheets>'
    '<sheet name="Sheet2" sheetId="2" r:id="rId7"/><sheet name="Sheet1" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>"
)
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Target="worksheets/other.xml"/>'
    '<Relationship Id="rId7" Target="worksheets/sheet1.xml"/></Relationships>'
)


def xlsx(rows="", texts="", **parts):
    """Return an .xlsx whose first sheet has these rows (XML) and whose shared texts are these."""
    files = {
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": RELATIONS,
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/worksheets/other.xml": f'<worksheet xmlns="{MAIN}"/>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
    } | parts
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in files.items():
            if text is not None:
                file.writestr(name, text)
    return whole.getvalue()


def inline(*texts):
    cells = "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
    return f"<row>{cells}</row>"


def read(content):
    return _sheets.read(content, where="a.xlsx")


def test_shared_rich_inline_number_and_formula_cells():
    rows = (
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t>N</t></is></c></row>'
        '<row r="2"><c r="A2" t="s"><v>2</v></c><c r="D2"><v>7</v></c></row>'
        '<row r="3"><c r="A3" t="inlineStr"/></row>'
        '<row r="9"><c r="B9" t="str"><f>HYPERLINK("x")</f><v>x</v></c><c r="C9"><v>3</v></c></row>'
    )
    texts = (
        "<si><t>FILE NAME</t></si><si><t> URL </t></si>"
        "<si><r><t>COVID</t></r><r><t>-1</t></r><rPh><t>sound</t></rPh></si>"
    )
    table = read(xlsx(rows, texts))
    assert list(table) == ["FILE NAME", "URL", "N"]
    assert table.to_dict("index") == {
        2: {"FILE NAME": "COVID-1", "URL": "", "N": "7"},
        9: {"FILE NAME": "", "URL": "x", "N": ""},
    }


def test_cells_without_names_follow_one_another_and_the_first_sheet_counts():
    table = read(xlsx(inline("a", "b") + inline("1", "2")))
    assert table.to_dict("index") == {2: {"a": "1", "b": "2"}}


def test_ten_thousand_rows_are_whole():
    rows = inline("FILE NAME", "URL") + "".join(inline(f"Normal-{i}", "u") for i in range(10_192))
    table = read(xlsx(rows))
    assert len(table) == 10_192
    assert table["FILE NAME"].iloc[-1] == "Normal-10191"
    assert table.index[-1] == 10_193


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    f'<sst xmlns="{MAIN}"><si><t>&b;</t></si></sst>'
)
OUTSIDE = f'<!DOCTYPE sst SYSTEM "file:///etc/passwd"><sst xmlns="{MAIN}"/>'


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "not a zip file"),
        (b"FILE NAME,URL\n", "not a zip file"),
        (xlsx(inline("a"))[:-30], "not a zip file"),
        (xlsx(**{"xl/workbook.xml": None}), "no item named 'xl/workbook.xml'"),
        (xlsx(**{"xl/worksheets/sheet1.xml": None}), "no item named 'xl/worksheets/sheet1.xml'"),
        (xlsx(**{"xl/_rels/workbook.xml.rels": "<a/>"}), "its first sheet is not there"),
        (xlsx(**{"xl/workbook.xml": "<a/>"}), "it has no sheet"),
        (xlsx("<row>"), "mismatched tag"),
        (xlsx('<row><c t="s"><v>3</v></c></row>'), "a cell refers to text 3 of 0"),
        (xlsx('<row><c t="s"><v>-1</v></c></row>'), "a cell refers to text -1 of 0"),
        (xlsx('<row><c r="7A"/></row>'), "a cell is named '7A'"),
        (xlsx('<row><c r="ZZZ1"/></row>'), "a cell stands in column ZZZ"),
        (xlsx('<row r="one"/>'), "invalid literal"),
        (xlsx(**{"xl/sharedStrings.xml": BOMB}), "declares a document type 'sst'"),
        (xlsx(**{"xl/sharedStrings.xml": BOMB.split("?>")[1].encode("utf-16")}),
         "declares a document type 'sst'"),
        (xlsx(**{"xl/sharedStrings.xml": OUTSIDE}), "declares a document type 'sst'"),
        (xlsx(**{"xl/worksheets/sheet1.xml": " " * (_sheets.LIMIT_BYTES + 1)}), "has more than"),
        (xlsx(**{"xl/worksheets/sheet1.xml": "<a>" * 65 + "</a>" * 65}), "or 64 in one another"),
        (xlsx(**{"xl/worksheets/sheet1.xml": "<a>" + "<b/>" * 1_000_000 + "</a>"}), "more than 1000000 elements"),
    ],
)  # fmt: skip
def test_what_is_no_spreadsheet_is_refused(content, fault):
    with pytest.raises(ValueError, match=r"a\.xlsx is no spreadsheet .*: save it anew") as caught:
        read(content)
    assert fault in str(caught.value)


def test_empty_sheet_and_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"a\.xlsx is empty"):
        read(xlsx(inline(" ")))
    with pytest.raises(ValueError, match=r"a\.xlsx has two columns 'URL': rename or remove"):
        read(xlsx(inline("URL", "URL ")))
