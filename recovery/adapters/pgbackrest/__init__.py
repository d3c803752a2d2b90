"""pgBackRest, the backup engine."""
