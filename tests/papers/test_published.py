import re
from collections import Counter
from pathlib import Path

import pytest

from posetables.errors import InputError
from posetables.papers import published
from posetables.papers.published import Published

PAPERS = Path(__file__).parents[2] / "params" / "papers"
HCRN = PAPERS / "hcrn" / "published.csv"
HEADER = "item,row,column,printed,kind,dataset,split,metric,source,flag"
LINE = "hcrn_table1,HG,Head,97.5,own,LSP,test,PCK@0.2 PC,,"
Cells = dict[tuple[str, str, str], Published]
# The head and the first line of HCRN's Table I.
TABLE_1 = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Avg", "Time in secs."]
HG_HCRN = ["97.6", "88.0", "82.0", "76.1", "88.5", "85.4", "82.6", "85.7", "0.202"]
# Counted on the pages: item -> numbers that are the paper's own, and that it quotes.
PRINTED = {
    "hcrn_table1": (117, 0),
    "hcrn_table2": (2, 0),
    "hcrn_table3": (4, 0),
    "hcrn_table4": (8, 32),
    "hcrn_table5": (24, 56),
    "hcrn_table6": (7, 28),
    "hcrn_table7": (21, 42),
    "hcrn_table8": (8, 12),
    "hcrn_table9": (8, 88),
    "hcrn_table10": (6, 2),
    "hcrn_sec4.1": (2, 0),
    "mca_table1": (8, 104),
    "mca_table2": (8, 48),
    "mca_sec7.1": (3, 0),
    "mca_fig8": (5, 0),
    "mssa_table1": (2, 6),
    "mssa_table2": (9, 90),
    "mssa_sec4.3": (8, 0),
    "phr_table5": (48, 0),
    "phr_table6": (16, 80),
    "phr_table7": (16, 72),
    "gpcnn_table1": (9, 0),
    "gpcnn_table2": (10, 0),
    "gpcnn_table3": (42, 42),
    "gpcnn_table4": (6, 5),
    "gpcnn_table5": (18, 122),
    "gpcnn_sec4.2": (2, 0),
    "gpcnn_sec4.3": (8, 0),
    "gpcnn_sec4.4": (0, 1),
    "gpcnn_sec4.5": (1, 0),
}
# What the audit found wrong, contradicted, disputed, open or damaged about numbers (not: about data sets or drawings).
FINDINGS = {
    "A2", "A4", "A5", "A6", "A8", "A9", "A11",
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B11", "B12", "B13",
    "C1", "C2", "C4", "C5", "C6", "C9", "C10", "C11", "C12", "C13", "C16", "C17", "C19", "C21", "C23",
    "D1", "D2", "D3", "F", "G",
}  # fmt: skip


@pytest.fixture(scope="module")
def hcrn() -> Cells:
    return {(number.item, number.row, number.column): number for number in published.read(HCRN)}


@pytest.fixture(scope="module")
def numbers() -> tuple[Published, ...]:
    """Of all five papers."""
    return tuple(number for path in sorted(PAPERS.glob("*/published.csv")) for number in published.read(path))


def test_every_item_has_the_own_and_the_cited_numbers_that_it_prints(numbers: tuple[Published, ...]) -> None:
    count = Counter((number.item, number.kind) for number in numbers)
    items = dict.fromkeys(number.item for number in numbers)
    assert {item: (count[item, "own"], count[item, "cited"]) for item in items} == PRINTED


@pytest.mark.parametrize(
    ("item", "row", "digits"),
    [
        ("mca_table1", "Ours", "98.5 96.3 91.9 88.1 90.6 88.0 85.0 91.5"),
        ("mssa_table2", "Our method", "98.5 96.8 92.7 88.4 90.6 89.3 86.3 92.1 63.8"),
        ("phr_table6", "Hu & Ramanan., CVPR'16 [39]", "95.0 91.6 83.0 76.6 81.9 74.25 69.5 82.4"),
        ("gpcnn_table4", "PoseFix / R50 / 256x192", "72.1 88.5 78.3 68.6 78.2"),
        ("gpcnn_table5", "Graph-PCNN / HR48 / 384x288", "76.8 92.6 84.3 73.3 82.7 81.6"),
        ("gpcnn_sec4.2", "person detector / test-dev", "60.9"),
    ],
)
def test_row_of_another_paper_reads_as_printed(
    numbers: tuple[Published, ...], item: str, row: str, digits: str
) -> None:
    assert [number.printed for number in numbers if (number.item, number.row) == (item, row)] == digits.split()


