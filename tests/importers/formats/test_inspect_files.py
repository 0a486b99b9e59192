"""Logs of Inspect that are damaged, hostile or large."""

import json
import tracemalloc
import zipfile

import pytest

from mssim import PoolWarning
from mssim.importers.formats import inspect_files
from mssim.importers.formats.inspect import from_inspect
from mssim.importers.formats.inspect_files import is_log, open_log
from mssim.importers.safe_files import Source
from tests.importers.formats.test_inspect import (
    ANIMALS,
    answers_of,
    archived,
    chosen,
    chosen_log,
    either,
    eval_log,
    header,
    json_log,
    kinds,
    logged,
    refused,
    sample,
)

DEEP = b"[" * 100_000 + b"]" * 100_000


FAULTS = {
    "cut off": (b'[{"id": "q"', "not a log"),
    "not JSON": (b"hello", "unexpected content for a log"),
    "not UTF-8": (b'["\xe9\xff"]', "not a log"),
    "an object": (b"{}", "member summaries.json has unexpected content for a log"),
    "other objects": (b'[{"a": 1}]', "not a log .*EvalSampleSummary id Field required"),
    "no objects": (b"[1]", "not a log .*EvalSampleSummary"),
    "deep": (b'[{"id": "q", "metadata": {"a": ' + DEEP + b"}}]", "not a log .*nested more than"),
    "huge integer": (b'[{"id": 1' + b"0" * 5000 + b"}]", "not a log .*overflow"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_archives_with_damaged_members_are_refused(tmp_path, fault):
    content, says = FAULTS[fault]
    refused(archived(tmp_path / "log.eval", {"header.json": header(), "summaries.json": content}), says)


@pytest.mark.parametrize("fault", FAULTS)
def test_damaged_json_logs_are_refused(tmp_path, fault):
    path = tmp_path / "log.json"
    path.write_bytes(json.dumps(header()).encode()[:-1] + b', "samples": ' + FAULTS[fault][0] + b"}")
    says = {"an object": "The files contain no samples", "other objects": "EvalSample id Field required"}
    refused(path, says.get(fault, "not a log|not valid JSON|expected an object"))
    path.write_bytes(FAULTS[fault][0])
    refused(path, "not a log|nested more than 100 levels deep")


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e999"])
def test_numbers_that_are_none_do_not_hurt(tmp_path, value):
    """inspect_ai writes NaN where nothing was measured."""
    text = json.dumps(header() | {"results": {"metadata": {"a": "?"}}, "samples": [sample(metadata={"a": "?"})]})
    path = tmp_path / "log.json"
    path.write_bytes(text.encode().replace(b'"?"', value))
    if value == b"1e999":
        refused(path, "not (a log|valid JSON).*overflow")
    else:
        assert answers_of(from_inspect(path)) == (["4"], [True])
    path.write_bytes(json.dumps(header() | {"samples": [sample(total_time="?")]}).encode().replace(b'"?"', value))
    refused(path, "not (a log|valid JSON).*overflow" if value == b"1e999" else "latency is (nan|-inf)")


def test_a_large_json_log_with_nan_is_to_be_converted(tmp_path, monkeypatch):
    path = json_log(tmp_path / "log.json", [sample(), sample(epoch=2, value=float("nan"))])
    monkeypatch.setattr(inspect_files, "_MOST", 100)
    refused(path, "contains NaN or Infinity.*: inspect log convert --to eval --output-dir FOLDER log.json")


def test_a_large_json_log_without_nan_is_streamed(tmp_path, monkeypatch):
    path = json_log(tmp_path / "log.json", [sample()])
    monkeypatch.setattr(inspect_files, "_MOST", 100)
    assert answers_of(from_inspect(path)) == (["4"], [True])


@pytest.mark.parametrize("size", [30, 200, -1, -100])
def test_archives_that_are_cut_off_are_refused(tmp_path, size):
    path = eval_log(tmp_path / "log.eval", [sample()], whole=[logged(sample())])
    path.write_bytes(path.read_bytes()[:size])
    refused(path, "not a log of Inspect AI, or is damaged .*(zip|Truncated|central)")


def test_members_that_are_damaged_are_noticed(tmp_path):
    path = eval_log(tmp_path / "log.eval", [sample(), sample("5", "I", epoch=2)], compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b'"answer": "5"', b'"answer": "6"'))
    refused(path, "not a log of Inspect AI, or is damaged .Bad CRC-32 for file 'summaries.json'")


@pytest.mark.parametrize("name", ["/etc/cron.d/x", "../../x", "samples/../../x_epoch_1.json"])
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name):
    members = {"header.json": header(), "summaries.json": [sample()], name: {}}
    refused(archived(tmp_path / "log.eval", members), "contains a member '.*' whose path leaves the archive")


@pytest.mark.parametrize("members", [{}, {"summaries.json": []}, {"junk/a.zip": b"PK"}])
def test_archives_of_others_are_refused(tmp_path, members):
    refused(archived(tmp_path / "log.eval", {"a": 1, **members}), "has neither header.json nor _journal/start.json")


