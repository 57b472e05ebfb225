"""Opening an Excel file that a stranger made, with suspicion, and writing one that carries no formula (S1).

Before the parser sees a file, its container is measured: every part is inflated once against a limit, whatever sizes
the container declares, and the sheet is scanned for formulas, merged cells and cells far outside. A file that fails is
`Refused` with one sentence in Chinese; nothing of it is used. Reading runs in a process of its own (`roster.child`,
`payments.reconcile.bank_child`).
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import openpyxl
import python_calamine
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

MAX_BYTES = 20 << 20
MAX_INFLATED = 200 << 20
MAX_PARTS = 2_000
MAX_ROWS = 50_000
MAX_COLUMNS = 100
_CHUNK = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"
_LOCAL_HEADER = 30
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*?\b(?:\w+:)?id=[\"']([^\"']+)[\"']")
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE = re.compile(rb"\b(Id|Target)=[\"']([^\"']+)[\"']")
_MARK = re.compile(
    rb"<(?:\w+:)?(?:"
    rb"c\b[^>]*?\br=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']"
    rb"|(f)\b"
    rb"|row\b[^>]*?\br=[\"']([0-9]{1,7})[\"']"
    rb"|mergeCell\b[^>]*?\bref=[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z0-9]+)[\"'])"
)
# Text that a spreadsheet would take for a formula is written with this in front, and read without it.
TEXT_MARK = "'"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Refused(Exception):
    """The file as a whole is not usable; the text is for people."""


@dataclass(slots=True)
class Sheet:
    """The first sheet: values row by row from A1, and the places that hold formulas or are merged."""

    values: list[list[Any]]
    formulas: list[tuple[int, int]] = field(default_factory=list)
    merged: list[tuple[int, str]] = field(default_factory=list)


def read(body: bytes) -> Sheet:
    """The first sheet of an .xlsx file; raises Refused."""
    if len(body) > MAX_BYTES:
        raise Refused("文件太大，最多 20 MB。")
    if body.startswith(_OLE):
        raise Refused("这是旧版 .xls 文件或加了密码的文件，请去掉密码并另存为 .xlsx 后再上传。")
    if not body.startswith(_ZIP):
        raise Refused("这不是 Excel 文件（.xlsx），请使用下载的模板填写后再上传。")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as container:
            parts = _checked_parts(container)
            sheet = _scan(body, parts)
        book = python_calamine.load_workbook(io.BytesIO(body))
        sheet.values = list(book.get_sheet_by_index(0).to_python(skip_empty_area=False))
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError) as error:
        raise Refused("文件已损坏，无法打开，请在 Excel 中重新保存后再上传。") from error
    except (python_calamine.CalamineError, python_calamine.XmlError, python_calamine.ZipError) as error:
        raise Refused("文件内容无法识别，请在 Excel 中重新保存后再上传。") from error
    return sheet


def _checked_parts(container: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The parts by name, once what the container declares is within the limits."""
    listed = container.infolist()
    if len(listed) > MAX_PARTS or sum(part.file_size for part in listed) > MAX_INFLATED:
        raise Refused("文件解压后太大，无法处理，请只保留需要导入的数据。")
    parts = {part.filename: part for part in listed}
    if len(parts) != len(listed) or any(part.flag_bits & 1 for part in listed):
        raise Refused("文件的内部结构异常，请在 Excel 中重新保存后再上传。")
    if "xl/workbook.xml" not in parts:
        raise Refused("这不是 Excel 文件（.xlsx），请使用下载的模板填写后再上传。")
    return parts


def _scan(body: bytes, parts: dict[str, zipfile.ZipInfo]) -> Sheet:
    """Inflate every part against the limit, looking at the first sheet on the way."""
    first = _first_sheet(body, parts)
    sheet, total = Sheet(values=[]), 0
    for name, part in parts.items():
        size, marks = 0, _Marks(sheet) if name == first else None
        for chunk in _inflated(body, part):
            if size == 0 and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise Refused("文件的编码不受支持，请在 Excel 中重新保存后再上传。")
            size += len(chunk)
            total += len(chunk)
            if total > MAX_INFLATED:
                raise Refused("文件解压后太大，无法处理，请只保留需要导入的数据。")
            if marks is not None:
                marks.feed(chunk)
        if size != part.file_size:
            raise Refused("文件的内部结构异常，请在 Excel 中重新保存后再上传。")
    return sheet


