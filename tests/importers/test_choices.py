"""Letters of shuffled choices as texts of the choices: against a plain translation of every sample."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mssim import PoolError
from mssim.importers import choices as module
from mssim.importers.choices import Choices
from mssim.importers.sink import Sink


def read(folder, samples):
    """Questions, answers and sink of an import of samples: question, choices, truth, answer and, if any, place."""
    sink = Sink(folder)
    choices = Choices(sink)
    for question, names, truth, answer, *place in samples:
        order = choices.order(question, names, truth, *place)
        sink.add(question, "m", [{"answer": None if answer is None else order.answer(answer), "correct": False}])
    choices.close()
    sink.close()
    if contradicting := sink.conflicts.of(sink.questions):
        raise PoolError(sink.conflicts.message(contradicting, sink.tell_apart))
    return sink.questions, [a for path in sink.pieces for a in pq.read_table(path)["answer"].to_pylist()], sink


def test_letters_remain_where_the_order_is_the_same(tmp_path):
    names = ["cow", "crow"]
    questions, answers, sink = read(
        tmp_path, [("q", names, "B", "A"), ("q", list(names), "B", "b"), ("r", [], "7", "7")]
    )
    assert (answers, sink.shuffled, sink.remarks) == (["A", "b", "7"], 0, [])
    assert questions == {"q": {"truth": "B", "choices": names}, "r": {"truth": "7"}}


NAMES = ["cow", "crow", "cat", "the dog"]
ORDERS = st.permutations(NAMES) | st.just(NAMES)


@pytest.mark.slow
@given(st.data())
def test_shuffled_choices_are_translated_as_one_would_by_hand(tmp_path_factory, data):
    """Several letters are a set, in the order of the first sample. Letters of no choice and texts are kept."""
    right = data.draw(st.sets(st.sampled_from(NAMES), min_size=1))
    samples, chosen = [], []
    for names in data.draw(st.lists(ORDERS, min_size=1, max_size=6)):
        letters = data.draw(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=3, unique=True))
        glue = data.draw(st.sampled_from([",", ", ", "", " and "]))
        other = data.draw(st.sampled_from([None, None, None, "E", "none", "cow", ""]))
        truth = ["ABCD"[names.index(name)] for name in NAMES if name in right]
        samples.append(("q", names, sorted(truth), glue.join(letters) if other is None else other))
        chosen.append({names["ABCD".index(letter)] for letter in letters} if other is None else other)
    questions, answers, sink = read(tmp_path_factory.mktemp("pieces"), samples)
    first = samples[0][1]
    assert questions["q"]["choices"] == first
    if all(names == first for _, names, _, _ in samples):
        assert (answers, sink.shuffled) == ([answer for *_, answer in samples], 0)
        assert questions["q"]["truth"] == " | ".join(samples[0][2])
        return
    assert answers == [one if isinstance(one, str) else " | ".join(sorted(one, key=first.index)) for one in chosen]
    assert questions["q"]["truth"] == " | ".join(sorted(right, key=first.index))
    assert sink.shuffled == 1


COW, CROW = ["cow", "crow"], ["crow", "cow"]


@pytest.mark.parametrize(
    ("samples", "truth", "answers"),
    [
        # Only the order of the choices differs: the letter of the truth is that of the other sample.
        ([(["cow", "crow", "dog"], "B", "A"), (["dog", "crow", "cow"], "B", "A")], "crow", ["cow", "dog"]),
        # Other distractors.
        ([(COW, "B", "A"), (["crow", "dog"], "A", "B"), (COW, "B", "B")], "crow", ["cow", "dog", "crow"]),
        # The truth is a text, or once letters and once their text.
        ([(COW, "crow", "A"), (CROW, "crow", "A")], "crow", ["cow", "crow"]),
        ([(COW, "B", "A"), (COW, "crow", "A")], "crow", ["cow", "cow"]),
        ([(COW, None, "A"), (CROW, None, "A")], None, ["cow", "crow"]),
        ([(COW, None, "A"), (CROW, "A", "A")], "crow", ["cow", "crow"]),
        ([(None, "crow", "crow"), (CROW, "A", "B")], "crow", ["crow", "cow"]),
        # A letter before its text, and before another one.
        ([(COW, "B", "A) cow"), (CROW, "A", "(B) cow"), (CROW, "A", "A. cow")], "crow", ["cow", "cow", "A. cow"]),
        # White space and spelling of the same letters.
        ([(["a  cow", "crow"], "B", "A"), (["crow", "a cow "], "A", "B")], "crow", ["a cow", "a cow"]),
        ([(COW, "A,B", "B,A"), (COW, "AB", "A")], "cow | crow", ["cow | crow", "cow"]),
        # Choices that are letters, in a format that writes letters; a bar in choices of which one is chosen.
        ([(["B", "A"], "B", "A"), (["A", "B"], "A", "A")], "A", ["B", "A"]),
        ([(["x|y", "z"], "A", "B"), (["z", "x|y"], "B", "B")], "x|y", ["z", "x|y"]),
        # Wrong choices with one text are one answer.
        ([(["cow", "cow", "crow"], "C", "B"), (["crow", "cow", "cow"], "A", "C")], "crow", ["cow", "cow"]),
    ],
)  # fmt: skip
def test_what_differs_is_translated(tmp_path, samples, truth, answers):
    questions, found, sink = read(tmp_path, [("q", *one) for one in samples])
    reordered = len({tuple(one[0]) for one in samples if one[0]}) > 1
    assert (questions["q"].get("truth"), found, sink.shuffled) == (truth, answers, reordered)
    assert questions["q"]["choices"] == next(names for names, *_ in samples if names)
    says = "choices of 1 question were shuffled" if reordered else "truths of 1 question are written in several ways"
    assert sink.remarks[0].startswith(f"the {says}")


def test_a_rule_reads_letters_of_choices_in_one_order(tmp_path):
    """Their texts can be letters too: c is the first choice, C the third."""
    sink = Sink(tmp_path)
    sink.graded = True
    choices = Choices(sink)
    for truth in ("(A)", "the answer is: (A)"):
        choices.order("q", ["c", "d", "a"], truth)
    choices.close()
    assert (sink.questions["q"]["truth"], sink.shuffled, sink.remarks) == ("(A)", 0, [])


def test_choices_that_are_letters_are_texts_where_the_truth_is(tmp_path):
    """Nothing is translated, so a rule can grade the texts."""
    groups = ["A", "B", "AB", "O"]
    samples = [
        ("q", groups, "O", "B"),
        ("q", groups[::-1], "O", "B"),
        ("r", groups, "AB", "A"),
        ("r", groups[::-1], "AB", "A"),
    ]
    samples += [("s", groups, None, "B"), ("s", groups[::-1], None, "B")]
    questions, answers, sink = read(tmp_path, samples)
    assert (answers, sink.shuffled, sink.remarks) == (["B", "B", "A", "A", "B", "B"], 0, [])
    assert [questions[name].get("truth") for name in "qrs"] == ["O", "AB", None]


def test_choices_after_the_26th_have_numbers(tmp_path):
    names = [f"animal {number}" for number in range(30)]
    samples = [("q", names, "A", "2"), ("q", names[::-1], "4", "2")]
    assert read(tmp_path, samples)[1] == ["animal 27", "animal 2"]


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (
            [("q", COW, "B", "A"), ("q", CROW, "B", "A")],
            "question 'q' has two truths, 'crow' and 'cow'",
        ),
        ([("q", COW, "B", "A"), ("q", COW, "A", "A")], "two truths, 'B' and 'A'"),
        ([("q", None, "YES", "YES"), ("q", None, "NO", "NO")], "two truths, 'YES' and 'NO'"),
        ([("q", None, "J", "A"), ("q", None, "I", "A")], "as if its choices were shuffled"),  # at most ten are usual
        ([("q", None, "K", "A"), ("q", None, "J", "A")], "two truths, 'K' and 'J'"),
        ([("q", COW, "B", "A"), ("q", COW, "dog", "A")], "two truths, 'B' and 'dog'"),
        (
            [("q", None, "B", "A", "a.json"), ("q", None, "C", "A", "b.json")],
            r"a.json: the truth of question 'q' is 'B' in one sample and 'C' in another, as if its choices "
            "were shuffled, but letters of samples of question 'q' are without the choices that they name. Exp",
        ),
        ([("q", COW, "B", "A", "a"), ("q", None, "A", "A", "b")], "^b: the truth of question 'q' is 'B'"),
        (
            [("q", COW, "B", "A"), ("q", CROW, "A", "A"), ("q", None, "B", "A", "b")],
            "^b: the choices of question 'q' were shuffled, but letters of samples of question 'q' are",
        ),
        (
            [("q", COW, "B", "A"), ("q", CROW, "A", "A"), ("r", None, "B", "A", "a"), ("r", None, "B", "A", "b")],
            "^a: the choices of question 'q' were shuffled, but letters of samples of question 'r' are",
        ),
        (
            [("q", None, "crow", "A"), ("q", CROW, "A", "B"), ("q", COW, "B", "B")],
            "^the files: the choices of question 'q' were shuffled, but letters of samples of question 'q' are without",
        ),
        (
            [("q", ["cow", "cow", "crow"], "A", "A"), ("q", ["crow", "cow", "cow"], "B", "A")],
            "'q': its choices were shuffled, .* one of them is wrong but has the text of the correct one, 'cow'",
        ),
        ([("q", ["cow", " "], "A", "A"), ("q", ["", "cow"], "B", "A")], "were shuffled.* one of them has no text"),
        ([("q", ["x|y", "z"], "A,B", "A"), ("q", ["z", "x|y"], "AB", "A")], r"were shuffled.* contains '\\|'"),
    ],
)  # fmt: skip
def test_what_cannot_be_translated_is_refused(tmp_path, samples, says):
    with pytest.raises(PoolError, match=says) as caught:
        read(tmp_path, samples)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("question", ["r", "q"])
def test_letters_without_choices_are_kept_where_nothing_is_shuffled(tmp_path, question):
    samples = [("q", COW, "B", "A", "a"), (question, None, "B", "B", "b"), (question, None, "B", "C", "c")]
    questions, answers, sink = read(tmp_path, samples)
    assert (questions["q"]["truth"], answers, sink.shuffled) == ("B", ["A", "B", "C"], 0)


def test_a_question_that_one_file_has_alone_needs_no_choices(tmp_path):
    samples = [("q", COW, "B", "A"), ("q", CROW, "A", "A"), ("r", None, "B", "A", "a")] * 2
    assert read(tmp_path, samples)[1] == ["cow", "crow", "A"] * 2


def test_files_of_samples_are_translated_in_pieces(tmp_path, monkeypatch):
    """Only answers of shuffled questions change, in tables of any types; tables without answers are kept."""
    monkeypatch.setattr(module, "_ROWS", 2)
    sink = Sink(tmp_path)
    choices = Choices(sink)
    names = ["cow", "crow"]
    orders = [choices.order(*given) for given in (("q", names, "A"), ("q", names[::-1], "B"), ("r", names, "A"))]
    answers = [orders[i].answer(answer) for i, answer in enumerate("BBB")]
    table = pa.table(
        {"question_id": ["q", "q", "r", "q"], "model": ["m"] * 4, "answer": [*answers, None], "x": [1, 2, 3, 4]}
    )
    sink.add_table(table.set_column(2, "answer", table["answer"].dictionary_encode()))
    sink.add_table(table.drop_columns("answer"))
    choices.close()
    one, other = map(pq.read_table, sink.pieces)
    assert one.to_pydict() == {**table.to_pydict(), "answer": ["crow", "cow", "B", None]}
    assert one.schema.field("answer").type == pa.string()
    assert other.equals(table.drop_columns("answer"))
    assert sorted(tmp_path.iterdir()) == sorted(sink.pieces)


def test_a_long_table_is_read_as_row_by_row(tmp_path):
    names = ["cow", "crow", "dog"]
    rows = [("q", names, "B", "A"), ("r", names, "A", "A"), ("q", names[::-1], "B", "A"), ("q", names, "B", None)]
    rows += [("q", ["dog", "cow", "crow"], "C", "C"), ("s", None, "7", "7")]
    columns = dict(zip(("question_id", "choices", "truth", "answer"), map(list, zip(*rows, strict=True)), strict=True))
    table = pa.table(columns | {"model": ["m"] * 6})
    found = []
    for number, drop in enumerate([[], ["answer"], ["choices", "truth"]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        sink = Sink(folder)
        choices = Choices(sink)
        sink.add_table(choices.table(table.drop_columns(drop), "a.csv"))
        choices.close()
        found.append((pq.read_table(sink.pieces[0]).to_pydict(), sink.questions["q"]))
    rest = {"question_id": columns["question_id"], "model": ["m"] * 6}
    told = {"truth": "crow", "choices": names}
    assert found == [
        (rest | {"answer": ["cow", "A", "dog", None, "crow", "7"]}, told),
        (rest, told),
        (rest | {"answer": columns["answer"]}, {}),
    ]
    with pytest.raises(PoolError, match=r"^a.csv: the truth of question 'q' is 'B' in one sample and 'C' in another"):
        Choices(Sink(tmp_path)).table(table.drop_columns("choices"), "a.csv")


def test_answers_that_look_translated_are_harmless(tmp_path):
    samples = [("q", COW, "B", "\0A"), ("q", CROW, "A", "A"), ("r", None, "7", "\0A")]
    assert read(tmp_path, samples)[1] == ["A", "crow", "\0A"]
