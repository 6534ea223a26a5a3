"""In-order acknowledgement: never past a record that is still open."""

from hypothesis import given
from hypothesis import strategies as st

from notistream.delivery.acknowledgement import InOrder


@given(st.permutations(range(12)))
def test_acknowledges_in_offset_order_whatever_the_order_of_settling(order):
    acknowledged: list[int] = []
    records = InOrder()
    settle = [records.add("p", lambda i=i: acknowledged.append(i), lambda: None) for i in range(12)]
    settled: set[int] = set()
    for index in order:
        settle[index]()
        settled.add(index)
        assert acknowledged == list(range(len(acknowledged)))
        assert not set(range(len(acknowledged))) - settled
    assert acknowledged == list(range(12))
    assert len(records) == 0


def test_partitions_do_not_wait_for_each_other():
    acknowledged: list[str] = []
    records = InOrder()
    records.add("a", lambda: acknowledged.append("a"), lambda: None)
    records.add("b", lambda: acknowledged.append("b"), lambda: None)()
    assert acknowledged == ["b"]


def test_forgetting_abandons_and_late_settling_does_nothing():
    acknowledged: list[int] = []
    abandoned: list[int] = []
    records = InOrder()
    settle = [
        records.add("p", lambda i=i: acknowledged.append(i), lambda i=i: abandoned.append(i))
        for i in range(3)
    ]
    settle[1]()
    records.forget()
    again = records.add("p", lambda: acknowledged.append(9), lambda: None)
    settle[0]()
    assert (acknowledged, abandoned) == ([], [0, 1, 2])
    again()
    assert acknowledged == [9]