def _inflated(body: bytes, part: zipfile.ZipInfo) -> Iterator[bytes]:
    """The real content of a part, in chunks, whatever size it declares."""
    header = body[part.header_offset : part.header_offset + _LOCAL_HEADER]
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    start = part.header_offset + _LOCAL_HEADER + name_length + extra_length
    packed = body[start : start + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        yield packed
        return
    if part.compress_type != zipfile.ZIP_DEFLATED:
        raise Refused("文件的压缩方式不受支持，请在 Excel 中重新保存后再上传。")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while packed and not inflater.eof:
        chunk = inflater.decompress(packed, _CHUNK)
        packed = inflater.unconsumed_tail
        if chunk:
            yield chunk


def _first_sheet(body: bytes, parts: dict[str, zipfile.ZipInfo]) -> str:
    """The name of the part that holds the first sheet."""
    relations = parts.get("xl/_rels/workbook.xml.rels")
    found = _SHEET.search(_start(body, parts["xl/workbook.xml"]))
    if relations is not None and found is not None:
        for relation in _RELATION.finditer(_start(body, relations)):
            attributes = dict(_ATTRIBUTE.findall(relation.group()))
            if attributes.get(b"Id") == found[1]:
                target = attributes.get(b"Target", b"").decode("utf-8", "replace")
                name = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
                if name in parts:
                    return name
    raise Refused("文件里没有找到工作表，请使用下载的模板填写后再上传。")


def _start(body: bytes, part: zipfile.ZipInfo) -> bytes:
    return next(_inflated(body, part), b"")


class _Marks:
    """Finds cells, formulas and merged ranges in the text of a sheet that comes in chunks."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._rest = b""
        self._cell = (1, 1)

    def feed(self, chunk: bytes) -> None:
        text = self._rest + chunk
        end = text.rfind(b">") + 1
        self._rest = text[end:]
        if len(self._rest) > _CHUNK:
            raise Refused("文件的内部结构异常，请在 Excel 中重新保存后再上传。")
        for column, row, formula, row_alone, merged_column, merged_row, merged_to in _MARK.findall(text[:end]):
            if formula:
                self._sheet.formulas.append(self._cell)
            elif merged_row:
                self._sheet.merged.append(
                    (int(merged_row), f"{(merged_column + merged_row + b':' + merged_to).decode()}")
                )
            elif row_alone:
                self._see(int(row_alone), 1)
            else:
                self._see(int(row), _column_number(column))

    def _see(self, row: int, column: int) -> None:
        if row > MAX_ROWS + 1 or column > MAX_COLUMNS:
            raise Refused(f"表格最多 {MAX_ROWS} 行、{MAX_COLUMNS} 列；请删除多余的行列（包括只有格式的空行）后再上传。")
        self._cell = (row, column)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def text_cell(text: str) -> str:
    """`text` as it is written into a cell: never read as a formula, by this file or by one made from it."""
    return f"{TEXT_MARK}{text}" if text.startswith((*FORMULA_STARTS, TEXT_MARK)) else text


def write(title: str, headers: list[str], rows: list[list[str | int | None]], *, notes: list[str]) -> bytes:
    """A workbook of one sheet with a header row, and a second one with notes. Every text stays a text."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for number in range(len(headers)):
        sheet.column_dimensions[chr(ord("A") + number)].width = 16
    sheet.append([_bold(sheet, header) for header in headers])
    for row in rows:
        sheet.append([text_cell(value) if isinstance(value, str) else value for value in row])
    if notes:
        beside = book.create_sheet("填写说明")
        beside.column_dimensions["A"].width = 100
        for note in notes:
            beside.append([note])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _bold(sheet: Any, text: str) -> Any:
    cell = WriteOnlyCell(sheet, value=text)
    cell.font = Font(bold=True)
    return cell
