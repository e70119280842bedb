"""Tables that are broken, say what can't be, or are merely unusual; most in a set of the reader `table`."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cxr.datasets import chestxray14, covid_chestxray, covid_radiography, darkcovidnet, table
from tests.bad_inputs import Bad
from tests.bad_inputs.pictures import chest, stored, write

FILE = "labels.csv"
HEADER = "path,label,patient,view,age_years,sex,split"
ROWS = [
    f"images/{i}.png,{('pneumonia', 'no finding')[i % 2]},p{i},PA,{40 + i},F,train"
    for i in range(6)
]


def good(root: Path) -> None:
    """Write six images; their table is missing."""
    for i in range(6):
        write(root / f"images/{i}.png", stored(chest(i)))


def text(*rows: str, header: str = HEADER, end: str = "\n") -> bytes:
    """Return the good table with more rows behind it."""
    return end.join([header, *ROWS, *rows, ""]).encode()


def row(**cells: str) -> Callable[[], bytes]:
    """Return the good table with cells of its third row (line 4) changed."""
    names = HEADER.split(",")
    changed = dict(zip(names, ROWS[2].split(","), strict=True)) | cells
    lines = [*ROWS[:2], ",".join(changed[name] for name in names), *ROWS[3:]]
    return lambda: "\n".join([HEADER, *lines, ""]).encode()


def _table(
    name: str, words: str, content: Callable[[], bytes], *, file: str = FILE, **more: Any
) -> Bad:
    def make(root: Path) -> None:
        good(root)
        write(root / file, content())

    bad: dict[str, Any] = {
        "name": name,
        "dataset": "table",
        "make": make,
        "file": file,
        "words": words,
    }
    return Bad(**(bad | {"fate": "refused"} | more))


def _legal(
    name: str,
    content: Callable[[], bytes],
    *,
    gaps: int = 0,
    image: str = "images/2.png",
    **values: Any,
) -> Bad:
    return _table(name, "", content, fate="legal", gaps=gaps) if not values else Bad(
        name=name, dataset="table", make=_table(name, "", content).make, file=image, fate="legal",
        values=values, gaps=gaps,
    )  # fmt: skip


def _found(
    name: str,
    finding: str,
    content: Callable[[], bytes],
    *,
    file: str = "images/2.png",
    gaps: int = 0,
) -> Bad:
    return Bad(name=name, dataset="table", make=_table(name, "", content).make, file=file,
               fate="found", words=finding, gaps=gaps)  # fmt: skip


def _wide(count: int) -> bytes:
    names = ",".join(f"label:x{i}" for i in range(count))
    return f"path,{names}\nimages/0.png{',1' * count}\n".encode()


SAVE = "save it as CSV with commas in UTF-8"
READ = [
    _table("UTF-16", f"is UTF-16: {SAVE}", lambda: text().decode().encode("utf-16")),
    _table("UTF-16 without a mark", f"row 1 holds a zero byte: {SAVE}", lambda: text().decode().encode("utf-16-le")),
    _table("Latin-1", rf"row 4 is not utf-8 .byte b'\\xfc'.: {SAVE}", lambda: row(patient="Müller")().decode().encode("latin-1")),
    _table("zero byte", f"row 4 holds a zero byte: {SAVE}", row(patient="p\0")),
    _table("semicolons", f"is separated by ';': {SAVE}", lambda: text().replace(b",", b";")),
    _table("tabs", rf"is separated by '\\t': {SAVE}", lambda: text().replace(b",", b"\t")),
    _table("spreadsheet named CSV", "zero byte.*save it as CSV", lambda: _workbook("<row/>")),
    _table("empty table", "is empty: expected a header", lambda: b""),
    _table("table of line ends", "is empty: expected a header", lambda: b"\r\n" * 9),
    _table("header only", "has a header and no row: put labels.csv", lambda: HEADER.encode()),
    _table("rows without a header", "lacks the column 'path'.*columns path and label", lambda: "\n".join(ROWS).encode()),
    _table("two columns of a name", "two columns 'label': rename or remove", lambda: text(header=HEADER.replace("patient", "label"))),
    _table("no column of labels", "neither label nor label:<name> columns .*put labels.csv", lambda: text(header=HEADER.replace("label", "class"))),
    _table("no column of paths", "lacks the column 'path'.*put labels.csv", lambda: text(header=HEADER.replace("path", "file"))),
    _table("both path and image", "has both 'path' and 'image': keep one", lambda: text(header=HEADER.replace("split", "image"))),
    _table("both forms of labels", "has both label and label:<name> columns.*put labels", lambda: text(header=HEADER.replace("split", "label:x"))),
    _table("labels that become one name", "give each label a name of its own", lambda: b"path,label:a b,label:a_b\nimages/0.png,1,0\n"),
    _table("row of too many cells", 'row 8: 8 cells, the header has 7.*Cure: put cells .* into "quotes"', lambda: text(ROWS[0] + ",more")),
    _table("row of too few cells", "row 8: 2 cells, the header has 7", lambda: text("images/9.png,pneumonia")),
    _table("quote that is never closed", "row 8 is no CSV .*close its quotes", lambda: text('images/9.png,"pneumonia,p9')),
    _table("fault behind a cell of several lines", "1 faulty row: row 10: sex 'X' is no sex.*Cure", lambda: text('images/5.png,"x\n\n",p9,PA,1,F,train', "images/9.png,x,p9,PA,1,X,train").replace(ROWS[5].encode() + b"\n", b"")),
    _table("cell of 200,000 letters", "row 4 is no CSV .field larger", row(patient="p" * 200_000)),
    _table("line of two megabytes", f"row 4 has more than 1048576 bytes: .*{SAVE}", row(patient="p" * 2**21)),
    _table("100,001 columns", f"row 1 has more than 1048576 bytes.*{SAVE}|columns, more than 1000: leave out", lambda: _wide(100_001)),
    _table("2,000 columns", "has 2001 columns, more than 1000: leave out", lambda: _wide(2000)),
    _table("two tables", "has 2 CSV files .a.csv, b.csv.: name the one", text, file="a.csv", make=lambda root: _two_tables(root)),
    _table("folder named as the table", "no labels.csv and no other CSV file: put labels.csv", text, make=lambda root: (good(root), (root / FILE).mkdir())),
    _table("truncated gzip of a table", "damaged .*download or make it again", lambda: gzip.compress(text())[:-9], file="labels.csv.gz"),
    _table("gzip of a table with rubbish behind it", "damaged .*download or make it again", lambda: gzip.compress(text()) + b"rubbish", file="labels.csv.gz"),
    _table("plain table named .gz", "damaged .*download or make it again", text, file="labels.csv.gz"),
]  # fmt: skip

SAID = [
    _table("path outside", r"row 4: path '\.\./images/2\.png' leaves the data set's folder.*Cure: correct", row(path="../images/2.png")),
    _table("absolute path", "row 4: path '/etc/passwd' is absolute: write it from", row(path="/etc/passwd")),
    _table("path of Windows", r"row 4: path 'C:\\\\x.png' is absolute: write it from", row(path="C:\\x.png")),
    _table("path with a backslash", "has a backslash: write /", row(path="images\\2.png")),
    _table("path of several lines", "row 4: path .* holds a line end", row(path='"images/\n2.png"')),
    _table("no path", "row 4: path '' names no file.*Cure", row(path="")),
    _table("image in two rows", "row 8: images/0.png stands in row 2 already.*Cure", lambda: text(ROWS[0])),
    _table("image in two rows, written otherwise", "row 8: images/0.png stands in row 2 already", lambda: text(ROWS[0].replace("images/", "./images//"))),
    _table("formula for a path", "row 4: path '=cmd.png' begins as a spreadsheet's formula.*rename", row(path="=cmd.png")),
    _table("formula for a patient", "row 4: patient '=1\\+1' begins as a spreadsheet's formula.*rename", row(patient="=1+1")),
    _table("formula for a label", "row 4: label '@SUM' begins as a spreadsheet's formula.*rename", row(label="@SUM")),
    _table("label without a letter", "row 4: label '!' has a name without a letter: write", row(label="!")),
    _table("no finding beside a finding", "row 4: label .* contradicts itself", row(label="no finding|pneumonia")),
    _table("half a label", r"row 2: label:x '0\.5' is no label: write 1, 0", lambda: b"path,label:x\nimages/0.png,0.5\n"),
    _table("age in words", "row 4: age_years 'old' is no number of years: write 63", row(age_years="old")),
    _table("endless age", "row 4: age_years 'inf' is no number", row(age_years="inf")),
    _table("unknown split", "row 4: split 'holdout' is no split: write train", row(split="holdout")),
    _table("unknown view", "row 4: view 'OBLIQUE' is no view: write PA", row(view="OBLIQUE")),
    _table("no row has a file", "of the 1 images .* not one is there, first 'x/1.png': put labels", lambda: b"path,label\nx/1.png,a\n", file=FILE, **{}),
    _table("no row has a label", "names no label in any row: put labels", lambda: "\n".join([HEADER, *(r.replace("pneumonia", "").replace("no finding", "") for r in ROWS)]).encode()),
]  # fmt: skip

NAN = math.nan
LEGAL = [
    _legal("byte order mark", lambda: b"\xef\xbb\xbf" + text(), patient="table:p2", age_years=42.0),
    _legal("line ends of Windows", lambda: text(end="\r\n"), given_split="train", sex="F"),
    _legal("line ends of old Macs", lambda: text(end="\r"), given_split="train", sex="F"),
    _legal("cell of several lines", lambda: text('images/2.png,pneumonia,"p\n2",PA,1,F,').replace(ROWS[2].encode() + b"\n", b""), patient="table:p\n2", given_split=""),
    _legal("label that is not known", row(label="NaN"), **{"label:pneumonia": NAN}),
    _legal("row of a file that is not there", lambda: text("images/9.png,pneumonia,p9,PA,1,F,train"), gaps=1, **{"label:pneumonia": 1.0}),
    _legal("row of a folder", lambda: text("images,pneumonia,p9,PA,1,F,train"), gaps=1, patient="table:p2"),
    _legal("file without a row", lambda: text().replace(ROWS[5].encode() + b"\n", b""), gaps=1, patient="table:p2"),
    _legal("empty rows and columns that a spreadsheet leaves", lambda: text(",,,,,,", "", ",").replace(b"\n", b",,\n"), view="PA"),
    _legal("patient that looks like a number", row(patient="007"), patient="table:007"),
    _legal("letters of other scripts", row(patient="\u05d3\u05e0\u05d4 \u202e\u0646"), patient="table:\u05d3\u05e0\u05d4 \u202e\u0646"),
]  # fmt: skip

FOUND = [
    _found("age of a man older than men become", "impossible_age", row(age_years="411")),
    _found("age below nothing", "impossible_age", row(age_years="-3")),
    _found("row without its file", "absent_file", lambda: text("images/9.png,pneumonia,p9,PA,1,F,train"), file="images/9.png", gaps=1),
    _found("image that no row names", "unlisted_file", lambda: text().replace(ROWS[5].encode() + b"\n", b""), file="images/5.png", gaps=1),
    _found("image without any label", "no_label", row(label="")),
    _found("patient in two parts", "patient_across_given_splits", row(patient="p1", split="test"), file=""),
    _found("patient in two classes", "patient_contradicting_labels", lambda: row(patient="p1")().replace(b"no finding", b"effusion"), file=""),
]  # fmt: skip


def _two_tables(root: Path) -> None:
    good(root)
    write(root / "a.csv", text())
    write(root / "b.csv", text())


def _set(
    name: str, reader: Any, file: str, words: str, change: Callable[[Path], object], **more: Any
) -> Bad:
    """Return the reader's own sample with something changed in it."""

    def make(root: Path) -> None:
        reader.sample(root)
        change(root)

    dataset = reader.__name__.rpartition(".")[2]
    return Bad(**({"name": name, "dataset": dataset, "make": make, "file": file, "fate": "refused", "words": words} | more))  # fmt: skip


