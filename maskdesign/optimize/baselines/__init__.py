"""The methods that PrivacyMask compares itself with (its Table 1): each a loss, a carrier, a way of shaking.

Everything else is the design's own: people, photos, renderer, recognizers, canvas, steps and optimizer. So what is
compared is the idea of each method, not its authors' code, networks or training.
"""
