"""Work in many processes."""

from functools import partial

from acr_lightning.system.pool import map_in_pool


class Heavy:
    """What does not change, such as a data set; it counts how often it is sent."""

    sent = 0

    def __reduce__(self):
        Heavy.sent += 1
        return Heavy, ()


def doubled(number, heavy):
    assert isinstance(heavy, Heavy)
    return 2 * number


def test_what_does_not_change_is_sent_once_to_each_worker():
    assert [*map_in_pool(partial(doubled, heavy=Heavy()), range(40), "numbers", workers=2)] == [*range(0, 80, 2)]
    assert Heavy.sent == 2