def test_a_log_without_samples_is_refused(tmp_path):
    refused(archived(tmp_path / "log.eval", {"header.json": header()}), "The files contain no samples")
    refused(json_log(tmp_path / "log.json", None), "The files contain no samples")


def test_members_that_are_packed_as_no_log_is_are_not_unpacked(tmp_path):
    path = archived(
        tmp_path / "log.eval",
        {"header.json": header(), "summaries.json": b"[" + b"{}," * 3_000_000 + b"{}]"},
    )
    assert path.stat().st_size < 100_000
    refused(path, "member summaries.json has 8 MB, compressed to .* compression ratio of 100")


@pytest.mark.parametrize("name", ["summaries.json", "header.json"])
def test_members_that_claim_much_are_not_unpacked(tmp_path, name):
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(eval_log(path, [sample()]), "a") as archive:
        archive.writestr("more", "x")
        archive.getinfo(name).file_size = 2**31
    refused(path, "2048 MB(, compressed to 0 KB| of summaries). (The limits are|At most) 512 MB")


def test_many_members_that_are_much_together_are_not_unpacked(tmp_path, monkeypatch):
    journal = {f"_journal/summaries/{n}.json": [sample(epoch=n)] for n in range(1, 9)}
    path = archived(tmp_path / "log.eval", {"header.json": header(), **journal})
    assert from_inspect(path).lengths.tolist() == [[8]]
    monkeypatch.setattr(inspect_files, "_MOST", 1000)
    refused(path, "has 0 MB of summaries. At most 0 MB")


def test_a_bomb_that_claims_little_is_not_unpacked_either(tmp_path):
    path = tmp_path / "log.eval"
    members = {"header.json": header(), "summaries.json": b"[" + b" " * 50_000_000 + b"]"}
    with zipfile.ZipFile(archived(path, members), "a") as archive:
        archive.writestr("more", "x")
        archive.getinfo("summaries.json").file_size = 100
    from_inspect(eval_log(tmp_path / "other.eval", [sample()]))  # what else takes memory is there already
    tracemalloc.start()
    refused(path, "not a log of Inspect AI, or is damaged")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@kinds
def test_half_a_surrogate_pair_becomes_a_mark(tmp_path, kind):
    half = "\ud800"
    told = sample(half, name=half, scorer="m" + half, input=half, target=half, choices=[half], metadata={"topic": half})
    failed = sample(epoch=2, name=half, scores=None, **{n: told[n] for n in ("input", "target", "choices", "metadata")})
    path = either(kind, tmp_path, [told, failed], header(model="a" + half, task=half))
    with pytest.warns(PoolWarning, match="1 not scored"):
        pool = from_inspect(path)
    model = (
        "a" + {"eval": "\N{REPLACEMENT CHARACTER}", "json": "?"}[kind]
    )  # the one is parsed whole, the other streamed
    assert (pool.question_ids, pool.models, answers_of(pool, model)) == (["?"], (model,), (["?"], [True]))


# Recognition and choices ----------------------------------------------------------------------------------------------


@kinds
def test_logs_are_recognized(tmp_path, kind):
    path = either(kind, tmp_path, [logged(sample())])
    assert is_log(Source(path))
    with zipfile.ZipFile(archived(tmp_path / "start.eval", {"_journal/start.json": {}})) as archive:
        archive.extractall(tmp_path)
    assert is_log(Source(tmp_path / "start.eval"))
    for name in ("header.json", "summaries.json"):
        (tmp_path / name).write_text("[]")
    assert is_log(Source(tmp_path / "summaries.json"))


def test_a_long_header_is_recognized_by_its_start(tmp_path):
    head = header(sample_ids=[f"question {number}" for number in range(10_000)])
    assert is_log(Source(json_log(tmp_path / "log.json", [], head)))


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        b"{}",
        b"[1]",
        b"\xff",
        DEEP,
        b'{"eval": 1}',
        b'{"a": {"eval": {"task": 1, "created": 1}}}',
        b'{"x":',
    ],
)
def test_other_files_are_not(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    assert not is_log(Source(path))
    assert not is_log(Source(archived(tmp_path / "other.zip", {"other.json": {}})))


def test_choices_after_a_transcript_are_not_searched_for(tmp_path):
    """They are read from the first fields of a sample, of which those that are not texts are not choices."""
    path = chosen_log("eval", tmp_path, [chosen(ANIMALS, "B", "B")], "a", old=True)
    first = {"id": "q", "epoch": 1, "nested": {"choices": ["x"]}, "target": "B"}
    for members, choices in (
        ({"choices": ANIMALS, "messages": []}, ANIMALS),
        ({"messages": [], "choices": ANIMALS}, None),
        ({"choices": [1]}, None),
        ({"choices": "ABC"}, None),
        ({"target": "B"}, None),
    ):
        with zipfile.ZipFile(path) as archive:
            summaries = json.loads(archive.read("summaries.json"))
        archived(
            path, {"header.json": header(), "summaries.json": summaries, "samples/q_epoch_1.json": first | members}
        )
        with open_log(Source(path)) as log:
            assert log.choices(log.summaries[0]) == choices
