"""Training of the compact model on simulated and licensed micrographs; needs ``nital[train]``."""
