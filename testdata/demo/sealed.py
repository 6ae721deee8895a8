"""Lets expunge write a sealed bundle of an invented lake and reads its Parquet where
it lies with DuckDB and with pyarrow, which share no code with expunge, and the key
that `release --key` prints. Both must see what `release` hands over in clear. DuckDB (2.0.1)
opens no nested column of an encrypted file, whoever wrote it: of DuckDB only flat
columns are asked, and whether it has learned it is printed.

Usage: sealed.py bin/expunge
"""
import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

CONFIG = """
version: 1
name: sealed
work: {url: work}
stores: {lake: {url: lake}}
accounts: {acme: {}}
datasets:
  - name: calls
    at: "lake/calls/account={account}/*"
    category: commercial
    fields: {phone: {kind: phone, category: identifiers}}
"""


def lake(folder, rows):
    folder.mkdir(parents=True)
    with open(folder / "calls.jsonl", "w", encoding="utf-8") as f:
        for i in range(rows):
            record = {"phone": "+1 404 555 0123" if i % 3 else "+1 404 555 0199", "n": i, "x": i / 7, "ok": i % 2 == 0,
                      "text": f"{i} " * (i % 900), "legs": [{"to": f"s{j}", "secs": j} for j in range(i % 4)]}
            if i % 5 == 0:
                record["note"] = None if i % 10 else f"note {i}"
            f.write(json.dumps(record) + "\n")


class Key(pe.KmsClient):
    """Gives the key whatever a file calls it, as a KMS of one's own would."""

    def __init__(self, key):
        super().__init__()
        self.key = key

    def wrap_key(self, key_bytes, master_key_identifier):
        raise NotImplementedError("nothing is written")

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return self.key


def by_duckdb(file, columns, key=""):
    how = ""
    if key:
        duckdb.sql(f"pragma add_parquet_key('bundle', '{key}')")
        how = ", encryption_config = {footer_key: 'bundle'}"
    return duckdb.sql(f"select {columns} from read_parquet('{file}'{how})").fetchall()


def by_pyarrow(file, key):
    factory = pe.CryptoFactory(lambda _: Key(base64.b64decode(key)))
    return pq.read_table(file, decryption_properties=factory.file_decryption_properties(pe.KmsConnectionConfig()))


def refused(read, what):
    try:
        read()
    except Exception:  # each reader has its own
        return
    sys.exit(f"{what} reads a sealed file without its key")


def main(binary):
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        lake(home / "lake/calls/account=acme", 30000)
        (home / "expunge.yaml").write_text(CONFIG)
        env = dict(os.environ, EXPUNGE_KEY=base64.b64encode(os.urandom(32)).decode(), EXPUNGE_SIGNING_KEY=base64.b64encode(os.urandom(32)).decode())

        def expunge(*args):
            done = subprocess.run([binary, *args], cwd=home, env=env, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"expunge {args[0]}: {done.stderr}")
            return done.stdout

        expunge("submit", "--account", "acme", "--request-id", "R-1", "--right", "access", "--phone", "404 555 0123",
                "--received", "2026-11-20", "--level", "reasonably_high")
        expunge("run")
        expunge("release", "acme/R-1", "--to", "out", "--by", "jo")
        key = expunge("release", "acme/R-1", "--key", "--by", "jo").strip()
        rows = groups = 0
        for file in ["data/calls.parquet", "categories.parquet"]:
            sealed, clear = home / "work/bundles/acme/R-1" / file, home / "out" / file
            refused(lambda: by_duckdb(sealed, "*"), "DuckDB")
            refused(lambda: pq.read_table(sealed), "pyarrow")
            refused(lambda: by_pyarrow(sealed, base64.b64encode(bytes(32)).decode()), "pyarrow with another key")
            want = pq.read_table(clear)
            flat = ", ".join(f'"{c.name}"' for c in want.schema if not pa.types.is_nested(c.type))
            if by_duckdb(clear, flat) != by_duckdb(sealed, flat, key):
                sys.exit(f"{file}: DuckDB sees other rows in the sealed file")
            try:
                nested = "and its nested ones" if by_duckdb(clear, "*") == by_duckdb(sealed, "*", key) else sys.exit(f"{file}: other nested values in DuckDB")
            except duckdb.InvalidInputException:
                nested = "not its nested ones"
            if not want.equals(by_pyarrow(sealed, key)):
                sys.exit(f"{file}: pyarrow sees other rows in the sealed file")
            direct = pe.create_decryption_properties(footer_key=base64.b64decode(key)) if hasattr(pe, "create_decryption_properties") else None
            if direct and not want.equals(pq.read_table(sealed, decryption_properties=direct)):
                sys.exit(f"{file}: pyarrow sees other rows with the key given directly")
            rows += want.num_rows
            groups += pq.ParquetFile(clear).num_row_groups
        if rows < 20000:
            sys.exit(f"only {rows} rows")
        print(f"sealed Parquet, {rows} rows in {groups} row groups: pyarrow reads it with the key, DuckDB its flat columns, {nested}; neither without")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
