"""What reads anything from outside, fed with anything: see :mod:`.table`, :mod:`.run`."""
