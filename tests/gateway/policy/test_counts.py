from yett.policy.counts import Counts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_nth_within_the_window_counts_and_older_ones_do_not() -> None:
    clock = Clock()
    counts = Counts(clock)
    seen = []
    for now in (0.0, 1.0, 2.0, 10.9, 11.0, 12.5):
        clock.now = now
        seen.append(counts.reached("r", "t", "p", 3, 10.0))
    assert seen == [False, False, True, True, True, True]
    clock.now = 100.0
    assert not counts.reached("r", "t", "p", 3, 10.0)


def test_rules_tenants_and_principals_are_counted_apart() -> None:
    counts = Counts(Clock())
    for who in (("r", "t", "p"), ("r", "t", "q"), ("r", "u", "p"), ("s", "t", "p")):
        assert not counts.reached(*who, 2, 10.0)
    assert counts.reached("r", "t", "p", 2, 10.0)


def test_a_changed_rule_keeps_what_it_can() -> None:
    counts = Counts(Clock())
    for _ in range(5):
        counts.reached("r", "t", "p", 5, 10.0)
    assert counts.reached("r", "t", "p", 3, 10.0)
    assert not counts.reached("r", "t", "p", 100, 10.0)


def test_memory_is_bounded_and_the_busy_stay() -> None:
    counts = Counts(Clock(), max_windows=3)
    counts.reached("r", "t", "busy", 2, 10.0)
    for number in range(10):
        counts.reached("r", "t", f"p{number}", 2, 10.0)
        assert counts.reached("r", "t", "busy", 2, 10.0)
    assert len(counts._seen) == 3


def test_so_are_the_times_of_all_together() -> None:
    counts = Counts(Clock(), max_times=100)
    for number in range(20):
        for _ in range(30):
            counts.reached("r", "t", f"p{number}", 25, 10.0)
        assert sum(map(len, counts._seen.values())) == counts._held <= 100
    assert counts.reached("r", "t", "p19", 25, 10.0)
    for _ in range(300):
        counts.reached("r", "t", "p19", 200, 10.0)
    assert len(counts._seen) == 1, "one window is always kept"
