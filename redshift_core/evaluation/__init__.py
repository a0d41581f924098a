"""How good redshifts are: metrics, bins, calibration, flags, stress, comparisons."""
