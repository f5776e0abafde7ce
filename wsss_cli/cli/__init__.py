"""The command line: parse, print, exit codes. Nothing here imports torch at module level."""
