"""The exit statuses of every command; `napari-fashion --help` and docs/commands.md list them."""

DONE = 0
"""Done, as far as possible: what was left out was reported."""
FAILED = 1
"""Failed, or nothing was left to work on; the reason was reported."""
USAGE = 2
"""The command was not understood; nothing was begun."""
NOT_BETTER = 3
"""``train --require-better``: trained and saved, but not shown to be better than its start."""
INVALID = 4
"""``validate``: the file has errors, or with ``--strict`` warnings."""
INTERNAL = 70
"""A fault of the program itself; a log was written."""
INTERRUPTED = 130
"""Ctrl+C (128 + SIGINT): not done; what was reached is kept if the command states it."""
BROKEN_PIPE = 141
"""Whoever read the output went away (128 + SIGPIPE)."""
TERMINATED = 143
"""SIGTERM (128 + SIGTERM): as interrupted."""

MEANINGS = {
    DONE: "done; what was left out is on standard error",
    FAILED: "failed, or nothing was left to work on; the reason is on standard error",
    USAGE: "the command was not understood; nothing was begun",
    NOT_BETTER: "train --require-better: trained, but the new model is not shown to be better",
    INVALID: "validate: the file has errors; with --strict, or warnings",
    INTERNAL: "a fault of the program itself; a log was written",
    INTERRUPTED: "interrupted by Ctrl+C: not done; predict and train keep what they reached",
    BROKEN_PIPE: "the reader of the output closed it",
    TERMINATED: "ended by SIGTERM: as interrupted",
}
