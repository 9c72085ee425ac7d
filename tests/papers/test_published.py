from pathlib import Path

import pytest

from posetables.errors import InputError
from posetables.papers import published
from posetables.papers.published import Published

HCRN = Path(__file__).parents[2] / "params" / "papers" / "hcrn" / "published.csv"
HEADER = "item,row,column,printed,kind,dataset,split,metric,source,flag"
LINE = "hcrn_table1,HG,Head,97.5,own,LSP,test,PCK@0.2 PC,,"
Cells = dict[tuple[str, str, str], Published]
# The head and the first line of HCRN's Table I.
TABLE_1 = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Avg", "Time in secs."]
HG_HCRN = ["97.6", "88.0", "82.0", "76.1", "88.5", "85.4", "82.6", "85.7", "0.202"]


@pytest.fixture(scope="module")
def hcrn() -> Cells:
    return {(number.item, number.row, number.column): number for number in published.read(HCRN)}


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
