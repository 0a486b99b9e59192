"""Records whose samples are lists: what looks lost or joined is said."""

from mssim.importers.sample_lists import SampleLists


def noted(*records, numbered=False):
    """Return the notes on records of a question_id, the number of samples, and lengths of other lists."""
    lists = SampleLists()
    for number, (question_id, length, others) in enumerate(records, 1):
        lists.add({"question_id": question_id, "model": "m"}, length, others, f"line {number}")
    return lists.notes("a", numbered=numbered)


def test_questions_of_several_records():
    says = "a: 1 question has several records, such as 'q', whose samples are joined."
    assert noted(("q", 2, {}), ("r", 2, {}), ("q", 1, {})) == [
        f"{says} If they are different questions, number the records with names='question_id={{record}}'."
    ]
    assert noted(("q", 2, {}), ("q", 1, {}), numbered=True) == [says]
    lists = SampleLists()
    for index in (0, 1):
        lists.add({"question_id": "q", "model": "m", "sample_index": index}, 1, {}, "line")
        lists.add({"question_id": "r", "model": index}, 1, {}, "line")
    assert lists.notes("a", numbered=False) == []


def test_records_without_samples():
    says = "1 record holds no samples, such as line 2. Their questions may be missing from the pool."
    assert noted(("q", 2, {}), ("r", 0, {})) == [says]


def test_lists_that_are_longer_than_the_samples():
    says = "a: 1 record has more items in 'code' than samples, such as line 2, with 3 and 2. If samples without an"
    (note,) = noted(("q", 3, {"code": 3}), ("r", 2, {"code": 3}))
    assert note == f"{says} answer are missing, accuracies are too high."
    assert noted(("q", 1, {"code": 1}), ("r", 2, {"code": 3})) == []  # never as many as several samples
    assert noted(("q", 3, {"code": 3}), ("r", 2, {"code": 3}), ("s", 3, {"code": 1})) == []
