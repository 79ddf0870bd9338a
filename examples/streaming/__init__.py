"""What ``stream.py`` is made of: sources of frames, boxes drawn, windows and files."""
