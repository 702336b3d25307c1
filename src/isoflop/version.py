"""The release, said once: the package's metadata takes it from here, and no command has to look for it there."""

VERSION = "0.1.0"
