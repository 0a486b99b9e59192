"""Shuffled choices: letters of choices become the texts of the choices, so that answers and truths agree.

Tools that shuffle the choices of a question write letters for answers and truths, and the letter B of one sample is
not the letter B of another. A reader asks `Choices.order` for every sample and writes `Order.answer` instead of the
letters; `Choices.close` writes truths and choices of the questions. Letters of questions whose choices always have the
same order remain letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from mssim._validation import counted
from mssim.errors import PoolError
from mssim.importers.letters import named
from mssim.importers.sink import Sink
from mssim.pools.arrow import codes_of
from mssim.pools.texts import as_text, normal

__all__ = ["Choices", "Order"]

_DONE = "\0"  # before an answer that is written as text already
_SEVERAL = " | "  # between the texts of an answer of several letters
_USUAL = 10  # choices of a question whose choices are not known; YES and NO are not letters of choices
_MARKED = re.compile(r"\(?([A-Za-z])[).:]\s*(?=\S)")  # B) Paris
_ROWS = 2**14  # samples that are translated at once


@dataclass(slots=True, eq=False)
class _Question:
    """What is known of the choices of a question."""

    name: str
    raw: Sequence[str] = ()  # choices of the first sample that has them
    texts: list[str] = field(default_factory=list)  # of these choices, then of others, without repetitions
    known: dict[str, int] = field(default_factory=dict)  # positions in `texts`, of these and of other spellings
    first: Order | None = None  # that of `raw`
    said: str | None = None  # the first truth, as written
    lettered: bool = False  # whether that is letters
    right: tuple[int, ...] | None = None  # positions of the correct choices in `texts`
    shuffled: bool = False  # whether letters are translated
    ordered: bool = True  # whether all samples have the choices in one order
    used: bool = False  # whether an answer was translated
    several: bool = False  # whether several letters were translated at once
    blind: bool = False  # whether a sample without choices answers with letters
    unclear: bool = False  # whether a wrong choice has the text of a correct one
    without: set[str] = field(default_factory=set)  # at most two places of samples that lack the choices of letters

    def label(self, positions: Sequence[int]) -> str:
        self.several |= len(positions) > 1
        return _SEVERAL.join(self.texts[place] for place in sorted({*positions}))

    def truth(self) -> str | None:
        return self.label(self.right) if self.shuffled and self.right else self.said


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """The choices of a sample in their own order, as returned by `Choices.order`."""

    _question: _Question
    _places: tuple[int, ...]  # of each letter in the texts of the question

    @property
    def differs(self) -> bool:
        """Whether answers are not written as they are."""
        return self is not self._question.first

    def answer(self, answer: str) -> str:
        """Return what to write for the answer of a sample, a text that only `Choices.close` makes final."""
        if not self._places:
            self._question.blind |= named(answer, _USUAL) is not None
        if not self._places or not self.differs:
            return answer  # translated at the end if another sample has another order
        return _DONE + self._text(answer)

    def _text(self, answer: str) -> str:
        """Return the texts of the choices that an answer names by letters, or by a letter before the text."""
        texts = self._question.texts
        if not self._question.lettered and (text := _plain(answer)) in texts:
            return text  # choices may be letters themselves, such as blood groups
        letters = named(answer, len(self._places))
        marked = None if letters else _MARKED.match(answer)
        if marked and (letter := named(marked[1], len(self._places))):
            letters = letter if texts[self._places[letter[0]]] == _plain(answer[marked.end() :]) else None
        if not letters:
            return answer
        self._question.used = True
        return self._question.label([self._places[letter] for letter in letters])

    def _right(self, said: str, letters: Sequence[int] | None) -> tuple[int, ...] | None:
        """Return the positions of the correct choices, if known."""
        if letters is not None and self._places:
            return tuple(sorted({self._places[letter] for letter in letters}))
        texts = self._question.texts
        return (texts.index(_plain(said)),) if letters is None and _plain(said) in texts else None


class Choices:
    r"""Choices of all questions of an import.

    Parameters
    ----------
    sink : Sink
        Destination of samples and questions. `close` describes the truth and choices of its questions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow.parquet as pq
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sink = Sink(Path(folder))
    ...     choices = Choices(sink)
    ...     for names, truth in ((["cow", "crow"], "B"), (["crow", "cow"], "A")):
    ...         order = choices.order("q", names, truth)
    ...         sink.add("q", "llama", [{"answer": order.answer("A"), "correct": truth == "A"}])
    ...     choices.close()
    ...     sink.questions["q"], pq.read_table(sink.pieces[0])["answer"].to_pylist()
    ({'truth': 'crow', 'choices': ['cow', 'crow']}, ['cow', 'crow'])
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._known: dict[str, _Question] = {}

    def order(
        self, question_id: str, choices: Sequence[str] | None, truth: str | Sequence[str] | None, place: str = ""
    ) -> Order:
        """Return the order of the choices of a sample.

        Parameters
        ----------
        question_id : str
            Name of the question.
        choices : sequence of str or None
            Texts of the choices in the order of their letters, or None if the file does not have them.
        truth : str, sequence of str or None
            Correct answer of the sample as written: letters of choices, or any text. Several are joined by " | ".
        place : str, optional
            Name of the file, for messages.

        Raises
        ------
        PoolError
            If the truth contradicts that of another sample, or if letters differ but a sample has no choices.
        """
        said = (truth if isinstance(truth, str) or truth is None else _SEVERAL.join(truth)) or None
        question = self._known.setdefault(question_id, _Question(question_id))
        if question.first and said == question.said and choices == question.raw:
            return question.first
        order = _ordered(question, choices or ())
        letters = named(said, len(choices or ()) or _USUAL) if said else None
        if letters and not choices and len(question.without) < 2:
            question.without.add(place)
        if letters and len(letters) > 1 and _plain(said or "") in question.texts:
            letters = None  # a text such as the blood group AB
        if said:
            self._compare(question, order, said, letters, place)
        return order

    def table(self, table: pa.Table, place: str = "") -> pa.Table:
        """Return a long table with what to write for its answers, as `order` and `Order.answer` do for each row.

        Parameters
        ----------
        table : Table
            Has a column question_id. The columns choices (lists of text), truth and answer are optional.
        place : str, optional
            Name of the file, for messages.

        Returns
        -------
        Table
            The table without choices and truth, which `close` describes.

        Raises
        ------
        PoolError
            As `order`.
        """
        names = [name for name in ("choices", "truth") if name in table.column_names]
        codes = np.stack([codes_of(table[name]) for name in ("question_id", *names)])
        _, first, group = np.unique(codes, axis=1, return_index=True, return_inverse=True)
        rows = table.select(["question_id", *names]).take(pa.array(first)).to_pylist()
        orders: dict[int, Order] = {}
        for kind in np.argsort(first).tolist():
            choices, truth = rows[kind].get("choices"), rows[kind].get("truth")
            given = [as_text(one) for one in choices] if isinstance(choices, list) else None
            said = None if truth is None else as_text(truth)
            orders[kind] = self.order(rows[kind]["question_id"], given, said, place)
        if "answer" in table.column_names and any(order.differs for order in orders.values()):
            kinds = zip(group.ravel().tolist(), table["answer"].to_pylist(), strict=True)
            answers = [None if answer is None else orders[kind].answer(as_text(answer)) for kind, answer in kinds]
            place_of = table.column_names.index("answer")
            table = table.set_column(place_of, "answer", pa.array(answers, pa.string()))
        return table.drop_columns(names)

    def close(self) -> None:
        """Describe all questions, and translate letters in the samples of the sink where choices were shuffled.

        Raises
        ------
        PoolError
            If choices were shuffled but some samples lack them, or if their texts do not tell them apart.
        """
        for question in self._known.values():  # a rule reads letters, unless they name different choices
            question.shuffled &= not (self._sink.graded and question.ordered)
        shuffled = {name: question for name, question in self._known.items() if question.shuffled}
        if shuffled:
            self._translate(shuffled)
        for name, question in self._known.items():
            truth = question.truth()
            if question.shuffled:
                _require_distinct(question)
            self._sink.describe(name, {"truth": truth, "choices": list(question.raw) or None})

    def _translate(self, shuffled: Mapping[str, _Question]) -> None:
        """Translate the answers to shuffled questions in the files of the sink."""
        for question in self._known.values():
            if len(question.without) >= (1 if question.raw else 2) or (question.blind and question.shuffled):
                told = f"the choices of question {next(iter(shuffled))!r:.80} were shuffled"
                _refuse_without(min(question.without, default=""), question, told)
        self._sink.close()
        for path in self._sink.pieces:
            _translate(path, shuffled)
        translated = [question for question in shuffled.values() if question.used or question.lettered]
        number = sum(not question.ordered for question in translated)
        self._sink.shuffled += number
        if spelled := len(translated) - number:
            self._sink.remarks.append(
                f"the truths of {counted(spelled, 'question')} are written in several ways, such as by a letter and by "
                "the text of a choice. Answers and truths are the texts of the choices."
            )
        if number:
            self._sink.remarks.append(
                f"the choices of {counted(number, 'question')} were shuffled. Answers and truths are the texts of the "
                "choices, but letters in the texts of samples are as written, so a rule cannot grade them."
            )

    def _compare(self, question: _Question, order: Order, said: str, letters: Sequence[int] | None, place: str) -> None:
        """Compare the truth of a sample with that of the samples before."""
        right, before = order._right(said, letters), question.said
        if right and letters:
            question.unclear |= sum(p in right for p in order._places) > len(letters)
        if before is None:
            question.said, question.lettered = said, letters is not None
        if before in (None, said) and question.right is None:
            question.right = right
        if right and question.right:
            question.shuffled |= right == question.right and said != question.said
            if right != question.right:
                self._refuse(question, question.label(right) if question.shuffled else said)
        elif said != question.said:
            if letters and question.lettered:
                told = f"the truth of question {question.name!r:.80} is {question.said!r:.40} in one sample"
                told += f" and {said!r:.40} in another, as if its choices were shuffled"
                _refuse_without(min(question.without, default=place), question, told)
            self._refuse(question, said)

    def _refuse(self, question: _Question, truth: str) -> None:
        """Let the sink refuse two truths, as those of any other format."""
        for one in (question.truth(), truth):
            self._sink.describe(question.name, {"truth": one})


