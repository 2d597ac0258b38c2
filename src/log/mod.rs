//! Log files and syslog: formats of the originals, writers that never block the one who logs.