def test_flags_name_a_finding_each_and_no_finding_is_left_out(numbers: tuple[Published, ...]) -> None:
    flags = {flag for number in numbers if number.flag for flag in number.flag.split("; ")}
    named = {flag: re.fullmatch(r"audit ([A-G]\d*): \S.*", flag) for flag in flags}
    assert [flag for flag, match in named.items() if match is None] == []
    assert {match[1] for match in named.values() if match} == FINDINGS


def test_tables_of_hcrn_are_complete(hcrn: Cells) -> None:
    # Rows and columns of Tables I to X as printed.
    shapes = [(13, 9), (2, 1), (4, 1), (5, 8), (10, 8), (5, 7), (9, 7), (10, 2), (12, 8), (4, 2)]
    for table, shape in enumerate(shapes, start=1):
        cells = [(row, column) for item, row, column in hcrn if item == f"hcrn_table{table}"]
        assert tuple(len(set(names)) for names in zip(*cells, strict=True)) == shape, table
        assert len(cells) == shape[0] * shape[1], table
    assert len(hcrn) == sum(rows * columns for rows, columns in shapes) + 2  # two numbers of section IV-A's text


def test_row_of_table_1_reads_as_printed(hcrn: Cells) -> None:
    assert [hcrn["hcrn_table1", "HG-HCRN", column].printed for column in TABLE_1] == HG_HCRN


def test_averages_of_table_1_agree_with_their_columns(hcrn: Cells) -> None:
    rows = {row for item, row, _ in hcrn if item == "hcrn_table1"}
    for row in rows:
        *parts, average = (hcrn["hcrn_table1", row, column].value for column in TABLE_1[:8])
        # Seven parts and the average are each within .05 of what was rounded.
        assert average == pytest.approx(sum(parts) / 7, abs=0.1), row


def test_totals_of_pcp_that_disagree_with_their_parts_are_the_flagged_ones(hcrn: Cells) -> None:
    sticks = {"Torso": 1, "U.Leg": 2, "L.Leg": 2, "U.Arm": 2, "F.Arm": 2, "Head": 1}
    totals = [number for number in hcrn.values() if number.column == "Total"]
    wrong = {
        (total.item, total.row)
        for total in totals
        if abs(total.value - sum(n * hcrn[total.item, total.row, part].value for part, n in sticks.items()) / 10) > 0.1
    }
    assert wrong == {(total.item, total.row) for total in totals if total.flag}


def test_thousands_separator_is_not_a_decimal_point(hcrn: Cells) -> None:
    assert hcrn["hcrn_table2", "One Stage CPM", "ParamNum"].value == 6563712


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty or not UTF-8"),
        ("item,row\n", "header is 'item,row'; it must be"),
        (f"{HEADER}\nhcrn_table1,HG,Head\n", "record 2: 3 fields"),
        (f"{HEADER}\n{LINE}\n{LINE}\n", "record 3: 'hcrn_table1 / HG / Head' is there already"),
        (f"{HEADER}\n{LINE.replace('97.5', 'n/a')}\n", "record 2: printed is 'n/a'"),
        (f"{HEADER}\n{LINE.replace('97.5', 'nan')}\n", "record 2: printed is 'nan'"),
        (f"{HEADER}\n{LINE.replace('own', 'measured')}\n", "record 2: kind is 'measured'; write own or cited"),
        (f"{HEADER}\n{LINE.replace('own', 'cited')}\n", "record 2: source is empty"),
        (f"{HEADER}\n{LINE.replace('Head', ' ')}\n", "record 2: column is empty"),
        (f'{HEADER}\n"{LINE}\n', "not a CSV file"),
    ],
)
def test_bad_file_gets_one_line_naming_file_and_fault(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        published.read(path)
    message = str(error.value)
    assert str(path) in message and complaint in message and "\n" not in message


def test_missing_file_gets_one_line_naming_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: No such file"):
        published.read(tmp_path / "gone.csv")


def test_bytes_that_are_no_text_get_one_line(tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        published.read(path)
