"""Avro container files: every codec, every cut, and damage that ends at the next block."""

import io
import json
import random
import tempfile
import zlib
from pathlib import Path

import fastavro
import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.sources import Reading, read_batches
from dante.sources.avroschema import NotThereError, parse_schema, read_record, varint
from tests.sources.whole import joined

MARKER = bytes(range(200, 216))
FIELDS = {
    "time": "long",
    "src_ip": "long",
    "dst_ip": "long",
    "src_port": "int",
    "dst_port": "int",
    "protocol": "int",
    "packet_cnt": "long",
    "maxmind_country": "string",
}


def _schema(kinds=FIELDS):
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    return {"type": "record", "namespace": "org.caida.corsaro", "name": "flow", "fields": fields}


def _flow(number):
    chance = random.Random(number)
    return {
        "time": 1_740_823_200 + number // 100,
        "src_ip": chance.getrandbits(32),
        "dst_ip": 0x2C000000 | number,
        "src_port": chance.getrandbits(16),
        "dst_port": 23,
        "protocol": 6,
        "packet_cnt": 1 + number % 3,
        "maxmind_country": "IT",
    }


def _zigzag(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _header(schema, codec):
    meta = {b"avro.schema": json.dumps(schema).encode(), b"avro.codec": codec.encode()}
    texts = [_zigzag(len(t)) + t for pair in meta.items() for t in pair]
    return b"Obj\x01" + _zigzag(len(meta)) + b"".join(texts) + b"\0" + MARKER


def _deflate(data):
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


def _snappy(data):
    return pa.compress(data, "snappy", asbytes=True) + zlib.crc32(data).to_bytes(4, "big")


PACK = {
    "null": bytes,
    "deflate": _deflate,
    "snappy": _snappy,
    "zstandard": lambda data: zstandard.ZstdCompressor().compress(data),
    "zstandard stream": lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(
        data
    ),
}


def _records(flows, schema):
    out = io.BytesIO()
    for flow in flows:
        fastavro.schemaless_writer(out, schema, flow)
    return out.getvalue()


def _block(count, stored):
    return _zigzag(count) + _zigzag(len(stored)) + stored + MARKER


def _file(sizes, codec="null", schema=None, flow=_flow):
    """A container of blocks of so many flows, and where each block ends."""
    schema = schema or _schema()
    data = _header(schema, codec.split()[0])
    ends, number = [], 0
    for size in sizes:
        flows = [flow(number + i) for i in range(size)]
        data += _block(size, PACK[codec](_records(flows, schema)))
        number += size
        ends.append((len(data), number))
    return data, ends


def _read(path, data, rows_per_batch=1_000_000):
    path.write_bytes(data)
    reading = Reading(format="flowtuple")
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    assert all(0 < batch.rows <= rows_per_batch for batch in batches)
    return joined(batches)


def _sources(first, last):
    return [_flow(number)["src_ip"] for number in range(first, last)]


@pytest.mark.parametrize("codec", PACK)
def test_codecs(tmp_path, codec):
    """Blocks are read whatever they are packed with."""
    data, _ = _file([30, 1, 50], codec)
    back = _read(tmp_path / "flows", data)
    assert back.refused.is_empty()
    assert back.packets["src"].to_list() == _sources(0, 81)


@pytest.mark.parametrize("codec", ["null", "deflate", "bzip2", "xz"])
def test_files_of_fastavro(tmp_path, codec):
    """What fastavro writes is read."""
    out = io.BytesIO()
    flows = [_flow(number) for number in range(500)]
    fastavro.writer(out, _schema(), flows, codec=codec, sync_interval=2000)
    back = _read(tmp_path / "flows", out.getvalue())
    assert back.refused.is_empty()
    assert back.packets["src"].to_list() == _sources(0, 500)


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard"])
def test_cut_at_every_byte(tmp_path, codec):
    """A file cut anywhere keeps every whole block, and the cut is one refused row."""
    data, ends = _file([4, 3, 5], codec)
    first = len(_header(_schema(), codec))
    for cut in range(len(data)):
        try:
            back = _read(tmp_path / "flows", data[:cut])
        except SourceError:
            assert cut < ends[0][0]
            continue
        whole = max((count for end, count in ends if end <= cut), default=0)
        assert back.packets["src"].to_list() == _sources(0, back.packets.height)
        assert back.packets.height >= whole
        at_edge = cut in (first, *(end for end, _ in ends))
        assert back.refused["row"].to_list() == ([] if at_edge else [back.packets.height + 1])


def test_cut_inside_a_block(tmp_path):
    """Of a block that is cut, packed or not, the records in front of the cut are kept."""
    data, ends = _file([5, 400])
    offset = ends[0][0]
    back = _read(tmp_path / "flows", data[: offset + 1000])
    assert 5 + 20 < back.packets.height < 405
    assert back.packets["src"].to_list() == _sources(0, back.packets.height)
    assert f"the Avro block at byte {offset:,} is damaged" in back.refused["reason"][0]
    data, ends = _file([5, 400], "deflate")
    back = _read(tmp_path / "flows", data[: ends[0][0] + 2000])
    assert back.packets.height > 5 + 50
    assert back.packets["src"].to_list() == _sources(0, back.packets.height)


def test_reading_goes_on_behind_the_next_marker(tmp_path):
    """A block whose counts or length are lies costs at most itself."""
    for lie in (_zigzag(1 << 62) * 2, _zigzag(-5) * 2, b"\xff" * 12, _zigzag(9) + _zigzag(1 << 20)):
        data, ends = _file([4, 3, 5])
        start = ends[0][0]
        size = len(_zigzag(3) + _zigzag(len(_records([_flow(i) for i in range(4, 7)], _schema()))))
        back = _read(tmp_path / "flows", data[:start] + lie + data[start + size :])
        found = back.packets["src"].to_list()
        assert found[:4] == _sources(0, 4)
        assert found[-5:] == _sources(7, 12)
        assert back.refused.height == 1
        assert f"block at byte {start:,}" in back.refused["reason"][0]


def test_wrong_length_keeps_the_records(tmp_path):
    """Where only the length of a block is wrong, its records are found by the marker."""
    flows = _records([_flow(i) for i in range(3)], _schema())
    data = _header(_schema(), "null") + _zigzag(3) + _zigzag(len(flows) - 7) + flows + MARKER
    back = _read(tmp_path / "flows", data + _block(1, _records([_flow(3)], _schema())))
    assert back.packets["src"].to_list() == _sources(0, 4)
    assert "its length is wrong" in back.refused["reason"][0]


def test_damaged_marker(tmp_path):
    """A block with a broken marker keeps its records, and so does the next."""
    data, ends = _file([4, 3, 5], "deflate")
    wrong = bytearray(data)
    wrong[ends[1][0] - 3] ^= 0xFF
    back = _read(tmp_path / "flows", bytes(wrong))
    assert back.packets["src"].to_list() == _sources(0, 12)
    assert back.refused["row"].to_list() == [8]
    assert "its marker is wrong" in back.refused["reason"][0]


def test_wrong_count(tmp_path):
    """A block that says it has more or fewer records than it has gives those it has."""
    flows = _records([_flow(i) for i in range(3)], _schema())
    for count in (2, 4, 0):
        back = _read(tmp_path / "flows", _header(_schema(), "null") + _block(count, flows))
        assert back.packets["src"].to_list() == _sources(0, 3)
        assert f"said to hold {count} records, and 3 were found" in back.refused["reason"][0]


def test_snappy_checksum(tmp_path):
    """A snappy block with a wrong checksum is said to be damaged."""
    data, _ = _file([4], "snappy")
    wrong = bytearray(data)
    wrong[-17] ^= 1
    assert "its checksum is wrong" in _read(tmp_path / "flows", bytes(wrong)).refused["reason"][0]


@pytest.mark.parametrize("codec", ["deflate", "zstandard", "snappy"])
def test_bombs(tmp_path, codec):
    """A block that comes to a hundred times its size is passed over, with the limit stated."""
    good = _block(1, PACK[codec](_records([_flow(0)], _schema())))
    size = 300 << 20 if codec != "snappy" else 1 << 27
    stored = _zigzag(size // 2) if codec == "snappy" else PACK[codec](bytes(size))
    back = _read(tmp_path / "flows", _header(_schema(), codec) + good + _block(9, stored) + good)
    assert back.packets["src"].to_list() == _sources(0, 1) * 2
    assert back.refused["row"].to_list() == [2]
    assert "it holds more than" in back.refused["reason"][0]


def test_long_blocks(tmp_path):
    """A block of megabytes, with fields that may be null, is read as many small ones are."""
    kinds = {n: ["null", k] for n, k in FIELDS.items()}
    kinds["note"] = [{"type": "array", "items": "int"}, "null"]
    few = [_flow(number) | {"note": None} for number in range(1000)]
    for schema in (_schema(), _schema({n: k for n, k in kinds.items() if n != "note"})):
        data = _records(few, schema) * 100
        file = _header(schema, "null") + _block(100_000, data)
        back = _read(tmp_path / "flows", file, rows_per_batch=30_000)
        assert back.refused.is_empty()
        assert back.packets["src"].to_list() == _sources(0, 1000) * 100
    at = len(file) - 16 - len(data) // 2
    torn = _read(tmp_path / "flows", file[:at] + b"\xff" * 20 + file[at + 20 :])
    assert 49_990 <= torn.packets.height <= 50_000
    assert torn.refused.height == 1


odd_kinds = st.sampled_from(
    [
        ("boolean", st.booleans()),
        ("double", st.floats(allow_nan=False)),
        ("float", st.just(0.5)),
        ("bytes", st.binary(max_size=200)),
        ("string", st.text(max_size=100)),
        ("null", st.none()),
        ({"type": "fixed", "name": "Six", "size": 6}, st.binary(min_size=6, max_size=6)),
        ({"type": "enum", "name": "Few", "symbols": ["A", "B"]}, st.sampled_from("AB")),
        ({"type": "map", "values": "long"}, st.dictionaries(st.text(max_size=3), st.just(-1))),
        ({"type": "array", "items": "int"}, st.lists(st.integers(-9, 1 << 30), max_size=70)),
        ({"type": "array", "items": "string"}, st.lists(st.text(max_size=3), max_size=3)),
        (["string", "null", "long"], st.none() | st.integers(-(2**63), 2**63 - 1) | st.just("é")),
        (["null", "string"], st.none() | st.text(max_size=3)),
        (["long", "null"], st.none() | st.integers(-(2**63), 2**63 - 1)),
        (
            {"type": "record", "name": "In", "fields": [{"name": "x", "type": "string"}]},
            st.fixed_dictionaries({"x": st.text(max_size=3)}),
        ),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_other_field(data):
    """Fields that are not read may be of any type and stand anywhere."""
    kind, values = data.draw(odd_kinds)
    names = data.draw(st.permutations([*FIELDS, "other"]))
    schema = _schema({name: FIELDS.get(name, kind) for name in names})
    flows = [_flow(i) | {"other": data.draw(values)} for i in range(data.draw(st.integers(1, 6)))]
    out = io.BytesIO()
    fastavro.writer(out, schema, flows, sync_interval=40)
    with tempfile.TemporaryDirectory() as folder:
        back = _read(Path(folder) / "flows", out.getvalue(), rows_per_batch=2)
    assert back.refused.is_empty()
    assert back.packets["src"].to_list() == _sources(0, len(flows))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_anywhere(data):
    """Flipped, cut out, put in or repeated bytes lose nothing in front of them."""
    codec = data.draw(st.sampled_from(["null", "deflate", "snappy", "zstandard"]))
    file, ends = _file([4, 9, 2, 5], codec)
    at = data.draw(st.integers(0, len(file) - 1))
    piece = data.draw(st.binary(max_size=30))
    gone = data.draw(st.integers(0, 60))
    file = file[:at] + piece + file[at + gone :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flows"
        try:
            back = _read(path, file)
        except SourceError:
            assert at < ends[0][0]
            return
        if at >= len(_header(_schema(), codec)):
            whole = max((count for end, count in ends if end <= at), default=0)
            assert back.packets["src"].head(whole).to_list() == _sources(0, whole)
        again = _read(path, file, rows_per_batch=3)
    assert_frame_equal(again.packets, back.packets)
    assert_frame_equal(again.refused, back.refused)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Obj\x01", "the Avro header is cut or damaged"),
        (b"Obj\x01\x02\xff\xff\xff\xff\x7f", "the Avro header is cut or damaged"),
        (b"ts,src\n", "not an Avro file"),
        (_header(_schema(), "lzma9"), "its blocks are packed with 'lzma9'; read are null, deflate"),
        (_header("long", "null"), "a file of long values, not of records"),
        (_header(_schema({"other": "Elsewhere"}), "null"), "an unknown type 'Elsewhere'"),
        (_header(_schema({"other": []}), "null"), "a union of nothing"),
        (_header(_schema({"x": {"type": "fixed", "name": "F", "size": -1}}), "null"), "size -1"),
        (_header({"type": "record", "name": "flow", "fields": [{}]}, "null"), "no name or no type"),
        (_header(_schema({"src_ip": "long"}), "null"), "which are no FlowTuples"),
        (_header(_schema(FIELDS | {"time": "string"}), "null"), "'time' is no whole number"),
        (_header(_schema(), "null") + b"\0" * 500, "not one record can be read"),
        (b"Obj\x01\x02\x16avro.schema\x02{\0" + MARKER, "its Avro schema cannot be used"),
    ],
)
def test_unreadable(tmp_path, data, message):
    """A file that cannot be read at all says so in one sentence that names it."""
    with pytest.raises(SourceError, match="flows: ") as caught:
        _read(tmp_path / "flows", data)
    assert message in str(caught.value)


def test_hostile_schemas():
    """Schemas nested or wide beyond reason, or within themselves, are refused."""
    deep: object = "long"
    for _ in range(40):
        deep = {"type": "array", "items": deep}
    wide = {f"f{i}": "long" for i in range(2000)}
    for kinds in ({"x": deep}, wide, {"x": "org.caida.corsaro.flow"}, {"x": ["long"] * 2000}):
        with pytest.raises(ValueError, match=r"deep|fields|unknown"):
            parse_schema(json.dumps(_schema(kinds)))
    with pytest.raises(ValueError, match=r"\w"):
        parse_schema("[" * 100_000)


def test_hostile_values():
    """Lengths and counts that the data cannot hold are seen before anything is made of them."""
    for kind, data in (
        ("string", _zigzag(1 << 60)),
        ("bytes", _zigzag(-1) + b"x"),
        ({"type": "array", "items": "null"}, _zigzag(1 << 60)),
        ({"type": "array", "items": "long"}, _zigzag(-(1 << 62)) + b"\0"),
        ({"type": "array", "items": "null"}, (_zigzag(30_000) + b"") * 30_001),
        ({"type": "map", "values": "null"}, _zigzag(1 << 60)),
        ("long", b"\xff" * 10 + b"\1"),
        ("long", b"\xff" * 9 + b"\x7f"),
        ("double", b"1234567"),
        ("boolean", b"\2"),
        (["null", "long"], _zigzag(2)),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, _zigzag(1)),
    ):
        _, record = parse_schema(json.dumps(_schema({"x": kind})))
        with pytest.raises(NotThereError, match="x: "):
            read_record(record, data, 0)


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers(number):
    """Every number of 64 bits is read back."""
    assert varint(b"?" + _zigzag(number), 1) == (number, 1 + len(_zigzag(number)))
