import pytest

from mssim.errors import StrategyError
from mssim.live.protocols import parse_protocol


def test_text_and_mappings_and_protocols():
    protocol = parse_protocol("moa:smol+gemma,layers=2,aggregator=gemma")
    assert protocol.models == ("smol", "gemma")
    assert (protocol.layers, protocol.aggregator) == (2, "gemma")
    assert parse_protocol({"kind": "moa", "models": ["smol", "gemma"], "layers": 2, "aggregator": "gemma"}) == protocol
    assert parse_protocol(protocol) is protocol
    assert str(protocol) == "moa:smol+gemma,layers=2,aggregator=gemma"
    assert parse_protocol('mad:a,judge="x,y"').judge == "x,y"
    assert str(parse_protocol("chateval:a,roles=critic/public")) == "chateval:a,roles=critic/public"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("debate", "protocol 'debate' has no kind. Write kind:model.*, e.g. 'debate:gpt-4'.$"),
        ("debat:a", "protocol 'debat:a': unknown kind 'debat'. Did you mean 'debate'?"),
        ("debate:", "protocol 'debate:': the name of a model is empty"),
        ("debate:a,vote=plurality", "protocol 'debate:a,vote=plurality': unknown option 'vote'"),
        ({"kind": "moa", "models": 3}, "protocol .*: models=3 is not a list of names"),
        ({"kind": "moa"}, r"models=\[\]|models=\(\) must be one or more names"),
    ],
)
def test_refused(given, message):
    with pytest.raises(StrategyError, match=message):
        parse_protocol(given)
