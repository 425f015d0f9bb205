"""Which fault comes when: by seed, and with a quota for each kind."""


def quotas(weights, count):
    """How often each kind comes among `count`: by its weight, but once at least where there is room for all."""
    kinds = len(weights)
    if count <= kinds:
        return [1] * kinds
    total = sum(weights)
    shares = [(count - kinds) * weight / total for weight in weights]
    parts = [int(share) for share in shares]
    # What is left goes to the largest remainders.
    by_remainder = sorted(range(kinds), key=lambda i: (parts[i] - shares[i], i))
    for i in by_remainder[:count - kinds - sum(parts)]:
        parts[i] += 1
    return [part + 1 for part in parts]


def plan(kinds, count, random):
    """`count` kinds in their order: every kind once before any comes again. `kinds` have a weight."""
    first = list(kinds)
    random.shuffle(first)
    rest = [kind for kind, quota in zip(kinds, quotas([kind.weight for kind in kinds], count)) for _ in range(quota - 1)]
    random.shuffle(rest)
    return (first + rest)[:count]