def _replace(file: str, old: str, new: str, root: Path) -> None:
    content = (root / file).read_bytes()
    assert old.encode() in content
    (root / file).write_bytes(content.replace(old.encode(), new.encode(), 1))


def _copy(old: str, new: str, root: Path) -> None:
    write(root / new, (root / old).read_bytes())


def _remove(pattern: str, root: Path) -> None:
    for path in root.rglob(pattern):
        path.unlink()


def _workbook(sheet: str, head: str = "") -> bytes:
    """Return an .xlsx whose sheet holds this XML."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    link = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{link}"><sheets><sheet r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<R><Relationship Id="a" Target="s.xml"/></R>',
        "xl/s.xml": f'{head}<worksheet xmlns="{main}">{sheet}</worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


TOP = "COVID-19_Radiography_Dataset"
SHEET = f"{TOP}/COVID.metadata"


def _sheet(content: Callable[[], bytes], root: Path) -> None:
    _remove("COVID.metadata.csv", root)
    write(root / f"{SHEET}.xlsx", content())


LAUGHS = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
ENTRIES, LISTS, META = "Data_Entry_2017_v2020.csv", "train_val_list.txt", "metadata.csv"
SETS = [
    _set("finding that is none of the 14", chestxray14, ENTRIES, "row 3: Finding Labels 'Flu' is no list .*take the file", partial(_replace, ENTRIES, "Cardiomegaly|Effusion", "Flu")),
    _set("patient who is not the name's", chestxray14, ENTRIES, "row 2: 00000001_000.png has the Patient ID '9'", partial(_replace, ENTRIES, "Cardiomegaly,0,1,", "Cardiomegaly,0,9,")),
    _set("age without a number", chestxray14, ENTRIES, "row 2: Patient Age 'x' is no age", partial(_replace, ENTRIES, "0,1,40", "0,1,x")),
    _set("image in both official lists", chestxray14, "test_list.txt", "row 1: 00000003_000 stands in .*take the file", partial(_replace, LISTS, "00000001_000", "00000003_000")),
    _set("one official list without the other", chestxray14, "train_val_list.txt", "without test_list.txt: add it", partial(_remove, "test_list.txt")),
    _set("both releases of the table", chestxray14, "Data_Entry_2017.csv", "which one counts. Keep one", partial(_copy, ENTRIES, "Data_Entry_2017.csv")),
    _set("image in two archives", chestxray14, "images_002.tar.gz", "8 images twice, .*keep one copy", partial(_copy, "images_001.tar.gz", "images_002.tar.gz")),
    _set("file name in two rows", covid_chestxray, META, "row 4: filename 'a.png' stands in row 2 already.*correct", partial(_replace, META, ",b.png,", ",a.png,")),
    _set("file name outside", covid_chestxray, META, r"row 2: filename '\.\./a\.png' leaves", partial(_replace, META, ",a.png,", ",../a.png,")),
    _set("table without its files' names", covid_chestxray, META, "lacks the column filename: correct", partial(_replace, META, "filename", "file")),
    _set("table that is not all UTF-8", covid_chestxray, "images/a.png", "", lambda root: None, fate="legal", values={"label:covid_19": 1.0, "patient": "covid_chestxray:2"}),
    _set("truncated spreadsheet", covid_radiography, f"{SHEET}.xlsx", "no spreadsheet that can be read .*save it anew", partial(_sheet, lambda: _workbook("")[:-40])),
    _set("spreadsheet with a document type", covid_radiography, f"{SHEET}.xlsx", "declares a document type .*save it anew", partial(_sheet, lambda: _workbook("&b;", LAUGHS))),
    _set("spreadsheet of another class", covid_radiography, f"{SHEET}.xlsx", "is no name like COVID-1 of the class covid.*take the sheet", partial(_sheet, lambda: _workbook('<row><c t="inlineStr"><is><t>FILE NAME</t></is></c><c t="inlineStr"><is><t>URL</t></is></c></row><row><c t="inlineStr"><is><t>NORMAL-1</t></is></c></row>'))),
    _set("mask without a number", covid_radiography, "mask.png", "has no number that tells its X-ray.*Cure", partial(_copy, f"{TOP}/COVID/masks/COVID-1.png", f"{TOP}/COVID/masks/mask.png")),
    _set("image of another class", covid_radiography, "Normal/images/COVID-7.png", "has the name of another class.*Cure", partial(_copy, f"{TOP}/COVID/images/COVID-1.png", f"{TOP}/Normal/images/COVID-7.png")),
    _set("class folder that is not there", darkcovidnet, "Pneumonia", "no images in a folder Pneumonia .*clone", lambda root: [_remove("0000000[234]_00[01].png", root), _copy("X-Ray Image DataSet/No_findings/00000001_000.png", "X-Ray Image DataSet/No_findings/00000009_000.png", root)]),
    _set("set that is there twice", darkcovidnet, "No_findings/00000001_000.png", "twice .* keep one copy", partial(_copy, "X-Ray Image DataSet/No_findings/00000001_000.png", "copy/No_findings/00000001_000.png")),
]  # fmt: skip

HEAVY = [
    _table("gzip of a table that unpacks to half a gigabyte", "more than 134217728 bytes: no table is that large; leave", lambda: gzip.compress(text()) + gzip.compress(b"images/9.png,x,p,PA,1,F,train\n" * 2**17) * 128, file="labels.csv.gz", heavy=True),
    _table("table of four million rows", "has more than 1000000 rows or 5000000 cells: .*divide", lambda: b"path,label\n" + b"images/9.png,x\n" * 4_000_000, heavy=True, slow=True),
    _table("table of a million rows without a file", "of the 714000 images .*not one is there", lambda: b"path,label,patient,view,age_years,sex,split\n" + b"".join(b"x/%d.png,a,%d,PA,%d,F,\n" % (i, i, i % 90) for i in range(714_000)), heavy=True, slow=True),
    _set("spreadsheet that unpacks to gigabytes", covid_radiography, f"{SHEET}.xlsx", "more than 8388608 bytes unpacked.*save it anew", partial(_sheet, lambda: _workbook("<row>" + "<c/>" * 2**24 + "</row>")), heavy=True),
    _set("spreadsheet of a million elements in one another", covid_radiography, f"{SHEET}.xlsx", "more than .* 64 in one another.*save it anew", partial(_sheet, lambda: _workbook("<c>" * 10**6 + "</c>" * 10**6)), heavy=True),
]  # fmt: skip

ALL = [*READ, *SAID, *LEGAL, *FOUND, *SETS, *HEAVY]
assert table.FILE == FILE
