"""Fetch a picture from an address that somebody sent, and from nowhere else than was meant.

Whoever can name an address can try to reach through the gateway what only the gateway reaches.
So: nothing is fetched but from hosts that the operator listed (``hosts``); the addresses that a
name resolves to are judged (``addresses``), and those that were judged are connected to, with no
second look-up in between (``network``); each redirect starts again from the beginning
(``fetcher``).
"""
