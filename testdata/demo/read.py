"""Reads all Parquet of a demo with DuckDB and with pyarrow, which share no code
with expunge, and compares what each of them sees, and the .jsonl beside it.

Usage: read.py demo/out
"""
import json
import pathlib
import sys

import duckdb
import pyarrow.parquet as pq


def main(out):
    files = sorted(out.rglob("*.parquet"))
    if not any(f.parent.name == "data" for f in files):
        sys.exit(f"{out} holds no bundles: run make demo first")
    rows = 0
    for file in files:
        table = pq.read_table(file)
        relation = duckdb.sql(f"select * from read_parquet('{file}')")
        names = [d[0] for d in relation.description]
        if names != table.column_names:
            sys.exit(f"{file}: columns {names} in DuckDB, {table.column_names} in pyarrow")
        n = len(relation.fetchall())
        if n != table.num_rows:
            sys.exit(f"{file}: {n} rows in DuckDB, {table.num_rows} in pyarrow")
        lines = file.with_suffix(".jsonl")
        if lines.exists():
            portable = [json.loads(line) for line in lines.open(encoding="utf-8")]
            at = [(r["_object"], r.get("_record")) for r in portable]
            if at != list(zip(table["_object"].to_pylist(), table["_record"].to_pylist())):
                sys.exit(f"{lines}: other records than {file.name}")
        rows += n
    print(f"{len(files)} Parquet files, {rows} rows: DuckDB and pyarrow agree")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
