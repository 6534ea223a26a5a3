"""What every topic is like on the broker."""

import pytest

from notistream.kafka import topics
from notistream.settings.model import Settings


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_a_record_counts_as_taken_when_all_replicas_but_one_have_it(replication, in_sync):
    specs = topics.specs(Settings(topic_replication=replication), 4)
    assert {spec.configs["min.insync.replicas"] for spec in specs} == {in_sync}
