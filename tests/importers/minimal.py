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
    "table": ("table.csv", "question_id,model,answer,truth\nq,llama,4,4\n"),
}


def write_minimal(folder, name):
    """Write the small file of a format, and return its path."""
    file, content = MINIMAL[name]
    path = Path(folder) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
