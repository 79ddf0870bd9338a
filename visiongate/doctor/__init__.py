"""``python -m visiongate.doctor``: what is wrong with this installation, and what to do about it.

Each module examines one subject and yields findings; ``cli`` shows them. Nothing is changed,
neither files nor their times, so that it may run beside a gateway that serves.
"""
