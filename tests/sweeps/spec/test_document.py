"""What YAML may and may not do in a sweep file."""

from __future__ import annotations

import math

import pytest

from qhn.core.errors import SpecError
from qhn.sweeps.spec.document import MAX_BYTES, read_document
from qhn.sweeps.spec.mistakes import InvalidSpecError


def refusal(text):
    with pytest.raises(InvalidSpecError) as caught:
        read_document(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("010", 10),
        ("+7", 7),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("yes", "yes"),
        ("off", "off"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1e-3x", "1e-3x"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("=", "="),
    ],
)
def test_scalars_follow_yaml_1_2(text, value):
    found = read_document(f"a: {text}", "f").content["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number_here_and_refused_later():
    assert math.isnan(read_document("a: .nan", "f").content["a"])


def test_each_value_knows_its_line():
    document = read_document("a: 1\nb:\n  - x\n  - c: 2\n    d: [3,\n      4]\n", "f")
    assert document.content == {"a": 1, "b": ["x", {"c": 2, "d": [3, 4]}]}
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d", 1)) == 6
    assert document.line(("b", 1, "missing")) == 4


def test_keys_given_twice_are_all_reported():
    document = read_document("a: 1\nb: {c: 1, c: 2}\na: 3\n", "f")
    assert [str(mistake) for mistake in document.mistakes] == [
        "line 2: b.c: given twice (first on line 2), keep one",
        "line 3: a: given twice (first on line 1), keep one",
    ]


def test_a_byte_order_mark_is_ignored():
    assert read_document(b"\xef\xbb\xbfa: 1", "f").content == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2\nb: 3", "line 2: not valid YAML at column 2:"),
        ("a: b: c", "line 1: not valid YAML at column 5: mapping values are not allowed here"),
        ("a:\n\tb: 1", "line 2: not valid YAML at column 1:"),
        ("a: 'x", "line 1: not valid YAML at column 6:"),
        ("a: 1\n---\nb: 2", "line 2: a sweep file holds one document"),
        ("x: 1\na: &b 1", "line 2: a: anchor &b: anchors are not allowed"),
        ("a: *b", "line 1: a: alias *b: aliases are not allowed"),
        ("&k a: 1", "line 1: a: anchor &k: anchors are not allowed"),
        ("a: !!python/object:os.system {}", "line 1: a: tag !!python/object:os.system: tags are"),
        ("a: !!python/object/apply:os.system ['x']", "tags are not allowed"),
        ("a: !!str 3", "line 1: a: tag !!str: tags are not allowed"),
        ("a: !mine 3", "line 1: a: tag !mine: tags are not allowed"),
        ("? [1]\n: 2", "line 1: a key must be a word"),
        ("a: \x00", "line 1: character U+0000 is not allowed"),
        (b"a: 1\nb: \xff\xfe", "line 2: the file must be UTF-8 text"),
        (bytes(range(256)), "the file must be UTF-8 text"),
        ("a: " + "9" * 5000, "line 1: a: a number of 5000 characters"),
        ('a: 1\nb: "\\UFFFFFFFF"', "line 2: not valid YAML at column 7: a character's code or"),
        ('a: "\\U00110000"', "line 1: not valid YAML at column 7: a character's code or"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1", "a character's code or YAML's version is out of"),
        ("#" * (MAX_BYTES + 1), "a sweep file has at most 1 MiB"),
    ],
)
def test_everything_else_is_refused_in_one_line(text, line):
    message = refusal(text)
    assert message.startswith("f.yaml has 1 mistake:\n")
    assert line in message
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 100_000])
def test_deep_nesting_ends_early(text):
    assert "nested deeper than 20 levels" in refusal(text)


def test_json_with_every_kind_of_escape_is_read():
    text = '{"a": "\\u00e9\\n\\t\\"", "b": [1.5e3, null, true]}'
    assert read_document(text, "f").content == {"a": 'é\n\t"', "b": [1500.0, None, True]}


def test_a_bomb_of_aliases_never_grows():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert "anchors are not allowed" in refusal("\n".join(lines))


def test_mistakes_before_the_one_that_ends_reading_are_kept():
    message = refusal("a: 1\na: 2\nb: &x 3")
    assert "f.yaml has 2 mistakes" in message
    assert "given twice" in message
    assert "anchor" in message


def test_a_key_that_is_no_text_is_told_with_the_other_mistakes():
    document = read_document('a: 1\n"\\uD800": [1, {b: 2}]\nc: 3\na: 4\n', "f")
    assert document.content == {"a": 4, "c": 3}
    assert [str(mistake) for mistake in document.mistakes] == [
        r"line 2: \ud800: half of a surrogate pair is no character; mend the key",
        "line 4: a: given twice (first on line 1), keep one",
    ]


def test_the_error_is_a_spec_error():
    assert issubclass(InvalidSpecError, SpecError)
