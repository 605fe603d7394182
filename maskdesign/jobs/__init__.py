"""Whole jobs, as the command line and the studio offer them: the rooms below, chained over a run folder."""
