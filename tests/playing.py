"""Protocols played in this process: each call gets the reply that a script has for its step."""

import re

from mssim.live.protocols import Task, parse_protocol, prompts_for

QUESTION = "3 x 4?"


def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def last_number(text):
    found = re.findall(r"\d+", text)
    return found[-1] if found else None


def ask(model):
    """The prompt of a model; each has its own, and "told" has a system message."""
    return [*([system("Be brief.")] if model == "told" else []), user(f"For {model}: {QUESTION} Digits.")]


def task(protocol, prompts=None):
    return Task(QUESTION, ask, last_number, prompts_for(protocol, prompts))


def play(text, script, prompts=None):
    """Play a protocol; return its end and {step: call}, with the steps of each round as a list.

    `script` is a mapping of steps to replies; a step that it lacks is an error, and so is one that is not asked for.
    """
    protocol = parse_protocol(text)
    run, calls, rounds = protocol.run(task(protocol, prompts)), {}, []
    try:
        asked = next(run)
        while True:
            assert asked
            rounds.append([call.step for call in asked])
            assert not calls.keys() & set(rounds[-1])
            calls |= {call.step: call for call in asked}
            asked = run.send([script[call.step] for call in asked])
    except StopIteration as end:
        assert calls.keys() == script.keys()
        assert {call.model for call in calls.values()} <= set(protocol.participants())
        number = sum(map(len, rounds))
        assert protocol.calls().least <= number <= protocol.calls().most
        return end.value, calls, rounds
