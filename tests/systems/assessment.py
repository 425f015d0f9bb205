"""What the tests of the preset `assessment` share."""

import stack as stack_tool
from client import Client

MARKET = {f"market-data.{name}-ticks": "market_price"
          for name in ("btc", "eth", "sol", "polymarket", "kalshi")}
OWN = {
    "trading.order-filled": "position_update",
    "trading.position-opened": "position_update",
    "trading.position-closed": "position_update",
    "assessment.balance-updated": "pnl_update",
    "assessment.pnl-updated": "pnl_update",
    "assessment.created": "assessment_update",
    "assessment.started": "assessment_update",
    "assessment.completed": "assessment_update",
    "rules.violation-detected": "violation",
    "rules.drawdown-checked": "rule_status",
}
PARTITIONS = 2


def make_topics(cluster):
    stack_tool.make_topics(cluster, {topic: PARTITIONS for topic in (*MARKET, *OWN)})


def join(edge, assessment, sub="u1", **options):
    """A client of an assessment, with a token for it."""
    token = stack_tool.token(sub, assessmentId=assessment)
    return Client(edge.public, token=token, assessmentId=assessment, **options)


def join_live(edge, producer, assessment, **options):
    """A client that is known to get live events: it has seen one of its assessment made for that."""
    client = join(edge, assessment, **options)
    probe = {"assessmentId": assessment, "probe": True}

    def seen(_):
        return any(message.get("data", {}).get("probe") for message in client.messages)
    for _ in range(40):
        producer.put("rules.violation-detected", probe)
        try:
            client.wait_for(seen, timeout=0.5)
            return client
        except AssertionError:
            if not client.open:
                raise
    raise AssertionError(f"no event came: {client.messages[-5:]}")
