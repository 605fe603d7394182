"""The shared core: a parameter improves against an ensemble of recognizers over random views."""
