"""Small tables of samples and questions that the tests of grading share."""

import pandas as pd
import pyarrow as pa

TEXTS = {
    ("q1", "a"): ["It is 7.0", "so 7", "7.00, I think", "seven"],
    ("q1", "b"): ["7", "8", "10-5", "x=-5"],
    ("q2", "a"): ["9", "9", "none", "12"],
    ("q2", "b"): ["4", "4", "4", "so x/4"],
}


TRUTHS = {"q1": "7", "q2": "x/4"}


def samples_table(texts=TEXTS, **columns):
    rows = [
        {"question_id": question, "model": model, "sample_index": i, "text": text}
        for (question, model), given_ in texts.items()
        for i, text in enumerate(given_)
    ]
    return pa.Table.from_pandas(pd.DataFrame(rows).assign(**{"finish_reason": "stop", **columns}), preserve_index=False)


def questions_table(truths=TRUTHS, **columns):
    return pa.table(
        {"question_id": list(truths), "question": ["?"] * len(truths), "truth": list(truths.values()), **columns}
    )
