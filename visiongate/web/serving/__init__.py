"""How connections are served, below Flask: one loop collects requests, and threads get them whole.

``patient_worker`` and ``leaving`` rest on gunicorn's internals, and nothing else does.
"""
