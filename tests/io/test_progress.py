import logging

from equicryo.io.progress import announce, track_images


def test_batches_pass_unchanged_and_the_log_tells_how_many_are_done(caplog):
    caplog.set_level(logging.INFO)
    batches = [[1, 2, 3], [4], [5, 6]]
    assert list(track_images(iter(batches), "compress", 6)) == batches
    done = [record.args[1] for record in caplog.records]
    assert done == [3, 4, 6]


def test_a_long_step_logs_about_ten_lines(caplog):
    caplog.set_level(logging.INFO)
    for _ in track_images(([0] for _ in range(1000)), "simulate", 1000):
        pass
    assert 10 <= len(caplog.records) <= 12


def test_batches_may_be_counted_otherwise(caplog):
    caplog.set_level(logging.INFO)
    pairs = [([1, 2], "views"), ([3], "views")]
    list(track_images(pairs, "compress", 3, lambda pair: len(pair[0])))
    assert caplog.records[-1].args[1] == 3


def test_memory_and_time_are_told_in_gigabytes_and_minutes(caplog):
    caplog.set_level(logging.INFO)
    announce("compress", 10_000, memory=1.5e9, seconds=90.0)
    (record,) = caplog.records
    assert "10000 images: about 1.5 GB of memory and 1.5 minutes" in record.message
