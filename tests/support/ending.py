"""Texts that end: what is made of one takes a moment of the processor's time, however the machine is loaded."""

import time

LIMIT = 0.1
TRIES = 3


def outcome(function, error):
    """Return what a function returns, or the error of ours that it raises, and assert that this takes but a moment.

    The time of this process alone counts. A collection of garbage may fall into it, so the best of a few tries decides.
    """
    taken = []
    while len(taken) < TRIES:
        started = time.process_time()
        try:
            found = function()
        except error as raised:
            found = raised
        taken.append(time.process_time() - started)
        if taken[-1] < LIMIT:
            return found
    raise AssertionError(taken)
