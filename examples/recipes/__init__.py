"""Four simulated specimens: their truth, and how a microscope shows them."""
