"""Texts that wait on disk."""

import pyarrow as pa

from mssim.importers.spool import Spool


def test_texts_come_back_to_their_rows(tmp_path):
    spool = Spool(tmp_path)
    parts = [pa.table({"n": [1, 2], "text": ["a", None]}), pa.table({"n": [3]}), pa.table({"n": [4], "text": ["d"]})]
    kept = [spool.put(part, {"text": part["text"]} if "text" in part.column_names else {}) for part in parts]
    assert [part.column_names for part in kept] == [["n"]] * 3
    whole = pa.concat_tables(kept).append_column("more", pa.array("wxyz"))
    pieces = list(spool.pieces(whole))
    assert [piece.to_pydict() for piece in pieces] == [
        {"n": [1, 2], "more": ["w", "x"], "text": ["a", None]},
        {"n": [3], "more": ["y"]},
        {"n": [4], "more": ["z"], "text": ["d"]},
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_table_without_texts_is_one_piece(tmp_path):
    spool = Spool(tmp_path)
    tables = [spool.put(pa.table({"n": [i]}), {}) for i in range(3)]
    assert [piece.num_rows for piece in spool.pieces(pa.concat_tables(tables))] == [3]
