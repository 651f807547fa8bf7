"""What reads anything from outside, fed with anything: `make fuzz`, see :mod:`.run`."""
