"""Writes the Parquet files of this folder with pyarrow 26 (python3 make.py), and
docs.jsonl: the rows as pyarrow reads them back. Everything in them is invented."""
import base64, datetime, decimal, itertools, json, math
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe

N = 40
none = lambda i, m, v: None if i % m == 0 else v
table = pa.table({
    "id": pa.array(range(N), pa.int64()),
    "phone": pa.array([none(i, 5, f"+1404555{100 + i:04d}") for i in range(N)]),
    "i32": pa.array([none(i, 7, i) for i in range(N)], pa.int32()),
    "u64": pa.array([i * 2**57 for i in range(N)], pa.uint64()),
    "f32": pa.array([i / 4 for i in range(N)], pa.float32()),
    "f64": pa.array([i / 8 for i in range(N)], pa.float64()),
    "flag": pa.array([none(i, 11, i % 3 == 0) for i in range(N)]),
    "dec": pa.array([decimal.Decimal(i) / 4 for i in range(N)], pa.decimal128(20, 2)),
    "bin": pa.array([bytes([i, 1, 0]) for i in range(N)], pa.binary()),
    "fixed": pa.array([bytes([65 + i % 26]) * 4 for i in range(N)], pa.binary(4)),
    "at": pa.array([datetime.datetime(2026, 11, 20, 1, 2, 3, i) for i in range(N)], pa.timestamp("us", "UTC")),
    "day": pa.array([datetime.date(2026, 1, 1) + datetime.timedelta(i) for i in range(N)]),
    "user": pa.array([none(i, 6, {"mail": f"u{i % 9}@example.com", "in": {"n": none(i, 4, i)}}) for i in range(N)]),
    "lists": pa.array([none(i, 9, [[f"s{k}" for k in range(j)] for j in range(i % 3)]) for i in range(N)]),
    "event_params": pa.array([[{"key": f"k{j}", "value": {"string_value": none(j, 2, f"v{i}"), "int_value": j}} for j in range(i % 3)] for i in range(N)]),
    "attrs": pa.array([none(i, 8, [(f"k{j}", none(j, 2, f"v{i}")) for j in range(i % 4)]) for i in range(N)], pa.map_(pa.string(), pa.string())),
    "groups": pa.array([[(f"k{j}", [i, j]) for j in range(i % 3)] for i in range(N)], pa.map_(pa.string(), pa.list_(pa.int64()))),
})

for codec, version in itertools.product(["none", "snappy", "gzip", "zstd", "brotli", "lz4"], ["1.0", "2.0"]):
    pq.write_table(table, f"{codec}-v{version[0]}.parquet", compression=codec, data_page_version=version, use_dictionary=version == "1.0",
                   row_group_size=15, data_page_size=64, write_page_index=True, write_page_checksum=version == "2.0")
pq.write_table(table, "encodings.parquet", use_dictionary=False, data_page_size=128, data_page_version="2.0", column_encoding={
    "id": "DELTA_BINARY_PACKED", "i32": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED", "phone": "DELTA_BYTE_ARRAY", "bin": "DELTA_LENGTH_BYTE_ARRAY",
    "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT", "fixed": "BYTE_STREAM_SPLIT", "flag": "RLE"})
pq.write_table(pa.table({"at": table["at"], "id": table["id"]}), "int96.parquet", use_deprecated_int96_timestamps=True)


class Kms(pe.KmsClient):  # keys that guard nothing
    def __init__(self, config): super().__init__()
    def wrap_key(self, key, name): return base64.b64encode(key)
    def unwrap_key(self, wrapped, name): return base64.b64decode(wrapped)


for name, plain in [("encrypted-footer", False), ("encrypted-columns", True)]:
    config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["phone"]}, plaintext_footer=plain)
    properties = pe.CryptoFactory(Kms).file_encryption_properties(pe.KmsConnectionConfig(), config)
    with pq.ParquetWriter(f"{name}.parquet", table.select(["id", "phone"]).schema, encryption_properties=properties) as w:
        w.write_table(table.select(["id", "phone"]))

few = pa.table({"id": [1, 2], "note": ["a", "needle"], "tags": [["x"], []]}, schema=pa.schema([("id", pa.int64()), ("note", pa.string()), ("tags", pa.list_(pa.string()))]))
for name, tables in [("empty", [few[:0]]), ("empty-groups", [few[:0], few, few[:0]])]:
    with pq.ParquetWriter(f"{name}.parquet", few.schema) as w:
        for t in tables:
            w.write_table(t)
nulls = pa.table({"id": range(N), "phone": table["phone"], "note": pa.nulls(N), "sub": pa.array([{"a": None, "b": i} for i in range(N)], pa.struct([("a", pa.null()), ("b", pa.int32())])),
    "list": pa.array([[None] * (i % 3) for i in range(N)], pa.list_(pa.null()))})
pq.write_table(nulls, "nulls.parquet", row_group_size=15)
pq.write_table(pa.table({"needle": [1], "x": [{"needle": 2}]}), "named.parquet")


def show(v, t):
    if v is None: return None
    if pa.types.is_struct(t): return {f.name: show(v[f.name], f.type) for f in t}
    if pa.types.is_map(t): return [{"key": show(k, t.key_type), "value": show(x, t.item_type)} for k, x in v]
    if pa.types.is_list(t): return [show(x, t.value_type) for x in v]
    if isinstance(v, bytes): return base64.b64encode(v).decode()
    if isinstance(v, decimal.Decimal): return format(v, "f")
    if isinstance(v, datetime.datetime): return round((v - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) / datetime.timedelta(microseconds=1))
    if isinstance(v, datetime.date): return (v - datetime.date(1970, 1, 1)).days
    if isinstance(v, float) and v == math.floor(v): return int(v)
    return v


with open("docs.jsonl", "w") as f:
    for row in pq.read_table("encodings.parquet").to_pylist():
        f.write(json.dumps({x.name: show(row[x.name], x.type) for x in table.schema}, separators=(",", ":")) + "\n")
