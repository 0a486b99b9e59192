"""What is said about files of unknown formats, and options that work on them."""

import shlex

import pytest

from mssim.importers.proposals import proposed, told


def test_fields_are_named_with_dots():
    assert told({"id": 1, "a": {"b": {"c": {"d": {"e": 1}}}}, "l": [{"x": 1}, {"y": 2}], "e": {}, "n": [1]}) == (
        "the fields 'id', 'a.b.c.d', 'l.x', 'l.y', 'e', 'n'"
    )
    assert told(dict.fromkeys("abcdefghijklmn")).endswith("'k', 'l', ...")
    assert len(told({"x" * 1000: 1})) < 100


@pytest.mark.parametrize(
    ("first", "options"),
    [
        ({"id": 1, "pred": "4", "gold": "4"}, "--map question_id=id,answer=pred,truth=gold --model NAME"),
        ({"question_id": 1, "model": "m", "is_correct": 1}, "--map correct=is_correct"),
        (
            {"idx": 1, "output": "It is 4.", "gt": 4},
            "--map question_id=idx,truth=gt,text=output --model NAME --rule RULE",
        ),
        ({"idx": 1, "output": "x", "passed": True}, "--map question_id=idx,correct=passed,text=output --model NAME"),
        (
            {"id": 0, "gold": "7", "answers": [["7", 10], ["8", 12]]},
            "--map question_id=id,answer=answers.0,truth=gold --model NAME",
        ),
        (
            {"prompt": "2 + 2?", "llama": 1, "qwen": 0, "llama_response": "4", "qwen_response": "5"},
            "--models llama,qwen --map 'question_id=prompt,correct={model},text={model}_response'",
        ),
        (
            {"prompt": "2 + 2?", "llama": "True", "qwen": "False"},  # as in CSV files
            "--models llama,qwen --map 'question_id=prompt,correct={model}'",
        ),
        (
            {"id": 0, "pred": "4", "gold": "5", "result": True, "truncated": False},
            "--map question_id=id,answer=pred,correct=result,truth=gold --model NAME",
        ),
        (
            {"question_id": 1, "answer": "A", "pred": "B", "generated_text": "It is B."},
            "--map answer=pred,truth=answer --model NAME",
        ),
        (
            {"question": "2 + 2?", "answer": 4, "generated": ["# Four"] * 2, "results": [4.0], "prediction": 4.0},
            "--map question_id=question,answer=results,truth=answer --model NAME",
        ),
        (
            {"question": "2 + 2?", "answer": "4", "generated_answer": ["Two and two is four. " * 9] * 2},
            "--map question_id=question,truth=answer,text=generated_answer --model NAME --rule RULE",
        ),
        (
            {"input": "2 + 2?", "prediction": "Step by step. " * 9, "target": "(A)"},
            "--map question_id=input,truth=target,text=prediction --model NAME --rule RULE",
        ),
        ({"id": 1, "model": "m", "score": 9.5}, "--map question_id=id,answer=FIELD,truth=FIELD"),
        ({"question_id": 1, "model_id": "m", "gold": 4, "pred": 5}, "--map 'model=model_id,answer=pred,truth=gold'"),
        ({"id": 1, "answer": ["4", "5"], "gt": "4"}, "--map question_id=id,truth=gt --model NAME"),
        ({"a b": 1}, "--map question_id=FIELD,answer=FIELD,truth=FIELD --model NAME"),
        (
            {"doc": {"id": 1}, "runs": [{"pred": 1, "ok": True}], "llm": "m"},
            "--map question_id=doc.id,model=llm,answer=runs.pred,truth=FIELD",
        ),
        (
            {"task id": 1, "my; pred": {"pred": 1}},
            "--map 'question_id=task id,answer=my; pred.pred,truth=FIELD' --model NAME",
        ),
        (
            {"Prompt-ID": "1", "LLM": "m", "Try": "0", "Response": "7", "Gold": "7", "Tok Out": "9", "Subject": "law"},
            "--map 'question_id=Prompt-ID,model=LLM,answer=Response,truth=Gold,sample_index=Try,output_tokens=Tok Out'",
        ),
        (
            {"Prompt ID": "1", "LLM": "m", "Model Response": "7", "Gold Answer": "8", "Is Right?": "no", "Secs": "3,5"},
            "--map 'question_id=Prompt ID,model=LLM,answer=Model Response,correct=Is Right?,truth=Gold Answer,"
            "latency=Secs'",
        ),
        (
            {"Frage Nr.": "1", "System": "m", "Ergebnis": "7", "Urteil": "incorrect"},
            "--map question_id=FIELD,correct=Urteil --model NAME",
        ),
        (
            {"id": 1, "response": "I think 7", "gold": "7", "run": "first"},
            "--map question_id=id,truth=gold,text=response --model NAME --rule RULE",
        ),
    ],
)
def test_options_name_the_fields_that_a_pool_needs(first, options):
    assert " ".join(proposed(first)) == options
    assert {"--map", "--models"} & {*shlex.split(options)}
