"""One small file of every format, by its name: what recognition must tell apart. Add one with each new format."""

import json
from pathlib import Path


def _lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


_SPEC = {"created": "2026-01-01T00:00:00+00:00", "task": "sums", "dataset": {}, "model": "llama", "config": {}}
_SAMPLE = {"id": "q", "epoch": 1, "input": "2 + 2?", "target": "4"}
_CHAT = {"model": "gpt", "choices": [{"message": {"role": "assistant", "content": "It is 4."}}]}
_STATE = {
    "instance": {"id": "id0", "input": {"text": "2 + 2?"}, "references": [{"output": "4", "tags": ["correct"]}]},
    "request": {"model": "llama", "temperature": 0.7},
    "result": {"success": True, "completions": [{"text": " 4"}]},
}
_JUDGED = {"symbolic_correct": True}

MINIMAL = {
    "inspect": (
        "2026-01-01_sums.json",
        json.dumps(
            {
                "version": 2,
                "status": "success",
                "eval": _SPEC,
                "samples": [_SAMPLE | {"scores": {"match": {"value": "C", "answer": "4"}}}],
            }
        ),
    ),
    "lm-eval": (
        "samples_sums_2026-01-01T12-00-00.jsonl",
        _lines({"doc_id": 0, "doc": {"question": "2 + 2?"}, "target": "4", "resps": [["It is 4."]]}),
    ),
    "openai-batch": ("output.jsonl", _lines({"id": "r", "custom_id": "q-1", "response": {"body": _CHAT}})),
    "modelswitch": (
        "GSM8K.json",
        json.dumps([{"no": 1, "question": "2 + 2?", "solution": "4", "llama_ans_list": ["4", "5"]}]),
    ),
    "monkeys": (
        "GSM8K_llama.json",
        json.dumps([{"question": "2 + 2?", "samples": ["It is 4."], "is_corrects": [True], "orig_dset_idx": 7}]),
    ),
    "human-eval": (
        "llama.jsonl_results.jsonl",
        _lines({"task_id": "HumanEval/0", "completion": "return 1", "result": "passed", "passed": True}),
    ),
    "evalplus": (
        "llama_eval_results.json",
        json.dumps({"date": "", "eval": {"HumanEval/0": [{"solution": "x", "base_status": "pass"}]}}),
    ),
    "helm": (
        "scenario_state.json",
        json.dumps({"adapter_spec": {"method": "generation"}, "request_states": [_STATE]}),
    ),
    "math-harness": (
        "llama/math_eval/gsm8k/test_cot_-1_seed0_t0.7_s0_e-1.jsonl",
        _lines({"idx": 0, "question": "2 + 2?", "gt": "4", "code": ["It is 4."], "pred": ["4"], "score": [True]}),
    ),
    "livecodebench": (
        "llama/Scenario.codegeneration_2_0.2_eval_all.json",
        json.dumps([{"question_id": "a", "question_content": "?", "code_list": ["x"], "graded_list": [True]}]),
    ),
    "nemo-skills": (
        "llama/eval-results/sums/output-rs0.jsonl",
        _lines({"problem": "2 + 2?", "expected_answer": "4", "generation": "", "predicted_answer": "4"} | _JUDGED),
    ),
    "matharena": (
        "aime/openai/o3/1.json",
        json.dumps({"idx": 1, "problem": "2 + 2?", "gold_answer": "4", "answers": ["4"], "correct": [True]}),
    ),
    "table": ("table.csv", "question_id,model,answer,truth\nq,llama,4,4\n"),
}


def write_minimal(folder, name):
    """Write the small file of a format, and return its path."""
    file, content = MINIMAL[name]
    path = Path(folder) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