def _ordered(question: _Question, choices: Sequence[str]) -> Order:
    """Return the order of choices. Choices that are new become known."""
    places = []
    for name in choices:
        place = question.known.get(name)
        if place is None:
            text = _plain(name)
            place = question.known[name] = question.known.setdefault(text, len(question.texts))
            question.texts += [text] * (place == len(question.texts))
        places.append(place)
    order = Order(question, tuple(places))
    if question.first is None and choices:
        question.raw, question.first = choices, order
        if question.said and not question.lettered:
            question.right = order._right(question.said, None)
    if question.first and order._places == question.first._places:
        return question.first
    question.shuffled |= bool(places)
    question.ordered &= not places
    return order


def _plain(text: str) -> str:
    return " ".join(normal(text).split())


def _refuse_without(place: str, question: _Question, told: str) -> NoReturn:
    raise PoolError(
        f"{place or 'the files'}: {told}, but letters of samples of question {question.name!r:.80} are without the "
        "choices that they name. Export the files with the choices of every sample, or import each run separately."
    )


def _require_distinct(question: _Question) -> None:
    """Raise if the texts of shuffled choices do not tell them apart."""
    problem = "has no text" if "" in question.texts else ""
    if question.unclear:
        problem = f"is wrong but has the text of the correct one, {question.truth()!r:.80}"
    elif question.several and any("|" in text for text in question.texts):
        problem = "contains '|', which separates the texts of several letters"
    if problem:
        raise PoolError(
            f"question {question.name!r:.80}: its choices were shuffled, so letters must be translated to their texts, "
            f"but one of them {problem}. Import each run separately."
        )


def _translate(path: Path, shuffled: Mapping[str, _Question]) -> None:
    """Translate the answers to shuffled questions in a file of samples."""
    part = path.with_suffix(".part")
    with pa.parquet.ParquetFile(path, pre_buffer=False) as file:
        schema = file.schema_arrow
        if "answer" not in schema.names:
            return
        place = schema.get_field_index("answer")
        schema = schema.set(place, pa.field("answer", pa.string()))
        with pa.parquet.ParquetWriter(part, schema, compression="zstd") as writer:
            for batch in file.iter_batches(_ROWS):
                given = zip(batch["question_id"].to_pylist(), batch["answer"].to_pylist(), strict=True)
                answers = [_final(shuffled.get(name), answer) for name, answer in given]
                columns = [*batch.columns[:place], pa.array(answers, pa.string()), *batch.columns[place + 1 :]]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    part.replace(path)


def _final(question: _Question | None, answer: str | None) -> str | None:
    if question is None or answer is None or question.first is None:
        return answer
    return answer[len(_DONE) :] if answer.startswith(_DONE) else question.first._text(answer)
