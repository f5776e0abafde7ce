"""VOC's XML: entity bombs, external entities, depth, encodings, spoiled bytes."""

from pathlib import Path

import pytest
from endurance import endures, hostile, spoiled
from hypothesis import given
from hypothesis import strategies as st

from wsss_cli.data.voc import object_names

READER = "XML annotations"
GOOD = (
    b"<annotation><filename>a.jpg</filename><object><name>dog</name><bndbox><xmin>1</xmin></bndbox>"
    b"</object><object><name>cat</name></object></annotation>"
)
BOMB = b"""<!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">
]><annotation><object><name>&e;</name></object></annotation>"""
REMOTE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<annotation><object><name>&x;</name></object></annotation>"""


def _read(tmp_path: Path, content: bytes) -> list[str] | None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    return endures(READER, lambda: object_names(path))


def test_good_one_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD) == ["dog", "cat"]


@pytest.mark.parametrize("content", [BOMB, REMOTE, b"", b"\0", b"<a>" * 5, b"&#0;"])
def test_bombs_and_foreign_entities_are_refused(tmp_path: Path, content: bytes) -> None:
    assert _read(tmp_path, content) is None


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" * 200_000 + b"</a>" * 200_000,
        b"<a><object><name>" + b"x" * 10_000_000 + b"</name></object></a>",
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        b'<?xml version="1.0" encoding="idna"?><a/>',
        b'<?xml version="1.0" encoding="rot13"?><a/>',
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
        GOOD.decode().encode("utf-16"),
    ],
)
def test_depth_length_and_encodings_are_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@hostile
@given(content=st.binary(max_size=200) | spoiled(GOOD) | spoiled(BOMB) | spoiled(REMOTE))
def test_spoiled_annotation_is_endured(tmp_path: Path, content: bytes) -> None:
    _read(tmp_path, content)


@hostile
@given(
    encoding=st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
    | st.sampled_from(("hex", "base64", "zip", "bz2", "punycode", "utf-32", "unicode_escape"))
)
def test_any_encoding_is_endured(tmp_path: Path, encoding: str) -> None:
    _read(tmp_path, f'<?xml version="1.0" encoding="{encoding}"?><a>x</a>'.encode())
