"""Kept pictures: one folder each, complete or not there at all, until deleted or swept.

    images/                          0700
      <owner key>/                   0700, the first half of the picture's id
        <id>/                        0700, its mtime is the picture's age
          original.<extension>       0600, the bytes as they came; the detected format's extension
          annotated.jpg              0600, if there is one
          meta.json                  0600, owner, creation, format, sizes
      .incoming-…  .deleted-…        being written; being removed

A picture appears by one rename and goes by one rename, so several processes may keep, read,
delete and sweep at once, and a crash leaves at most a dotted folder, which the next sweep
removes. What a process has kept or looked at it remembers, packed, and asks no more of the
disk than the names of what is there. Files are not flushed to the medium one by one, which
would cost more than detection: after a power cut the last seconds' pictures may be torn, and
their recorded sizes tell.
"""

from visiongate.retention.store import FilePictureStore
from visiongate.retention.sweeping import Sweeper

__all__ = ["FilePictureStore", "Sweeper"]
