"""Photo mode: a change on a template of cells that hides a face from recognizers, and a key that undoes it exactly."""
